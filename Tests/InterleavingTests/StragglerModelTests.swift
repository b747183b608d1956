import Testing

/// What is pushed to a worker that ends, step by step: `Worker.end()`, `inject(_:)` and `runStragglers()`.
///
/// Whoever holds `isTaken` has the worker's state to itself. A message that is delivered may push another one.
private struct StragglerModel: Model {
    enum Mutation: CaseIterable {
        case none
        /// `end()` gives way without looking again.
        case endsWithoutLook
        /// `runStragglers()` gives way without looking again.
        case leavesWithoutLook
        /// `runStragglers()` does not ask who is at it.
        case doesNotTake
        /// `end()` says that it is closed before it has taken.
        case closesBeforeTaking
    }

    enum Step {
        // The worker's own.
        case take, close, drainLast, giveWay
        // A producer's.
        case push, askClosed
        // Both, in `runStragglers`.
        case lookForMore, tryTake, drain, give
        case ended
    }

    let mutation: Mutation
    var items = 0
    var delivered = 0
    var isTaken = false
    var isClosed = false
    /// Threads that have the worker's state to themselves.
    var inside = 0
    /// Thread 0 is the worker.
    var at: [Step]

    init(producers: Int, _ mutation: Mutation) {
        self.mutation = mutation
        at = [mutation == .closesBeforeTaking ? .close : .take]
        at += Array(repeating: .push, count: producers)
    }

    var threads: Int { at.count }
    var violation: String? { inside > 1 ? "two threads have the worker's state" : nil }
    var violationAtEnd: String? {
        delivered == at.count - 1 ? nil : "\(at.count - 1 - delivered) messages are not delivered"
    }

    func steps(of thread: Int) -> [Self] {
        var next = self
        switch at[thread] {
        case .take:
            next.isTaken = true
            next.inside += 1
            next.at[thread] = mutation == .closesBeforeTaking ? .drainLast : .close
        case .close:
            next.isClosed = true
            next.at[thread] = mutation == .closesBeforeTaking ? .take : .drainLast
        case .drainLast:
            next.deliverAll()
            next.at[thread] = .giveWay
        case .giveWay:
            next.isTaken = false
            next.inside -= 1
            next.at[thread] = mutation == .endsWithoutLook ? .ended : .lookForMore
        case .push:
            next.items += 1
            next.at[thread] = .askClosed
        case .askClosed:
            next.at[thread] = isClosed ? .lookForMore : .ended
        case .lookForMore:
            next.at[thread] = items == 0 ? .ended : .tryTake
        case .tryTake:
            if isTaken && mutation != .doesNotTake {
                next.at[thread] = .ended
            } else {
                next.isTaken = true
                next.inside += 1
                next.at[thread] = .drain
            }
        case .drain:
            next.deliverAll()
            next.at[thread] = .give
        case .give:
            next.isTaken = false
            next.inside -= 1
            next.at[thread] = mutation == .leavesWithoutLook ? .ended : .lookForMore
        case .ended:
            return []
        }
        return [next]
    }

    private mutating func deliverAll() {
        delivered += items
        items = 0
    }
}

@Suite struct StragglerModelTests {
    @Test(arguments: 1...4)
    func `every message to a worker that ends is delivered, by one thread at a time`(producers: Int)
    {
        let found = explore(StragglerModel(producers: producers, .none))
        #expect(found.violation == nil)
        #expect(found.states > 10)
    }

    @Test(arguments: [
        (StragglerModel.Mutation.endsWithoutLook, "messages are not delivered"),
        (.leavesWithoutLook, "messages are not delivered"),
        (.doesNotTake, "two threads have the worker's state"),
        (.closesBeforeTaking, "two threads have the worker's state"),
    ])
    private func `without a part of the protocol something goes wrong`(
        mutation: StragglerModel.Mutation, what: String
    ) {
        let found = explore(StragglerModel(producers: 3, mutation))
        #expect(found.violation?.contains(what) == true)
    }
}
