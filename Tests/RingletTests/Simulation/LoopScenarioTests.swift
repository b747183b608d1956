import RingletTesting
import SystemPackage
import Testing

@testable import Ringlet

/// What event loops promise about timers, turns and the end, as numbered scenarios, each under a hundred orders.
@Suite struct LoopScenarioTests {
    @Test
    func `27: timers fire in order of time, one in the past first, and a cancelled one never`() async throws {
        try await forEachSeed(1...100) { _ in
            let fired = Journal<Int>()
            let begun = Deadline.now.nanoseconds
            let fibers = [30, 10, -1, 20].map { milliseconds in
                Fiber {
                    let instant = Int64(begun) + Int64(milliseconds) * 1_000_000
                    try Fiber.sleep(until: Deadline(nanoseconds: UInt64(instant)))
                    fired.note(milliseconds)
                }
            }
            try Fiber.yield()
            fibers[3].cancel()
            try Fiber.sleep(for: .seconds(1))
            #expect(fired.all == [-1, 10, 30])
        }
        try await forEachSeed(1...100) { _ in
            let fired = Journal<Int>()
            let begun = Deadline.now.nanoseconds
            let tasks = [30, 10, -1, 20].map { milliseconds in
                Task(executorPreference: Simulation.executor) {
                    let instant = Int64(begun) + Int64(milliseconds) * 1_000_000
                    try await Scheduler.sleep(until: Deadline(nanoseconds: UInt64(instant)))
                    fired.note(milliseconds)
                }
            }
            await Task.yield()
            tasks[3].cancel()
            try await Task.sleep(for: .seconds(1))
            #expect(fired.all == [-1, 10, 30])
        }
    }

    @Test
    func `28: timers that were cancelled leave nothing, long before they would be due`() async throws {
        @Sendable func fibers(_ count: Int) throws {
            let worker = try #require(CurrentThread.worker)
            let fibers = (0..<count).map { _ in Fiber { try Fiber.sleep(for: .seconds(3600)) } }
            try Fiber.sleep(for: .seconds(1))
            #expect(worker.timers.count == count)
            for fiber in fibers { fiber.cancel() }
            #expect(worker.timers.count == 0)
            #expect(Simulation.now == .seconds(1))
        }
        @Sendable func tasks(_ count: Int) async throws {
            let worker = try #require(CurrentThread.worker)
            let tasks = (0..<count).map { _ in
                Task(executorPreference: Simulation.executor) { try await Scheduler.sleep(for: .seconds(3600)) }
            }
            try await Scheduler.sleep(for: .seconds(1))
            #expect(worker.timers.count == count)
            for task in tasks { task.cancel() }
            #expect(worker.timers.count == 0)
            #expect(Simulation.now == .seconds(1))
        }
        try await Simulation.run { try fibers(1000) }
        try await Simulation.run { try await tasks(1000) }
        try await forEachSeed(1...100) { _ in try fibers(50) }
        try await forEachSeed(1...100) { _ in try await tasks(50) }
    }

    @Test
    func `35: two that yield once each take turns`() throws {
        func steps(seed: UInt64?) throws -> [String] {
            try Simulation.run(seed: seed) {
                let steps = Journal<String>()
                let fibers = ["A", "B"].map { name in
                    Fiber {
                        steps.note("1\(name)")
                        try Fiber.yield()
                        steps.note("2\(name)")
                    }
                }
                for fiber in fibers { try fiber.join() }
                return steps.all
            }
        }
        // As in production: both begin, then both end.
        #expect(try steps(seed: nil) == ["1A", "1B", "2A", "2B"])
        // Who is first is free; that a yield lets the other run is not.
        for seed in UInt64(1)...100 {
            let steps = try steps(seed: seed)
            #expect(Set(steps.prefix(2)) == ["1A", "1B"] && Set(steps.suffix(2)) == ["2A", "2B"])
        }
    }

    @Test
    func `35: two tasks that yield once each take turns`() async throws {
        func steps(seed: UInt64?) async throws -> [String] {
            try await Simulation.run(seed: seed) {
                let steps = Journal<String>()
                let tasks = ["A", "B"].map { name in
                    Task(executorPreference: Simulation.executor) {
                        steps.note("1\(name)")
                        await Task.yield()
                        steps.note("2\(name)")
                    }
                }
                for task in tasks { await task.value }
                return steps.all
            }
        }
        #expect(try await steps(seed: nil) == ["1A", "1B", "2A", "2B"])
        for seed in UInt64(1)...100 {
            let steps = try await steps(seed: seed)
            #expect(Set(steps.prefix(2)) == ["1A", "1B"] && Set(steps.suffix(2)) == ["2A", "2B"])
        }
    }

    @Test
    func `36: a storm of yields does not keep a timer from firing`() async throws {
        try await forEachSeed(1...100) { _ in
            let timer = Fiber {
                try Fiber.sleep(for: .milliseconds(20))
                return Simulation.now
            }
            while !timer.isFinished { try Fiber.yield() }
            let fired = try timer.join()
            #expect(fired >= .milliseconds(20) && fired < .milliseconds(21))
        }
        try await forEachSeed(1...100) { _ in
            let hasFired = Flag()
            let timer = Task(executorPreference: Simulation.executor) {
                try await Scheduler.sleep(for: .milliseconds(20))
                hasFired.set()
            }
            while !hasFired.isSet { await Task.yield() }
            try await timer.value
        }
    }

    @Test
    func `37: a main body that waits for what nobody can do is told who waits, and does not hang`() async throws {
        for seed in UInt64(1)...100 {
            let error = await #expect(throws: DeadlockError.self) {
                try await Simulation.run(seed: seed) {
                    let idle = Fiber(name: "idle") { try Fiber.sleep(until: .never) }
                    Fiber(name: "other") { try idle.join() }
                    try idle.join()
                }
            }
            #expect(error?.snapshot.fibers.map(\.name) == ["main", "idle", "other"])
            await #expect(throws: DeadlockError.self) {
                try await Simulation.run(seed: seed) {
                    let idle = Fiber(name: "idle") { try Fiber.sleep(until: .never) }
                    try await idle.join()
                }
            }
        }
    }

    @Test
    func `38: a timer that nobody waits for does not keep the run from ending`() async throws {
        for seed in UInt64(1)...100 {
            let ended = Shared<Duration?>(nil)
            try await Simulation.run(seed: seed) {
                Fiber {
                    defer { ended.value = Simulation.now }
                    try Fiber.sleep(for: .seconds(9))
                }
                try Fiber.yield()
            }
            #expect(ended.value == .zero)
        }
    }
}
