import Synchronization

/// A ``Lock`` that its holder may take again: owned by the fiber, task or plain thread that locked it.
///
/// Code that a fiber awaits in place is part of the fiber. A child task is a strand of its own; a `Task.immediate` that a
/// fiber makes is one after its first `await` only. A strand unlocks as often as it has locked, and before it ends. Any
/// thread.
public final class RecursiveLock: Sendable {
    private let inner = Lock()

    /// How often the holder has locked. Of the holder alone.
    private let depth = Atomic<Int>(0)

    public init() {}

    /// True when this strand holds the lock.
    public var isOwned: Bool { inner.owner.load(ordering: .relaxed) == CurrentThread.strand }

    /// True while anybody holds the lock.
    public var isLocked: Bool { inner.isLocked }

    /// How many wait. O(waiters).
    public var waiting: Int { inner.waiting }

    /// Takes the lock if it is free or held by this strand. Never waits.
    public func tryLock() -> Bool {
        if isOwned {
            depth.add(1, ordering: .relaxed)
            return true
        }
        guard inner.tryLock() else { return false }
        restore(depth: 1)
        return true
    }

    /// Takes the lock, and waits as long as another strand holds it. In a fiber or on a plain thread.
    ///
    /// - Throws: `CancellationError` and ``TimeoutError`` when the wait ends early.
    @available(*, noasync, message: "in a task, await lock.lock()")
    public func lock(deadline: Deadline = .never) throws {
        if tryLock() { return }
        try inner.lock(deadline: deadline)
        restore(depth: 1)
    }

    /// Takes the lock, and waits as long as another strand holds it. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func lock(deadline: Deadline = .never) async throws {
        if tryLock() { return }
        try await inner.lock(deadline: deadline)
        restore(depth: 1)
    }

    /// Takes back one `lock`; with the last one the lock goes to who has waited longest.
    ///
    /// - Throws: ``LockError/notHeld``; ``LockError/notOwner`` when another strand holds it, which it goes on to do.
    public func unlock() throws {
        try checkOwner()
        if depth.subtract(1, ordering: .relaxed).newValue == 0 {
            inner.owner.store(0, ordering: .relaxed)
            try inner.unlock()
        }
    }

    /// Runs `body` with the lock held.
    @available(*, noasync, message: "in a task, await lock.withLock { }")
    @_disfavoredOverload  // else a body that does not wait would choose it in a task, too
    @inlinable
    public func withLock<Result>(deadline: Deadline = .never, _ body: () throws -> Result) throws -> Result {
        try lock(deadline: deadline)
        return try holding(body) { try unlock() }
    }

    /// Runs `body` with the lock held.
    @inlinable
    public func withLock<Result>(deadline: Deadline = .never, _ body: () async throws -> Result) async throws
        -> Result
    {
        try await lock(deadline: deadline)
        return try await holding(body) { try unlock() }
    }

    // MARK: For conditions

    func checkOwner() throws {
        let holder = inner.owner.load(ordering: .relaxed)
        if holder == CurrentThread.strand { return }
        throw holder == 0 ? LockError.notHeld : LockError.notOwner
    }

    /// Unlocks, however often it was locked.
    ///
    /// - Returns: How often that was.
    func giveUp() throws -> Int {
        try checkOwner()
        inner.owner.store(0, ordering: .relaxed)
        let given = depth.exchange(0, ordering: .relaxed)
        try inner.unlock()
        return given
    }

    /// After ``underlying`` was locked.
    func restore(depth times: Int) {
        inner.owner.store(CurrentThread.strand, ordering: .relaxed)
        depth.store(times, ordering: .relaxed)
    }

    var underlying: Lock { inner }
}
