import Synchronization

/// A bounded number of fibers at once.
///
///     let pool = try FiberPool(capacity: 10)
///     for url in urls { try pool.spawn { try fetch(url) } }     // waits while ten are under way
///     try pool.join()
///
///     let pages = try pool.map(urls) { try fetch($0) }          // the same, with the results in order
///
/// Places are given in the order in which they were asked for, to fibers, tasks and plain threads alike. A fiber leaves
/// its place when it ends, however it ends. All members may be used from any thread. Dropping the pool stops
/// nothing.
public final class FiberPool: Sendable {
    /// How many fibers there may be at once.
    public let capacity: Int

    private let scheduler: Scheduler?
    let places: Places

    private struct State {
        var members: [UInt64: AnyFiber] = [:]
        /// Happens when the last member has ended; made by who waits for that.
        var emptied: Occurrence?
    }

    private let state = Mutex(State())

    /// Makes a pool.
    ///
    /// - Parameters:
    ///   - capacity: How many fibers there may be at once.
    ///   - scheduler: Runs the fibers. Nil: each runs where it is spawned, as `Fiber { }` does.
    /// - Throws: ``FiberPoolError/invalidCapacity(_:)`` below 1.
    public init(capacity: Int, on scheduler: Scheduler? = nil) throws(FiberPoolError) {
        guard capacity >= 1 else { throw .invalidCapacity(capacity) }
        self.capacity = capacity
        self.scheduler = scheduler
        places = Places(capacity, "a place in fiber pool")
    }

    // MARK: Spawning

    /// Waits for a place and starts a fiber in it.
    ///
    /// Called in a fiber it suspends the fiber, on a plain thread it blocks the thread. In a task use `try await`.
    ///
    /// - Throws: `CancellationError` and ``TimeoutError`` when there was no place; nothing was started then. A
    ///   fiber that waits for a place in the pool that it is in itself can wait for ever: see `apply`.
    @available(*, noasync, message: "in a task, await spawn(name:deadline:operation:)")
    @discardableResult
    public func spawn<Success>(
        name: String? = nil, locals: InitialLocals = .copied, deadline: Deadline = .never,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () throws -> Success
    ) throws -> Fiber<Success> {
        if !places.tryTake() { try places.take("FiberPool.spawn", deadline: deadline) }
        return start(name, PackedSite(fileID, line), locals, operation: operation)
    }

    /// Waits for a place and starts a fiber in it.
    ///
    /// As the synchronous form.
    @discardableResult
    public func spawn<Success>(
        name: String? = nil, locals: InitialLocals = .copied, deadline: Deadline = .never,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () throws -> Success
    ) async throws -> Fiber<Success> {
        if !places.tryTake() { try await places.take(deadline: deadline) }
        return start(name, PackedSite(fileID, line), locals, operation: operation)
    }

    /// Starts a fiber if there is a place. Nil when there is none. Never waits.
    public func trySpawn<Success>(
        name: String? = nil, locals: InitialLocals = .copied, fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () throws -> Success
    ) -> Fiber<Success>? {
        places.tryTake() ? start(name, PackedSite(fileID, line), locals, operation: operation) : nil
    }

    /// Starts a fiber in a place that was taken.
    func start<Success>(
        _ name: String? = nil, _ site: PackedSite = .none, _ locals: InitialLocals = .copied,
        operation: sending @escaping () throws -> Success
    ) -> Fiber<Success> {
        let membership = Membership(of: self)
        let fiber = makeAnywhere(name, site) {
            try Membership.$current.withValue([membership] + Membership.running) { try operation() }
        }
        // Before it begins: it may ask whether it is a member.
        state.withLock { $0.members[fiber.id] = fiber }
        fiber.start(StartTerms(nil, locals))
        fiber.whenEnded { [self] in
            membership.ends()
            leaves(fiber)
        }
        return fiber
    }

    private func makeAnywhere<Success>(
        _ name: String?, _ site: PackedSite, operation: sending @escaping () throws -> Success
    ) -> Fiber<Success> {
        Fiber(name: name, on: scheduler?.placement ?? .ofMaker, site: site, operation: operation)
    }

    /// Starts a fiber where the pool's run, outside the places.
    func spawnAnywhere<Success>(
        _ name: String? = nil, _ site: PackedSite = .none, _ locals: InitialLocals = .copied,
        operation: sending @escaping () throws -> Success
    ) -> Fiber<Success> {
        let fiber = makeAnywhere(name, site, operation: operation)
        fiber.start(StartTerms(nil, locals))
        return fiber
    }

