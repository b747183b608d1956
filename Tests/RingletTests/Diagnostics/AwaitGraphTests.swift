import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct AwaitGraphTests {
    /// A snapshot of fibers that wait for others, by their numbers.
    private static func graph(_ waits: [UInt64: [UInt64]]) -> AwaitGraph {
        var snapshot = SchedulerSnapshot()
        for (id, others) in waits.sorted(by: { $0.key < $1.key }) {
            var wait = WaitSnapshot(kind: .synchronization, what: "a lock")
            wait.fibers = others
            snapshot.fibers.append(
                FiberSnapshot(
                    id: id, worker: 0, state: others.isEmpty ? .ready : .waiting(wait)))
        }
        return snapshot.awaitGraph
    }

    @Test func `cycles are found, each once`() {
        #expect(Self.graph([1: [2], 2: [3], 3: []]).cycles == [])
        #expect(Self.graph([1: [1]]).cycles == [[1]])
        #expect(Self.graph([1: [2], 2: [3], 3: [2]]).cycles == [[2, 3]])
        #expect(Self.graph([1: [2], 2: [1], 3: [4], 4: [3], 5: [1, 3]]).cycles == [[1, 2], [3, 4]])
        // A permit that either of two may give back.
        #expect(Self.graph([1: [2, 3], 2: [1], 3: []]).cycles == [[1, 2]])
        // Two ways to the same fiber are no cycle.
        #expect(Self.graph([1: [2, 3], 2: [4], 3: [4], 4: []]).cycles == [])
        let long = Dictionary(uniqueKeysWithValues: (1...10_000).map { (UInt64($0), [UInt64($0 % 10_000 + 1)]) })
        #expect(Self.graph(long).cycles.map(\.count) == [10_000])
    }

    @Test func `it is printed as a tree of who waits for whom`() {
        let text = Self.graph([1: [2], 2: [3], 3: [], 4: [2], 5: [6], 6: [5], 7: [5]]).description
        #expect(
            text == """
                fiber 3
                  fiber 2 waits for a lock
                    fiber 1 waits for a lock
                    fiber 4 waits for a lock
                fiber 5
                  fiber 6 waits for a lock
                    fiber 5 waits for a lock, as above
                  fiber 7 waits for a lock
                cycle: fiber 5 waits for fiber 6 waits for fiber 5
                """)
        #expect(Self.graph([1: [9]]).description == "fiber 9, which has ended\n  fiber 1 waits for a lock")
    }

    @Test func `the text is of one fiber, of few levels, or of few lines, and says where it was cut`() {
        let graph = Self.graph([1: [2], 2: [3], 3: [], 4: [2], 5: [6], 6: [5], 7: [9], 8: [3]])
        #expect(
            graph.text(of: 2) == """
                fiber 2
                  fiber 1 waits for a lock
                  fiber 4 waits for a lock
                """)
        #expect(graph.text(of: 1) == "fiber 1")
        #expect(
            graph.text(of: 3, depth: 1) == """
                fiber 3
                  fiber 2 waits for a lock, and 2 for it
                  fiber 8 waits for a lock
                """)
        #expect(graph.text(of: 3, depth: 0) == "fiber 3, and 2 for it")
        #expect(graph.text(of: 3, limit: 2) == "fiber 3\n  fiber 2 waits for a lock\nand more")
        #expect(graph.text(of: 3, limit: 5) == graph.text(of: 3) && graph.text(limit: 0) == "and more")
        // Without the cycles, which come at the end.
        #expect(graph.text(of: 5, limit: 2) == "fiber 5\n  fiber 6 waits for a lock\nand more")
        #expect(graph.text(depth: 5).hasSuffix("cycle: fiber 5 waits for fiber 6 waits for fiber 5"))
        #expect(graph.text() == graph.description)
    }

    @Test func `joins of fibers make its edges`() async throws {
        try await Scheduler.run {
            let last = Fiber(name: "last") { try Fiber.sleep(until: .never) }
            let first = Fiber(name: "first") { try last.join() }
            let second = Fiber(name: "second") { try last.join() }
            let scheduler = try #require(Scheduler.current)
            try yieldUntil("both join") { scheduler.snapshot(backtraces: false).awaitGraph.edges.count == 2 }
            let graph = scheduler.snapshot(backtraces: false).awaitGraph
            #expect(graph.waiters(of: last.id) == [first.id, second.id])
            #expect(graph.awaited(by: first.id) == [last.id])
            #expect(graph.description.hasPrefix("\(last)\n  \(first) waits for the end of \(last)\n"))
            last.cancel()
        }
    }
}
