/// A number of permits, which fibers, tasks and plain threads take and give back.
///
/// Waiters get a permit in the order in which they came: it is handed over, and who arrives later cannot overtake. A permit
/// has no owner; more may be given back than were taken. See ``BoundedSemaphore`` for one that refuses that. Uncontended,
/// each way is one compare-and-exchange. Any thread.
public final class Semaphore: Sendable {
    private let permits: Permits

    /// - Parameter permits: How many there are to begin with; not negative.
    public init(_ permits: Int) {
        precondition(permits >= 0, "a semaphore begins with a number of permits that is not negative")
        self.permits = Permits(permits, bound: .max)
    }

    /// Permits that are free now. Another thread may change it at any time.
    public var available: Int { permits.available }

    /// How many wait. O(waiters).
    public var waiting: Int { permits.waiting }

    /// Takes a permit if one is free. Never waits.
    public func tryAcquire() -> Bool { permits.tryTake() }

    /// Takes a permit, and waits for one. In a fiber or on a plain thread.
    ///
    /// - Throws: `CancellationError` and ``TimeoutError`` when the wait ends early; no permit was taken then.
    @available(*, noasync, message: "in a task, await semaphore.acquire()")
    public func acquire(deadline: Deadline = .never) throws {
        if permits.tryTake() { return }
        try permits.waitForOne("semaphore.acquire()", deadline: deadline)
    }

    /// Takes a permit, and waits for one. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func acquire(deadline: Deadline = .never) async throws {
        if permits.tryTake() { return }
        try await permits.waitForOne(deadline: deadline)
    }

    /// Gives a permit to who has waited longest, or adds it to the free ones.
    public func release() { _ = permits.giveBack() }

    /// Runs `body` with a permit.
    @available(*, noasync, message: "in a task, await semaphore.withPermit { }")
    @_disfavoredOverload  // else a body that does not wait would choose it in a task, too
    @inlinable
    public func withPermit<Result>(deadline: Deadline = .never, _ body: () throws -> Result) throws -> Result {
        try acquire(deadline: deadline)
        defer { release() }
        return try body()
    }

    /// Runs `body` with a permit.
    @inlinable
    public func withPermit<Result>(deadline: Deadline = .never, _ body: () async throws -> Result) async throws
        -> Result
    {
        try await acquire(deadline: deadline)
        defer { release() }
        return try await body()
    }
}

/// A ``Semaphore`` that refuses a permit more than it began with: so a release without an acquire shows.
public final class BoundedSemaphore: Sendable {
    private let permits: Permits

    /// - Parameter permits: How many there are, and ever will be; not negative.
    public init(_ permits: Int) {
        precondition(permits >= 0, "a semaphore begins with a number of permits that is not negative")
        self.permits = Permits(permits, bound: permits)
    }

    /// The number of permits, free or taken.
    public var bound: Int { permits.bound }

    /// Permits that are free now. Another thread may change it at any time.
    public var available: Int { permits.available }

    /// How many wait. O(waiters).
    public var waiting: Int { permits.waiting }

    /// Takes a permit if one is free. Never waits.
    public func tryAcquire() -> Bool { permits.tryTake() }

    /// Takes a permit, and waits for one. In a fiber or on a plain thread.
    ///
    /// - Throws: `CancellationError` and ``TimeoutError`` when the wait ends early; no permit was taken then.
    @available(*, noasync, message: "in a task, await semaphore.acquire()")
    public func acquire(deadline: Deadline = .never) throws {
        if permits.tryTake() { return }
        try permits.waitForOne("semaphore.acquire()", deadline: deadline)
    }

    /// Takes a permit, and waits for one. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func acquire(deadline: Deadline = .never) async throws {
        if permits.tryTake() { return }
        try await permits.waitForOne(deadline: deadline)
    }

    /// Gives a permit to who has waited longest, or adds it to the free ones.
    ///
    /// - Throws: ``SemaphoreError/released(beyond:)`` when all permits are free already.
    public func release() throws {
        if !permits.giveBack() { throw SemaphoreError.released(beyond: bound) }
    }

    /// Runs `body` with a permit.
    @available(*, noasync, message: "in a task, await semaphore.withPermit { }")
    @_disfavoredOverload  // else a body that does not wait would choose it in a task, too
    @inlinable
    public func withPermit<Result>(deadline: Deadline = .never, _ body: () throws -> Result) throws -> Result {
        try acquire(deadline: deadline)
        return try holding(body) { try release() }
    }

    /// Runs `body` with a permit.
    @inlinable
    public func withPermit<Result>(deadline: Deadline = .never, _ body: () async throws -> Result) async throws
        -> Result
    {
        try await acquire(deadline: deadline)
        return try await holding(body) { try release() }
    }
}

/// A bounded semaphore was given back more than it had.
public enum SemaphoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// All permits, whose number is given, are free already.
    case released(beyond: Int)

    public var description: String {
        switch self {
        case .released(let bound): "the semaphore was released beyond its bound of \(bound)"
        }
    }
}
