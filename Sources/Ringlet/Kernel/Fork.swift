import CUring

/// Whether this is the child of a fork(2).
///
/// A scheduler does not exist there: its threads stayed in the parent, and its ring and descriptors are the
/// parent's. CUring's fork.c cuts the child's copies off, CContext's fork.c the thread that forked; here
/// is what the other rooms ask.
enum Fork {
    /// True in a child, and in its children, when the parent had used the library.
    @inline(__always)
    static var isChild: Bool { curing_is_forked() }

    /// How many forks lie between this process and the one that used the library first.
    @inline(__always)
    static var count: UInt32 { curing_fork_count() }

    /// Makes forks count from here on.
    static func watch() { curing_watch_forks() }

    /// Throws what every call of a child gets that needs a scheduler.
    static func check() throws(SchedulerError) {
        if isChild { throw .forkedChild }
    }
}
