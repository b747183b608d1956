import CUring
import Glibc
import SystemPackage

/// What the kernel is asked about one child. `descriptor` is its pidfd, or nil where there is none: then its number has
/// to do, which is another's as soon as the child has been reaped.
enum ChildCalls {
    /// A descriptor that is readable once the child has ended; pidfd_open(2).
    ///
    /// - Throws: `Errno.noSuchProcess`; what a kernel before 5.3 or a sandbox says.
    static func open(_ pid: Int32) throws(Errno) -> Int32 {
        let descriptor = curing_pidfd_open(pid)
        if descriptor < 0 { throw Errno(rawValue: -descriptor) }
        return descriptor
    }

    /// How the child ended, and with `keeps` leaves that to be asked again; nil while it runs.
    ///
    /// - Throws: `Errno.noChildProcess` when it is no child, or was reaped.
    static func end(of pid: Int32, _ descriptor: Int32?, keeps: Bool = false) throws(Errno) -> ChildStatus? {
        try wait(curing_wait(pidfd: descriptor ?? -1, pid: pid, blocks: false, keeps: keeps, end: 0))
    }

    /// Blocks the thread until the child has ended, and leaves it to be asked how.
    static func block(untilEndOf pid: Int32, _ descriptor: Int32?) {
        _ = try? wait(curing_wait(pidfd: descriptor ?? -1, pid: pid, blocks: true, keeps: true, end: 0))
    }

    private static func wait(_ wait: curing_wait) throws(Errno) -> ChildStatus? {
        var wait = wait
        let result = unsafe curing_wait_child(&wait)
        if result < 0 { throw Errno(rawValue: -result) }
        if result == 0 { return nil }
        return wait.end >= 0 ? .exited(wait.end) : .killed(by: UnixSignal(rawValue: -wait.end))
    }

    /// - Throws: `Errno.noSuchProcess` when it was reaped; `Errno.notPermitted`; `Errno.invalidArgument`.
    static func signal(_ pid: Int32, _ descriptor: Int32?, _ signal: Int32) throws(Errno) {
        if let descriptor {
            let result = curing_pidfd_signal(descriptor, signal)
            if result < 0 { throw Errno(rawValue: -result) }
        } else if kill(pid, signal) < 0 {
            throw Errno(rawValue: errno)
        }
    }

    /// All of the group of which the child is the first, and which has its number as long as it has not been reaped.
    static func signalGroup(_ pid: Int32, _ signal: Int32) throws(Errno) {
        if kill(-pid, signal) < 0 { throw Errno(rawValue: errno) }
    }
}
