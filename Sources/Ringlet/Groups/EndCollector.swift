import Synchronization

/// Notes the ends of several awaitables in the order in which they come, and wakes who waits for the next.
final class EndCollector: Sendable {
    private struct State: ~Copyable {
        /// Indices of items that have ended and were not taken yet, oldest first.
        var ended: [Int] = []
        var taken = 0
        var waiters = WaitList()
        var links: [Link] = []
    }

    let items: [any Awaitable]
    private let state = Mutex(State())

    init(_ items: [any Awaitable]) {
        self.items = items
        let links = items.indices.map { index in
            items[index].onEnd { [weak self] _ in self?.note(index) }
        }
        state.withLock { $0.links = links }
    }

    deinit {
        for link in state.withLock({ $0.links }) { link.remove() }
    }

    /// The item with this index has ended.
    func note(_ index: Int) {
        let waiters = state.withLock { state in
            state.ended.append(index)
            return state.waiters.popAll()
        }
        waiters.wake()
    }

    /// The place of the next that has ended. Nil when there is none at present.
    func take() -> Int? {
        state.withLock { state in
            guard state.taken < state.ended.count else { return nil }
            defer { state.taken += 1 }
            return state.ended[state.taken]
        }
    }

    /// True when all were taken.
    var isExhausted: Bool { state.withLock { $0.taken == items.count } }

    /// Waits until there is one to take, unless there is.
    func waitForNext(deadline: Deadline) throws {
        try wait("wait(for:)", deadline: deadline) { add($0) }.orThrow(deadline)
    }

    func waitForNext(deadline: Deadline) async throws {
        try await wait(deadline: deadline) { add($0) }.orThrow(deadline)
    }

    private func add(_ node: WaitNode) -> Bool {
        state.withLock { state in
            // Nobody notes anything after the last, which another one may have taken just now.
            if state.taken < state.ended.count || state.taken == items.count { return false }
            state.waiters.append(node)
            return true
        }
    }
}

extension EndCollector: WaitSource {
    func withdraw(_ node: WaitNode) -> Bool { state.withLock { $0.waiters.remove(node) } }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        let fibers = items.compactMap { $0 as? AnyFiber }.filter { !$0.isFinished }.map(\.id)
        let left = items.count - state.withLock { $0.ended.count }
        return WaitDescription("the next of \(left) ends", fibers: fibers)
    }
}
