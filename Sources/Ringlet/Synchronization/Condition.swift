import Synchronization

/// A place to wait for a change of what a lock guards.
///
///     try condition.withLock {
///         try condition.wait { !items.isEmpty }
///         use(items.removeFirst())
///     }
///
/// A wait gives up the lock, and has it again when it ends, however it ends: also when it throws. Who was notified and is
/// cancelled in the same turn passes the notification on. Waiters are notified in the order in which they came. Any
/// thread.
public final class Condition: WaitSource {
    private enum Guard {
        case plain(Lock)
        case recursive(RecursiveLock)
    }

    private let lock: Guard
    private let waiters = Mutex(WaitList())

    /// - Parameter lock: What guards the state; several conditions may share it.
    public init(_ lock: Lock = Lock()) { self.lock = .plain(lock) }

    /// - Parameter lock: A wait gives it up however often it is locked, and locks it as often again.
    public init(_ lock: RecursiveLock) { self.lock = .recursive(lock) }

    /// How many wait. O(waiters).
    public var waiting: Int { waiters.withLock { $0.count } }

    // MARK: The lock

    /// Runs `body` with the lock held.
    @available(*, noasync, message: "in a task, await condition.withLock { }")
    @_disfavoredOverload  // else a body that does not wait would choose it in a task, too
    public func withLock<Result>(deadline: Deadline = .never, _ body: () throws -> Result) throws -> Result {
        switch lock {
        case .plain(let lock): try lock.withLock(deadline: deadline, body)
        case .recursive(let lock): try lock.withLock(deadline: deadline, body)
        }
    }

    /// Runs `body` with the lock held.
    public func withLock<Result>(deadline: Deadline = .never, _ body: () async throws -> Result) async throws
        -> Result
    {
        switch lock {
        case .plain(let lock): try await lock.withLock(deadline: deadline, body)
        case .recursive(let lock): try await lock.withLock(deadline: deadline, body)
        }
    }

    // MARK: Waiting

    /// Gives up the lock, waits for a notification, and takes the lock again. In a fiber or on a plain thread.
    ///
    /// - Throws: ``LockError`` when this strand does not hold the lock; `CancellationError` and ``TimeoutError`` when the
    ///   wait ends early, with the lock held. The lock is taken again whatever the deadline and the cancellation say.
    @available(*, noasync, message: "in a task, await condition.wait()")
    public func wait(deadline: Deadline = .never) throws {
        try checkHeld()
        var depth = 0
        let completion = wait("condition.wait()", deadline: deadline) { enqueue($0, &depth) }
        if depth > 0 {
            _ = underlying.wait("condition.wait()", deadline: .never, isShielded: true) {
                underlying.enqueue($0)
            }
            restore(depth)
        }
        try check(completion, deadline)
    }

    /// Gives up the lock, waits for a notification, and takes the lock again. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func wait(deadline: Deadline = .never) async throws {
        try checkHeld()
        var depth = 0
        let completion = await wait(deadline: deadline) { enqueue($0, &depth) }
        if depth > 0 {
            _ = await underlying.wait(deadline: .never, isShielded: true) { underlying.enqueue($0) }
            restore(depth)
        }
        try check(completion, deadline)
    }

    /// Waits until `predicate` is true, which is asked with the lock held, at once and after each notification.
    ///
    /// - Throws: As `wait(deadline:)`, and what `predicate` throws.
    @available(*, noasync, message: "in a task, await condition.wait { }")
    public func wait(deadline: Deadline = .never, until predicate: () throws -> Bool) throws {
        try checkHeld()
        while !(try predicate()) { try wait(deadline: deadline) }
    }

    /// Waits until `predicate` is true, which is asked with the lock held, at once and after each notification.
    ///
    /// - Throws: As `wait(deadline:)`, and what `predicate` throws.
    public func wait(deadline: Deadline = .never, until predicate: () throws -> Bool) async throws {
        try checkHeld()
        while !(try predicate()) { try await wait(deadline: deadline) }
    }

    // MARK: Notifying

    /// Lets the `count` that have waited longest go on, once they get the lock.
    ///
    /// - Throws: ``LockError`` when this strand does not hold the lock.
    public func notify(_ count: Int = 1) throws {
        try checkHeld()
        for _ in 0..<max(0, count) where !wakeNext() { break }
    }

    /// Lets everybody go on who waits, once they get the lock.
    ///
    /// - Throws: ``LockError`` when this strand does not hold the lock.
    public func notifyAll() throws {
        try checkHeld()
        waiters.withLock { $0.popAll() }.wake()
    }

    private func wakeNext() -> Bool {
        guard let next = waiters.withLock({ $0.popFirst() }) else { return false }
        next.wake()
        return true
    }

    // MARK: Inside

    private func enqueue(_ node: WaitNode, _ depth: inout Int) -> Bool {
        waiters.withLock { $0.append(node) }
        // In this order: whoever gets the lock finds this strand waiting.
        depth = giveUp()
        return true
    }

    func withdraw(_ node: WaitNode) -> Bool { waiters.withLock { $0.remove(node) } }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription(WaitDescription.name("condition", self))
    }

    /// With the lock held again.
    private func check(_ completion: Completion, _ deadline: Deadline) throws {
        if completion.isTaken { return }
        if completion.isRefused { _ = wakeNext() }
        throw completion.refusal(deadline)
    }

    private func checkHeld() throws {
        switch lock {
        case .plain(let lock): if !lock.isLocked { throw LockError.notHeld }
        case .recursive(let lock): try lock.checkOwner()
        }
    }

    private var underlying: Lock {
        switch lock {
        case .plain(let lock): lock
        case .recursive(let lock): lock.underlying
        }
    }

    private func giveUp() -> Int {
        do {
            switch lock {
            case .plain(let lock):
                try lock.unlock()
                return 1
            case .recursive(let lock): return try lock.giveUp()
            }
        } catch {
            preconditionFailure("a condition's lock was unlocked by another strand while its holder began to wait")
        }
    }

    private func restore(_ depth: Int) {
        if case .recursive(let lock) = lock { lock.restore(depth: depth) }
    }
}
