import Glibc
import Synchronization

/// The few lines that the library prints by itself.
package enum StandardError {
    private static let hasSpoken = Atomic<Bool>(false)

    /// Prints `line`, if it is the first one of the process.
    static func sayOnce(_ line: String) {
        if !hasSpoken.exchange(true, ordering: .relaxed) { say(line) }
    }

    /// Prints `line`.
    package static func say(_ line: String) {
        var text = line + "\n"
        text.withUTF8 { bytes in _ = unsafe write(2, bytes.baseAddress, bytes.count) }
    }
}
