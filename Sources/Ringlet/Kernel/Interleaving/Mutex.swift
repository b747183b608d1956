#if DEBUG
    import Synchronization

    /// The toolchain's `Mutex`, of which taking and giving back are steps that a test can put in order
    /// (``InterleavedThread``). In a debug build it stands in the place of that one, under its name.
    struct Mutex<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
        private let mutex: Synchronization.Mutex<Value>

        /// An ordered thread holds it: the others sleep until it does not, since all of them are one thread of the system's.
        private let isHeld = Synchronization.Atomic<Bool>(false)

        init(_ value: consuming sending Value) { mutex = Synchronization.Mutex(value) }

        borrowing func withLock<Result: ~Copyable, Failure: Error>(
            _ body: (inout sending Value) throws(Failure) -> sending Result
        ) throws(Failure) -> sending Result {
            guard let thread = Interleaving.current else { return try mutex.withLock(body) }
            take(by: thread)
            defer { isHeld.store(false, ordering: .relaxed) }
            return try mutex.withLock(body)
        }

        borrowing func withLockIfAvailable<Result: ~Copyable, Failure: Error>(
            _ body: (inout sending Value) throws(Failure) -> sending Result
        ) throws(Failure) -> sending Result? {
            guard let thread = Interleaving.current else { return try mutex.withLockIfAvailable(body) }
            thread.step()
            if isHeld.load(ordering: .relaxed) { return nil }
            isHeld.store(true, ordering: .relaxed)
            defer { isHeld.store(false, ordering: .relaxed) }
            return try mutex.withLock(body)
        }

        private borrowing func take(by thread: any InterleavedThread) {
            thread.step()
            _ = thread.sleep(mayTimeOut: false) { !isHeld.load(ordering: .relaxed) }
            isHeld.store(true, ordering: .relaxed)
        }
    }

    extension Mutex where Value == Void {
        borrowing func _unsafeLock() {
            if let thread = Interleaving.current { take(by: thread) }
            mutex._unsafeLock()
        }

        borrowing func _unsafeUnlock() {
            mutex._unsafeUnlock()
            isHeld.store(false, ordering: .relaxed)
        }
    }
#endif
