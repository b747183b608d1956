import Glibc

/// getenv(3), for the rooms above.
package enum HostEnvironment {
    package static func value(of name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
