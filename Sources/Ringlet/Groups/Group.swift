import Synchronization

/// Fibers and tasks that end before the block that opened the group does: trio's nursery, asyncio's `TaskGroup`.
///
///     try withGroup { group in
///         try group.spawn { try serve(left) }                 // a fiber
///         try group.spawn { try await serve(right) }          // a task
///     }                                                       // here both have ended
///
/// The block is left when its body and all children have ended, those included that children start meanwhile. When the
/// body or a child fails, the others are cancelled, and the block throws a ``GroupError`` with all errors. When the one
/// who opened the group is cancelled, or a scope that it was opened in, so are the children, at once. A child that is
/// cancelled by itself is no failure.
///
/// The handle may be given to children and other threads. Starting a child is O(1), and so is its end, however many
/// there are.
public final class Group: Sendable {
    private enum Place {
        case free
        /// Of a task that is being made.
        case reserved
        /// The task has ended before its maker had it. The place is free when the maker comes.
        case endedEarly
        case taken(any GroupChild)

        var child: (any GroupChild)? {
            if case .taken(let child) = self { child } else { nil }
        }
    }

    private struct State {
        var places: [Place] = []
        var freePlaces: [Int32] = []
        var live = 0
        var errors: [any Error] = []
        var isCancelled = false
        var bodyHasEnded = false

        var hasEnded: Bool { bodyHasEnded && live == 0 }

        mutating func free(_ place: Int32) {
            places[Int(place)] = .free
            freePlaces.append(place)
        }

        /// Keeps an error that is no cancellation. True for the first.
        mutating func note(_ error: (any Error)?) -> Bool {
            guard let error, !(error is CancellationError) else { return false }
            errors.append(error)
            return errors.count == 1
        }
    }

    private let state = Mutex(State())
    private let end = WaitQueue()

    /// The scope of the body.
    let scope = CancelScope()

    /// Runs children that are started elsewhere than on a worker.
    let worker: Worker

    init(on worker: Worker) {
        self.worker = worker
    }

    // MARK: For its users

    /// How many children have not ended. Any thread.
    public var count: Int { state.withLock { $0.live } }

    /// The children that are fibers and have not ended, in no particular order. Any thread; O(children).
    public var fibers: [AnyFiber] { state.withLock { $0.places.compactMap { $0.child as? AnyFiber } } }

    /// True once the group is ending early: by ``cancel()``, a failure, or because who opened it was cancelled. Any
    /// thread.
    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Ends the group early: cancels the body and all children, also those to come, whose bodies never run. No
    /// failure. Any thread; twice, or after the end, does nothing.
    public func cancel() {
        guard let places = cancelled() else { return }
        scope.cancel()
        for place in places { place.child?.endEarly() }
    }

    /// Marks the group as ending early. Returns the places of the children; nil when it was so already.
    private func cancelled() -> [Place]? {
        state.withLock { state in
            if state.isCancelled || state.hasEnded { return nil }
            state.isCancelled = true
            return state.places
        }
    }

    // MARK: For its children

    /// Takes a place for a child.
    ///
    /// - Parameter child: Nil for one that has to know its place before it is made; see ``fill(_:with:)``.
    /// - Returns: The place, and whether the child is to be cancelled before it begins.
    func reserve(for child: (any GroupChild)?) throws -> (place: Int32, isCancelled: Bool) {
        try state.withLock { state throws(GroupUseError) in
            if state.hasEnded { throw .hasEnded }
            state.live += 1
            let content = child.map { Place.taken($0) } ?? .reserved
            if let place = state.freePlaces.popLast() {
                state.places[Int(place)] = content
                return (place, state.isCancelled)
            }
            state.places.append(content)
            return (Int32(state.places.count - 1), state.isCancelled)
        }
    }

    /// Puts a child into the place that was reserved for it, unless it has ended meanwhile.
    func fill(_ place: Int32, with child: any GroupChild) {
        let isCancelled = state.withLock { state in
            if case .endedEarly = state.places[Int(place)] {
                state.free(place)
                return false
            }
            state.places[Int(place)] = .taken(child)
            return state.isCancelled
        }
        if isCancelled { child.endEarly() }
    }

    /// A child has ended. Any thread.
    func childEnded(_ place: Int32, _ error: (any Error)?) {
        let (child, hasEnded, hasFailed) = state.withLock { state in
            let child = state.places[Int(place)].child
            // Another child must not get the place before the maker of this one has come there.
            if child == nil { state.places[Int(place)] = .endedEarly } else { state.free(place) }
            state.live -= 1
            return (child, state.hasEnded, state.note(error))
        }
        // Outside the lock: the last reference may go with it.
        _ = consume child
        if hasFailed { cancel() }
        if hasEnded { end.complete() }
    }

    // MARK: For who opened it

    /// Who opened it is cancelled, while the body runs: so are the children, also those to come. At once, because the
    /// body may be in a wait that no cancellation ends, such as for the value of a child. The scope is not cancelled:
    /// a cancellation from outside does not end at this group. Any thread.
    func openerWasCancelled() {
        guard let places = cancelled() else { return }
        for place in places { place.child?.endEarly() }
    }

    /// The body has ended, with `error` if it failed. That of a child, which it has joined, is not told twice.
    ///
    /// - Returns: True when there is nothing to wait for.
    func bodyEnded(_ error: (any Error)?) -> Bool {
        let (hasEnded, hasFailed) = state.withLock { state in
            let isKnown = error.map { error in state.errors.contains { isSame($0, error) } } ?? false
            let hasFailed = !isKnown && state.note(error)
            state.bodyHasEnded = true
            return (state.hasEnded, hasFailed)
        }
        if hasFailed || error != nil { cancel() }
        if hasEnded { end.complete() }
        return hasEnded
    }

    /// As ``WaitQueue/add(_:)``.
    func addToEnd(_ node: WaitNode) -> Bool { end.add(node) }

    /// What the block throws or returns, once everything has ended.
    ///
    /// - Parameters:
    ///   - result: What the body returned; nil when it did not.
    ///   - error: What the body threw, or the wait for the children.
    func outcome<Result>(_ result: Result?, _ error: (any Error)?) throws -> Result {
        let errors = state.withLock { $0.errors }
        if !errors.isEmpty { throw GroupError(errors: errors) }
        if let error { throw error }
        if let result { return result }
        // The body was cut short by `cancel()`, which is no failure: it has nothing to return.
        if let nothing = () as? Result { return nothing }
        throw CancellationError()
    }
}

extension Group: WaitSource {
    func withdraw(_ node: WaitNode) -> Bool { end.withdraw(node) }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        let (live, fibers) = state.withLock { state in
            (state.live, state.places.compactMap { ($0.child as? AnyFiber)?.id })
        }
        let name = WaitDescription.name("group", self)
        return WaitDescription("the \(live) \(live == 1 ? "child" : "children") of \(name)", .group, fibers: fibers)
    }
}

/// A child as its group sees it.
protocol GroupChild: AnyObject, Sendable {
    /// Asks it for an early end.
    func endEarly()
}
