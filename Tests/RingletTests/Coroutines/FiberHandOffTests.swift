import Testing

@testable import Ringlet

/// A fiber that waits for one which has not begun gives its turn to it.
@Suite(.timeLimit(.patient)) struct FiberHandOffTests {
    @Test func `who is awaited begins at once, and who waited goes on first`() async throws {
        let journal = Journal<String>()
        try await Scheduler.run {
            // Where fibers are jobs of the runtime's, it hands over in the order of the queue.
            if Scheduler.current?.workers[0].rung == .plain { return }
            let other = Fiber { journal.note("other") }
            let parent = Fiber {
                let child = Fiber { journal.note("child") }
                _ = Fiber { journal.note("later") }
                try child.join()
                journal.note("parent")
            }
            // In this order: the other one has waited for longer than the child.
            try parent.join()
            try other.join()
        }
        let order = journal.all.filter { $0 != "other" }
        #expect(order.isEmpty || order == ["child", "parent", "later"])
    }

    @Test func `fibers of one parent begin in the order in which it has spawned them`() async throws {
        let journal = Journal<Int>()
        try await Scheduler.run {
            let fibers = (0..<5).map { number in Fiber { journal.note(number) } }
            try fibers[3].join()
            for fiber in fibers { try fiber.join() }
        }
        #expect(journal.all == [0, 1, 2, 3, 4])
    }

    @Test func `of a tree one path is suspended at a time`() async throws {
        @Sendable func sum(_ number: Int, _ size: Int) throws -> Int {
            if size == 1 { return number }
            let part = size / 10
            let children = (0..<10).map { child in Fiber { try sum(number + child * part, part) } }
            return try children.reduce(0) { try $0 + $1.join() }
        }
        try await withScheduler { scheduler in
            let rung = scheduler.workers[0].rung
            let total = try await scheduler.spawn { try sum(0, 10_000) }.join()
            #expect(total == 10_000 * 9_999 / 2)
            // 1,111 inner fibers wait for children of theirs.
            let stacks = scheduler.counters.workers[0].stacks
            if rung != .plain { #expect(stacks <= 256, "\(stacks) stacks") }
        }
    }

    @Test func `nobody starves while others spawn and join`() async throws {
        try await Scheduler.run {
            let isOver = Flag()
            let steps = Counter()
            let other = Fiber {
                while !isOver.isSet {
                    steps.add()
                    try Fiber.yield()
                }
            }
            for _ in 0..<20_000 { try Fiber {}.join() }
            // Two turns of at most 256 steps each, two of which are a fiber that is spawned and joined.
            #expect(steps.value >= 20_000 / 512, "\(steps.value) steps")
            isOver.set()
            try other.join()
        }
    }

    @Test func `one that is awaited twice, or cancelled before it begins, ends once`() async throws {
        try await Scheduler.run {
            let journal = Journal<Int>()
            let awaited = Fiber { journal.note(0) }
            let joiners = (1...3).map { number in
                Fiber {
                    try awaited.join()
                    journal.note(number)
                }
            }
            for joiner in joiners { try joiner.join() }
            #expect(journal.all.first == 0 && journal.all.sorted() == [0, 1, 2, 3])

            let cancelled = Fiber { journal.note(4) }
            let joiner = Fiber { try cancelled.join() }
            cancelled.cancel()
            #expect(throws: CancellationError.self) { try joiner.join() }
            #expect(journal.count == 4)
        }
    }
}
