import Synchronization

/// What a thread asks a worker for: given in one of the worker's turns, perhaps when nobody waits any more.
package final class WorkerAnswer<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let given = ThreadParker()

    package init() {}

    deinit { given.deallocate() }

    /// The worker's thread, once.
    package func give(_ answer: Value) {
        value.withLock { $0 = answer }
        given.unpark()
    }

    /// Blocks the thread that asked. Nil when the worker did not come round in time.
    package func wait(until deadline: Deadline) -> Value? {
        _ = given.park(until: deadline.nanoseconds)
        return value.withLock { $0 }
    }
}
