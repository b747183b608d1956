import Testing

/// The counting of ``Descriptor``, step by step: operations that begin and end, and calls of `close()`, on one word.
private struct CloseModel: Model {
    enum Mutation: CaseIterable {
        case none
        /// `beginClose()` does not count itself in while it sends its requests.
        case closesUncounted
        /// `begin()` does not count itself out when it finds the mark.
        case staysCounted
        /// `begin()` looks at the mark and then counts, in two steps.
        case looksBeforeItCounts
        /// `beginAsFirst()` leaves the worker's mark and does not look at the closing one.
        case marksBlindly
    }

    enum Step {
        // An operation.
        case look, count, leaveMark, back, work, uncount
        // A close; each request stands for one worker, which answers it at any time after.
        case mark, requestFirst, requestLast, release, waitDrained, shut
        case refused, ended
    }

    let mutation: Mutation
    var users = 0
    var isClosing = false
    /// It may come true more than once: an operation that begins too late counts itself in and out.
    var isDrained = false
    var working = 0
    var isShut = false
    var at: [Step]
    /// Requests to cancel that are under way, and have been counted in.
    var requests = 0
    /// Workers that have left their mark; each operation is of another one.
    var marks: Set<Int> = []
    /// Those that the close has asked.
    var asked: Set<Int> = []

    init(operations: Int, closes: Int, _ mutation: Mutation) {
        self.mutation = mutation
        at = Array(repeating: mutation == .looksBeforeItCounts ? .look : .count, count: operations)
        at += Array(repeating: .mark, count: closes)
    }

    /// The last one answers the requests.
    var threads: Int { at.count + 1 }

    var violation: String? {
        if isShut && working > 0 { return "the number is closed under an operation" }
        if isShut && requests > 0 { return "a request reaches a stranger" }
        // With the mutation that shows in another way, a little later.
        let isForgotten = mutation != .looksBeforeItCounts && isClosing
            && at.indices.contains { at[$0] == .work && !asked.contains($0) }
        return isForgotten ? "nobody cancels an operation" : nil
    }

    var violationAtEnd: String? {
        at.allSatisfy { $0 == .ended || $0 == .refused } && users == 0
            ? nil : "somebody waits for ever"
    }

    private mutating func end() {
        users -= 1
        if isClosing && users == 0 { isDrained = true }
    }

    func steps(of thread: Int) -> [Self] {
        var next = self
        guard thread < at.count else {
            if requests == 0 { return [] }
            next.requests -= 1
            next.end()
            return [next]
        }
        switch at[thread] {
        case .look:
            next.at[thread] = isClosing ? .refused : .count
        case .count:
            next.users += 1
            let isRefused = isClosing && mutation != .looksBeforeItCounts
            next.at[thread] = isRefused ? (mutation == .staysCounted ? .refused : .back) : .leaveMark
        case .leaveMark:
            next.marks.insert(thread)
            let isRefused = isClosing && mutation != .looksBeforeItCounts && mutation != .marksBlindly
            next.at[thread] = isRefused ? (mutation == .staysCounted ? .refused : .back) : .work
            if !isRefused { next.working += 1 }
        case .back:
            next.end()
            next.at[thread] = .refused
        case .work:
            next.working -= 1
            next.at[thread] = .uncount
        case .uncount:
            next.end()
            next.at[thread] = .ended
        case .mark:
            if isClosing {
                next.at[thread] = .refused
            } else if users == 0 {
                next.isClosing = true
                next.isDrained = true
                next.at[thread] = .waitDrained
            } else {
                next.isClosing = true
                next.asked = marks
                if mutation != .closesUncounted { next.users += 1 }
                next.at[thread] = .requestFirst
            }
        case .requestFirst, .requestLast:
            next.users += 1
            next.requests += 1
            next.at[thread] =
                at[thread] == .requestFirst
                ? .requestLast : mutation == .closesUncounted ? .waitDrained : .release
        case .release:
            next.end()
            next.at[thread] = .waitDrained
        case .waitDrained:
            if !isDrained { return [] }
            next.at[thread] = .shut
        case .shut:
            next.isShut = true
            next.at[thread] = .ended
        case .refused, .ended:
            return []
        }
        return [next]
    }
}

@Suite struct CloseModelTests {
    @Test(arguments: 0...3, 1...2)
    func `a number is closed once, and under nobody`(operations: Int, closes: Int) {
        let found = explore(CloseModel(operations: operations, closes: closes, .none))
        #expect(found.violation == nil)
    }

    @Test(arguments: [
        (CloseModel.Mutation.closesUncounted, "a request reaches a stranger"),
        (.staysCounted, "somebody waits for ever"),
        (.looksBeforeItCounts, "the number is closed under an operation"),
        (.marksBlindly, "nobody cancels an operation"),
    ])
    private func `without a part of the protocol something goes wrong`(
        mutation: CloseModel.Mutation, what: String
    ) {
        let found = explore(CloseModel(operations: 3, closes: 1, mutation))
        #expect(found.violation?.contains(what) == true, "\(found.violation ?? "nothing")")
    }
}
