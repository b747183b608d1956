#if DEBUG
    import Glibc

    /// One of several threads whose steps a test puts in order, so that it can try every order of them.
    ///
    /// The library's atomics, mutexes and sleeps of plain threads ask before each step whether their thread is one of
    /// those; in a debug build only. So what is tried in every order is the code itself, and not a model of it, as eio does
    /// it with dscheck's atomics (`lib_eio/tests/dscheck`). `Interleaver` of the tests is what orders.
    protocol InterleavedThread: AnyObject {
        /// Before the thread reads or writes what others share.
        func step()

        /// Returns when `condition` holds, which is no step; false when the wait ended before, as at a deadline.
        func sleep(mayTimeOut: Bool, until condition: () -> Bool) -> Bool
    }

    /// Where the calling thread says that it is one of those.
    @safe
    enum Interleaving {
        private static let key: pthread_key_t = {
            var key = pthread_key_t()
            unsafe pthread_key_create(&key, nil)
            return key
        }()

        @safe
        private final class Box {
            let thread: any InterleavedThread
            init(_ thread: any InterleavedThread) { self.thread = thread }
        }

        /// Nil on a thread that nobody orders.
        static var current: (any InterleavedThread)? {
            guard let box = unsafe pthread_getspecific(key) else { return nil }
            return unsafe Unmanaged<Box>.fromOpaque(box).takeUnretainedValue().thread
        }

        /// The access that follows is the thread's next step.
        static func step() { current?.step() }

        /// Runs `body` with the calling thread ordered by `thread`.
        static func ordering(_ thread: any InterleavedThread, _ body: () throws -> Void) rethrows {
            let box = Box(thread)
            unsafe pthread_setspecific(key, Unmanaged.passUnretained(box).toOpaque())
            defer { pthread_setspecific(key, nil) }
            try withExtendedLifetime(box) { try body() }
        }
    }
#endif
