import Ringlet
import RingletTesting
import Testing

/// What a seed decides, and that it decides the same each time.
@Suite struct SeededOrderTests {
    /// A program with much that is free in order: fibers and tasks that yield, sleep to the same instants, and join.
    private static func trace(seed: UInt64?) throws -> [String] {
        try Simulation.run(seed: seed) {
            let journal = Journal<String>()
            let fibers = (0..<6).map { number in
                Fiber {
                    for step in 0..<3 {
                        journal.note("fiber \(number).\(step) at \(Simulation.now)")
                        if step == 1 { try Fiber.sleep(for: .seconds(1)) } else { try Fiber.yield() }
                    }
                }
            }
            let tasks = (0..<3).map { number in
                Task(executorPreference: Simulation.executor) {
                    for step in 0..<3 {
                        journal.note("task \(number).\(step) at \(Simulation.now)")
                        if step == 1 { try await Task.sleep(for: .seconds(1)) } else { await Task.yield() }
                    }
                }
            }
            for fiber in fibers { try fiber.join() }
            try Fiber.await { for task in tasks { try await task.value } }
            return journal.all
        }
    }

    @Test
    func `the same seed gives the same trace`() throws {
        for seed in UInt64(1)...20 {
            let first = try Self.trace(seed: seed)
            let second = try Self.trace(seed: seed)
            #expect(first == second, "seed \(seed)")
            #expect(first.count == 27)
        }
    }

    @Test
    func `different seeds give different traces`() throws {
        let traces = Set(try (1...20).map { try Self.trace(seed: $0) })
        #expect(traces.count > 15)
    }

    @Test
    func `without a seed it is first in, first out`() throws {
        let order = try Simulation.run {
            let journal = Journal<Int>()
            let fibers = (0..<50).map { number in
                Fiber {
                    journal.note(number)
                    try Fiber.sleep(for: .seconds(1))
                    journal.note(50 + number)
                }
            }
            for fiber in fibers { try fiber.join() }
            return journal.all
        }
        #expect(order == Array(0..<100))
    }

    @Test
    func `every order of three fibers comes up`() throws {
        let orders = Shared<Set<[Int]>>([])
        try forEachSeed(1...100) { _ in
            let journal = Journal<Int>()
            let fibers = (0..<3).map { number in Fiber { journal.note(number) } }
            for fiber in fibers { try fiber.join() }
            orders.value.insert(journal.all)
        }
        #expect(orders.value.count == 6)
    }

    @Test
    func `timers of one instant fire in every order, those of different ones in order of time`() throws {
        let orders = Shared<Set<[Int]>>([])
        try forEachSeed { _ in
            let journal = Journal<Int>()
            let fibers = [2, 1, 1, 3].enumerated().map { number, seconds in
                Fiber {
                    try Fiber.sleep(for: .seconds(seconds))
                    journal.note(number)
                }
            }
            for fiber in fibers { try fiber.join() }
            orders.value.insert(journal.all)
        }
        #expect(orders.value == [[1, 2, 0, 3], [2, 1, 0, 3]])
    }
}
