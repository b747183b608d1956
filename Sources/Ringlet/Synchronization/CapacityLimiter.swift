import Synchronization

/// A number of tokens that may change, and a list of who holds them.
///
///     let connections = CapacityLimiter(capacity: 10)
///     try connections.withToken { try fetch() }
///     connections.capacity = 20                      // lets ten more go on
///     print(connections.holders)                     // [fiber 7 'fetch', …]
///
/// A token belongs to its holder, by default the fiber, task or thread that takes it: nobody holds two, and nobody else
/// gives it back. Waiters get tokens in the order in which they came. Any thread.
public final class CapacityLimiter: WaitSource {
    /// Who holds a token.
    public struct Holder: Hashable, Sendable, CustomStringConvertible {
        private enum Identity: Hashable { case strand(UInt), name(String) }
        private let identity: Identity
        public let description: String

        public static func == (left: Holder, right: Holder) -> Bool { left.identity == right.identity }
        public func hash(into hasher: inout Hasher) { hasher.combine(identity) }

        /// The fiber, task or plain thread that asks.
        public static var current: Holder {
            let kind =
                AnyFiber.current?.description
                ?? (CurrentThread.isInTask ? Task.name.map { "task '\($0)'" } ?? "a task" : "a thread")
            return Holder(identity: .strand(CurrentThread.strand), description: kind)
        }

        /// Something that is no strand, as a request or a customer.
        public static func named(_ name: String) -> Holder {
            Holder(identity: .name(name), description: name)
        }

        /// As ``CurrentThread/strand``; nil for a name.
        fileprivate var strand: UInt? { if case .strand(let strand) = identity { strand } else { nil } }
    }

    fileprivate struct State: ~Copyable {
        var capacity: Int
        /// Tokens that are out: of holders, and on their way to waiters.
        var taken = 0
        var holders: [Holder] = []
        var waiters = WaitList()
    }

    private let state: Mutex<State>

    /// - Parameter capacity: How many tokens there are; not negative.
    public init(capacity: Int) {
        precondition(capacity >= 0, "a limiter's capacity is not negative")
        state = Mutex(State(capacity: capacity))
    }

    /// How many tokens there are. A larger number lets waiters go on; with a smaller one holders keep what they have,
    /// and none is given out until enough have come back. Not negative.
    public var capacity: Int {
        get { state.withLock { $0.capacity } }
        set {
            precondition(newValue >= 0, "a limiter's capacity is not negative")
            state.withLock { $0.capacity = newValue }
            while let next = state.withLock({ $0.grantNext() }) { next.wake() }
        }
    }

    /// Tokens that may be taken now; 0 as long as more are out than there are.
    public var available: Int { state.withLock { max(0, $0.capacity - $0.taken) } }

    /// Who holds a token, in the order in which they got it. O(holders).
    public var holders: [Holder] { state.withLock { $0.holders } }

    /// How many wait. O(waiters).
    public var waiting: Int { state.withLock { $0.waiters.count } }

    /// Takes a token if one is free. Never waits.
    ///
    /// - Throws: ``CapacityLimiterError/alreadyHolds(_:)``.
    public func tryAcquire(as holder: Holder = .current) throws -> Bool {
        try state.withLock { try $0.take(as: holder) }
    }

    /// Takes a token, and waits for one. In a fiber or on a plain thread.
    ///
    /// - Throws: ``CapacityLimiterError/alreadyHolds(_:)``; `CancellationError` and ``TimeoutError`` when the wait ends
    ///   early.
    @available(*, noasync, message: "in a task, await limiter.acquire()")
    public func acquire(as holder: Holder = .current, deadline: Deadline = .never) throws {
        if try tryAcquire(as: holder) { return }
        let completion = wait("limiter.acquire()", deadline: deadline) { enqueue($0) }
        try enter(holder, completion, deadline)
    }