    /// Waits for a place, for what the current code has computed. False when none is free and a fiber of the pool may wait
    /// for the current code: then it is computed in that one's place.
    func takePlace() throws -> Bool {
        // Asked once: that fiber may end at any time.
        if Membership.isIn(self) { return places.tryTake() }
        try places.take("FiberPool.map", deadline: .never)
        return true
    }

    private func leaves(_ fiber: AnyFiber) {
        let emptied: Occurrence? = state.withLock { state in
            state.members[fiber.id] = nil
            if !state.members.isEmpty { return nil }
            defer { state.emptied = nil }
            return state.emptied
        }
        places.give()
        emptied?.happen()
    }

    // MARK: Figures

    /// How many fibers could be started at once without waiting.
    public var freeCount: Int { places.free }

    /// The fibers that have not ended, in the order in which they were made.
    public var fibers: [AnyFiber] {
        state.withLock { Array($0.members.values) }.sorted { $0.id < $1.id }
    }

    // MARK: Waiting

    /// Waits until there is a place, after those who asked before. It may be taken by the time it is asked for.
    ///
    /// - Throws: `CancellationError`; ``TimeoutError``.
    @available(*, noasync, message: "in a task, await waitUntilAvailable(deadline:)")
    public func waitUntilAvailable(deadline: Deadline = .never) throws {
        if freeCount > 0 { return }
        try places.take("FiberPool.waitUntilAvailable", deadline: deadline)
        places.give()
    }

    /// Waits until there is a place, after those who asked before. It may be taken by the time it is asked for.
    ///
    /// - Throws: `CancellationError`; ``TimeoutError``.
    public func waitUntilAvailable(deadline: Deadline = .never) async throws {
        if freeCount > 0 { return }
        try await places.take(deadline: deadline)
        places.give()
    }

    /// Waits until no fiber is left, also of those that are spawned meanwhile. Their errors stay with them.
    ///
    /// Called in a fiber it suspends the fiber, on a plain thread it blocks the thread. In a task use `try await`.
    ///
    /// - Throws: `CancellationError`; ``TimeoutError``; `Errno.deadlock` in a fiber of the pool.
    @available(*, noasync, message: "in a task, await join(deadline:)")
    public func join(deadline: Deadline = .never) throws {
        if isCurrentMember { throw Self.deadlock }
        guard let emptied = emptied() else { return }
        try emptied.wait("FiberPool.join", deadline: deadline).orThrow(deadline)
    }

    /// Waits until no fiber is left, also of those that are spawned meanwhile. Their errors stay with them.
    ///
    /// As the synchronous form.
    public func join(deadline: Deadline = .never) async throws {
        guard let emptied = emptied() else { return }
        try await emptied.wait(deadline: deadline).orThrow(deadline)
    }

    private var isCurrentMember: Bool {
        guard let fiber = AnyFiber.current else { return false }
        return state.withLock { $0.members[fiber.id] != nil }
    }

    private func emptied() -> Occurrence? {
        state.withLock { state in
            if state.members.isEmpty { return nil }
            let event = state.emptied ?? Occurrence("the fibers of a pool to end")
            state.emptied = event
            return event
        }
    }

    /// Cancels every fiber that has not ended. Returns at once; `join` waits for the ends.
    public func cancelAll() {
        for fiber in fibers { fiber.cancel() }
    }
}

extension AnyFiber {
    /// Has `body` called on whatever thread the end comes from, or at once when it has come. It must not wait.
    func whenEnded(_ body: @escaping @Sendable () -> Void) {
        if !end.add(WaitNode(.callback { _ in body() }, in: self)) { body() }
    }

    /// From a task, whatever happens to the task.
    func waitForEndShielded() async {
        _ = await wait(deadline: .never, isShielded: true) { end.add($0) }
    }
}

/// That the current code belongs to a fiber of a pool: bound in the fiber, and inherited by what it starts.
final class Membership: Sendable {
    @TaskLocal static var current: [Membership] = []

    /// Without those that have ended.
    static var running: [Membership] { current.filter { !$0.ended.load(ordering: .relaxed) } }

    private let pool: ObjectIdentifier
    // Written when the fiber has ended, read by what has inherited this.
    private let ended = Atomic<Bool>(false)

    init(of pool: FiberPool) { self.pool = ObjectIdentifier(pool) }

    func ends() { ended.store(true, ordering: .relaxed) }

    /// Whether a fiber of `pool` may wait for the current code.
    static func isIn(_ pool: FiberPool) -> Bool {
        running.contains { $0.pool == ObjectIdentifier(pool) }
    }
}
