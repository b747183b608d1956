extension TimerWheel {
    /// Every timer held whose payload `isIncluded` accepts, in no particular order.
    /// O(timers held): for shutdown.
    func tokens(where isIncluded: (UInt) -> Bool) -> [TimerToken] {
        var found: [TimerToken] = []
        forEachCell { index in
            if isIncluded(payload(of: index)) {
                found.append(
                    TimerToken(index: UInt32(index), generation: nodes[index].generation))
            }
        }
        return found
    }

    /// Calls `body` with every timer held, in no particular order. O(timers held): for snapshots.
    func forEach(_ body: (_ deadline: UInt64, _ payload: UInt, _ isIdle: Bool) -> Void) {
        forEachCell { body(nodes[$0].deadline, payload(of: $0), nodes[$0].payload & Self.idleMark != 0) }
    }

    private func payload(of index: Int) -> UInt { nodes[index].payload & ~Self.idleMark }

    private func forEachCell(_ body: (Int) -> Void) {
        for position in 0..<overdue.count { body(overdue.cell(at: position)) }
        for list in 0..<Self.listCount {
            var index = Int(nodes[list].next)
            while index != list {
                body(index)
                index = Int(nodes[index].next)
            }
        }
    }

    /// When the timer is due; nil when it has fired or was cancelled.
    func deadline(of token: TimerToken) -> UInt64? {
        let index = Int(token.index)
        guard index >= Self.listCount, index < usedCells,
            nodes[index].generation == token.generation
        else { return nil }
        return nodes[index].deadline
    }
}
