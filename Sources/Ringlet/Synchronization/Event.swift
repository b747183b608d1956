import Synchronization

/// Something that has happened or has not, for any number of waiters.
///
/// Setting it wakes everybody who waits at that moment, in the order in which they came, even if it is cleared at once. Who
/// finds it set does not wait. Any thread.
public final class Event: WaitSource {
    /// Written under the lock of `waiters`; read by anyone. What was written before the event is visible to who reads
    /// true.
    private let flag = Atomic<Bool>(false)
    private let waiters = Mutex(WaitList())

    public init() {}

    /// True from ``set()`` to ``clear()``.
    public var isSet: Bool { flag.load(ordering: .acquiring) }

    /// How many wait. O(waiters).
    public var waiting: Int { waiters.withLock { $0.count } }

    /// Lets everybody go on who waits, and who comes until ``clear()``. Does nothing the second time.
    public func set() {
        let all = waiters.withLock { waiters in
            flag.store(true, ordering: .releasing)
            return waiters.popAll()
        }
        all.wake()
    }

    /// From now on waits wait. Those that were woken before go on.
    public func clear() {
        waiters.withLock { _ in flag.store(false, ordering: .relaxed) }
    }

    /// Waits until the event is set. In a fiber or on a plain thread.
    ///
    /// - Throws: `CancellationError` and ``TimeoutError`` when the wait ends early. An event that was set in the same
    ///   turn is told: there is nothing to lose.
    @available(*, noasync, message: "in a task, await event.wait()")
    public func wait(deadline: Deadline = .never) throws {
        if isSet { return }
        try wait("event.wait()", deadline: deadline) { enqueue($0) }.orThrow(deadline)
    }

    /// Waits until the event is set. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func wait(deadline: Deadline = .never) async throws {
        if isSet { return }
        try await wait(deadline: deadline) { enqueue($0) }.orThrow(deadline)
    }

    /// Queues the node. False when the event is set.
    func enqueue(_ node: WaitNode) -> Bool {
        waiters.withLock { waiters in
            if flag.load(ordering: .relaxed) { return false }
            waiters.append(node)
            return true
        }
    }

    func withdraw(_ node: WaitNode) -> Bool { waiters.withLock { $0.remove(node) } }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription(WaitDescription.name("event", self))
    }
}
