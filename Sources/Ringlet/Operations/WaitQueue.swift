import Synchronization

/// Waiters for one event that happens once. Any thread.
struct WaitQueue: ~Copyable, Sendable {
    private let waiters = Mutex(WaitList())

    /// Written once, under the lock; read by anyone. What was written before the event is visible to who reads
    /// true.
    private let completed = Atomic<Bool>(false)

    /// True once the event has happened. Cheap: a scheduler's main body is asked in every turn.
    @inline(__always)
    var isComplete: Bool { completed.load(ordering: .acquiring) }

    /// How many wait. O(waiters).
    var waiting: Int { waiters.withLock { $0.count } }

    /// Queues the node. False when the event has happened already: there is nothing to wait for.
    func add(_ node: WaitNode) -> Bool {
        waiters.withLock { waiters in
            if completed.load(ordering: .relaxed) { return false }
            waiters.append(node)
            return true
        }
    }

    /// Takes the node back. False when it is not queued any more.
    func withdraw(_ node: WaitNode) -> Bool {
        waiters.withLock { $0.remove(node) }
    }

    /// The event: wakes every waiter with `completion`, in the order in which they came.
    func complete(_ completion: Completion = Completion(0)) {
        let all = waiters.withLock { waiters in
            completed.store(true, ordering: .releasing)
            return waiters.popAll()
        }
        all.wake(completion)
    }
}
