import CUring
import Glibc

/// getenv(3) and environ(7), for the rooms above.
enum HostEnvironment {
    static func value(of name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// All of it, each of the form `name=value`.
    static var entries: [[UInt8]] {
        var entries: [[UInt8]] = []
        var next = unsafe curing_environment()
        while let entry = unsafe next?.pointee {
            unsafe entries.append([UInt8](UnsafeRawBufferPointer(start: entry, count: strlen(entry))))
            unsafe next = next.unsafelyUnwrapped + 1
        }
        return entries
    }
}