    /// Takes a token, and waits for one. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func acquire(as holder: Holder = .current, deadline: Deadline = .never) async throws {
        if try tryAcquire(as: holder) { return }
        let completion = await wait(deadline: deadline) { enqueue($0) }
        try enter(holder, completion, deadline)
    }

    /// Gives back the token of `holder`.
    ///
    /// - Throws: ``CapacityLimiterError/doesNotHold(_:)``.
    public func release(as holder: Holder = .current) throws {
        let next: Wakeup? = try state.withLock { state in
            guard let place = state.holders.firstIndex(of: holder) else {
                throw CapacityLimiterError.doesNotHold(holder)
            }
            state.holders.remove(at: place)
            state.taken -= 1
            return state.grantNext()
        }
        next?.wake()
    }

    /// Runs `body` with a token.
    @available(*, noasync, message: "in a task, await limiter.withToken { }")
    @_disfavoredOverload  // else a body that does not wait would choose it in a task, too
    @inlinable
    public func withToken<Result>(
        as holder: Holder = .current, deadline: Deadline = .never, _ body: () throws -> Result
    ) throws -> Result {
        try acquire(as: holder, deadline: deadline)
        return try holding(body) { try release(as: holder) }
    }

    /// Runs `body` with a token.
    @inlinable
    public func withToken<Result>(
        as holder: Holder = .current, deadline: Deadline = .never, _ body: () async throws -> Result
    ) async throws -> Result {
        try await acquire(as: holder, deadline: deadline)
        return try await holding(body) { try release(as: holder) }
    }

    // MARK: Inside

    /// Queues the node. False when a token was free: it is out for the caller now.
    private func enqueue(_ node: WaitNode) -> Bool {
        state.withLock { state in
            if state.taken < state.capacity {
                state.taken += 1
                return false
            }
            state.waiters.append(node)
            return true
        }
    }

    func withdraw(_ node: WaitNode) -> Bool { state.withLock { $0.waiters.remove(node) } }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        let holders = holders.map { WaitHolder(strand: $0.strand, description: $0.description) }
        return WaitDescription("a token of \(WaitDescription.name("limiter", self))", holders: holders)
    }

    /// A token that is out for `holder`, if the wait was for one; and if the holder has none by now, from another
    /// strand that asked for it under the same name.
    private func enter(_ holder: Holder, _ completion: Completion, _ deadline: Deadline) throws {
        guard completion.result >= 0 else { throw completion.refusal(deadline) }
        var isDouble = false
        let next: Wakeup? = state.withLock { state in
            isDouble = state.holders.contains(holder)
            if completion.isTaken && !isDouble {
                state.holders.append(holder)
                return nil
            }
            state.taken -= 1
            return state.grantNext()
        }
        next?.wake()
        if completion.isRefused { throw completion.refusal(deadline) }
        if isDouble { throw CapacityLimiterError.alreadyHolds(holder) }
    }
}

extension CapacityLimiter.State {
    fileprivate mutating func take(as holder: CapacityLimiter.Holder) throws -> Bool {
        if holders.contains(holder) { throw CapacityLimiterError.alreadyHolds(holder) }
        // Nobody waits while a token is free.
        guard taken < capacity else { return false }
        taken += 1
        holders.append(holder)
        return true
    }

    /// A token for who has waited longest, if one is free.
    fileprivate mutating func grantNext() -> Wakeup? {
        guard taken < capacity, let next = waiters.popFirst() else { return nil }
        taken += 1
        return next
    }
}

/// A limiter was used against its rules.
public enum CapacityLimiterError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The holder has a token and asked for another one.
    case alreadyHolds(CapacityLimiter.Holder)
    /// The holder has no token to give back.
    case doesNotHold(CapacityLimiter.Holder)

    public var description: String {
        switch self {
        case .alreadyHolds(let holder): "\(holder) holds a token of the limiter already"
        case .doesNotHold(let holder): "\(holder) holds no token of the limiter"
        }
    }
}
