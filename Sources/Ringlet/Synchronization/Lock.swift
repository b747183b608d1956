import Synchronization

/// Mutual exclusion among fibers, tasks and plain threads, on any worker and scheduler.
///
///     let lock = Lock()
///     try lock.withLock { balance -= amount }             // in a fiber or on a plain thread
///     try await lock.withLock { try await withdraw() }    // in a task
///
/// Waiters get the lock in the order in which they came: it is handed over to the one that has waited longest, and who
/// arrives later cannot overtake. The lock has no owner: any strand may unlock it. For an owned one see ``RecursiveLock``;
/// for a section that never waits, the toolchain's `Mutex` is enough.
///
/// Uncontended, locking and unlocking is one compare-and-exchange each. Any thread.
public final class Lock: WaitSource {
    /// Written by any thread, by compare-and-exchange; to and from `contended` only under the lock of `waiters`.
    private let state = Atomic<UInt8>(Lock.free)
    private static let free: UInt8 = 0
    private static let held: UInt8 = 1
    /// Held, and `waiters` is not empty.
    private static let contended: UInt8 = 2

    private let waiters = Mutex(WaitList())

    /// The strand that holds a ``RecursiveLock``, which this is the inside of; 0 when there is none. Written by the holder;
    /// others find that it is not theirs.
    let owner = Atomic<UInt>(0)

    public init() {}

    /// True while anybody holds the lock. Another thread may change it at any time.
    public var isLocked: Bool { state.load(ordering: .relaxed) != Self.free }

    /// How many wait. O(waiters).
    public var waiting: Int { waiters.withLock { $0.count } }

    /// Takes the lock if it is free.
    ///
    /// - Returns: False when somebody holds it. Never waits.
    @inline(__always)
    public func tryLock() -> Bool {
        state.compareExchange(expected: Self.free, desired: Self.held, ordering: .acquiring).exchanged
    }

    /// Takes the lock, and waits as long as another strand holds it. In a fiber or on a plain thread.
    ///
    /// - Throws: `CancellationError` and ``TimeoutError`` when the wait ends early; the lock is not held then.
    @available(*, noasync, message: "in a task, await lock.lock()")
    public func lock(deadline: Deadline = .never) throws {
        if tryLock() { return }
        try take(wait("lock.lock()", deadline: deadline) { enqueue($0) }, deadline)
    }

    /// Takes the lock, and waits as long as another strand holds it. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func lock(deadline: Deadline = .never) async throws {
        if tryLock() { return }
        try take(await wait(deadline: deadline) { enqueue($0) }, deadline)
    }

    /// Gives the lock to who has waited longest, or frees it.
    ///
    /// - Throws: ``LockError/notHeld``.
    @inline(__always)
    public func unlock() throws {
        if state.compareExchange(expected: Self.held, desired: Self.free, ordering: .releasing).exchanged {
            return
        }
        try handOver()
    }

    /// Runs `body` with the lock held.
    ///
    /// - Throws: As `lock(deadline:)`, and what `body` throws.
    @available(*, noasync, message: "in a task, await lock.withLock { }")
    @_disfavoredOverload  // else a body that does not wait would choose it in a task, too
    @inlinable
    public func withLock<Result>(deadline: Deadline = .never, _ body: () throws -> Result) throws -> Result {
        try lock(deadline: deadline)
        return try holding(body) { try unlock() }
    }

    /// Runs `body` with the lock held.
    ///
    /// - Throws: As `lock(deadline:)`, and what `body` throws.
    @inlinable
    public func withLock<Result>(deadline: Deadline = .never, _ body: () async throws -> Result) async throws
        -> Result
    {
        try await lock(deadline: deadline)
        return try await holding(body) { try unlock() }
    }

    // MARK: Waiting

    /// Queues the node. False when the lock was free: it is the caller's now.
    func enqueue(_ node: WaitNode) -> Bool {
        waiters.withLock { waiters in
            while true {
                if tryLock() { return false }
                let (marked, found) = state.compareExchange(
                    expected: Self.held, desired: Self.contended, ordering: .relaxed)
                if marked || found == Self.contended {
                    waiters.append(node)
                    return true
                }
            }
        }
    }

    @inline(never)
    private func handOver() throws {
        let wakeup: Wakeup? = try waiters.withLock { waiters in
            if state.load(ordering: .relaxed) == Self.free { throw LockError.notHeld }
            guard let next = waiters.popFirst() else {
                state.store(Self.free, ordering: .releasing)
                return nil
            }
            if waiters.isEmpty { state.store(Self.held, ordering: .relaxed) }
            return next
        }
        wakeup?.wake()
    }

    func withdraw(_ node: WaitNode) -> Bool {
        waiters.withLock { waiters in
            guard waiters.remove(node) else { return false }
            if waiters.isEmpty { state.store(Self.held, ordering: .relaxed) }
            return true
        }
    }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        let owner = owner.load(ordering: .relaxed)
        if owner == 0 { return WaitDescription(WaitDescription.name("lock", self)) }
        return WaitDescription(
            WaitDescription.name("recursive lock", self),
            holders: [WaitHolder(strand: owner, description: "a task or thread")])
    }

    /// The lock that came in the turn in which its waiter was cancelled goes on to the next one.
    private func take(_ completion: Completion, _ deadline: Deadline) throws {
        if completion.isTaken { return }
        if completion.isRefused { try unlock() }
        throw completion.refusal(deadline)
    }
}

/// A lock was used against its rules.
public enum LockError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `unlock`, or a wait or notification of a ``Condition``, without the lock.
    case notHeld
    /// A ``RecursiveLock`` was unlocked by a strand other than the one that holds it.
    case notOwner

    public var description: String {
        switch self {
        case .notHeld: "the lock is not held"
        case .notOwner: "the recursive lock is held by another fiber, task or thread"
        }
    }
}
