import Synchronization

/// A worker's mark that nothing will happen on it: odd as long as that holds, and never the same twice. Written by the
/// worker, read by all of the scheduler.
///
/// A worker marks itself when it is about to sleep, and takes the mark back when it wakes, before it takes anything out of
/// its inbox.
struct QuietMark: ~Copyable, Sendable {
    private let number = Atomic<UInt>(0)

    var value: UInt { number.load(ordering: .sequentiallyConsistent) }

    private static func isQuiet(_ value: UInt) -> Bool { value & 1 == 1 }

    func begin() { number.store(number.load(ordering: .relaxed) | 1, ordering: .sequentiallyConsistent) }

    func end() {
        let value = number.load(ordering: .relaxed)
        if !Self.isQuiet(value) { return }
        number.store(value &+ 1, ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// Whether all workers that have not ended were marked at one instant, with empty inboxes. Whoever marks itself last
    /// finds it so.
    ///
    /// All marks are read twice, and between that the inboxes: if no mark has changed, all were quiet at the same time,
    /// so nobody was there to push anything, but for threads that are none of the scheduler's.
    static func allAreQuiet<Member: QuietMember>(_ workers: [Member], _ mark: (Member) -> UInt) -> Bool {
        let marks = workers.map(mark)
        let isReached =
            zip(workers, marks).allSatisfy { isQuiet($1) || $0.hasEnded } && workers.allSatisfy { $0.hasEmptyInbox }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return isReached && zip(workers, marks).allSatisfy { mark($0) == $1 }
    }
}

/// Who marks itself: a worker.
protocol QuietMember {
    var hasEnded: Bool { get }
    var hasEmptyInbox: Bool { get }
}

extension Worker: QuietMember {
    var hasEnded: Bool { closed.load(ordering: .acquiring) }
    var hasEmptyInbox: Bool { inbox.isEmpty }
}
