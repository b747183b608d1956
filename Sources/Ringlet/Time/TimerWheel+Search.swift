extension TimerWheel {
    /// Every timer held whose payload `isIncluded` accepts, in no particular order.
    /// O(timers held): for shutdown.
    func tokens(where isIncluded: (UInt) -> Bool) -> [TimerToken] {
        var found: [TimerToken] = []
        func look(at index: Int) {
            if isIncluded(nodes[index].payload & ~Self.idleMark) {
                found.append(
                    TimerToken(index: UInt32(index), generation: nodes[index].generation))
            }
        }
        for position in 0..<overdue.count { look(at: overdue.cell(at: position)) }
        for list in 0..<Self.listCount {
            var index = Int(nodes[list].next)
            while index != list {
                look(at: index)
                index = Int(nodes[index].next)
            }
        }
        return found
    }
}
