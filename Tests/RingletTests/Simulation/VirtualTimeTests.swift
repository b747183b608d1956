import Ringlet
import RingletTesting
import SystemPackage
import Testing

/// Time in a simulation: it stands while anything runs, and jumps when nothing does.
@Suite struct VirtualTimeTests {
    @Test
    func `a fiber that sleeps an hour ends at once, an hour later`() throws {
        let begun = ContinuousClock.now
        try Simulation.run {
            let before = Deadline.now
            try Fiber.sleep(for: .seconds(3600))
            #expect(Simulation.now == .seconds(3600))
            #expect(Deadline.now.nanoseconds - before.nanoseconds == 3_600_000_000_000)
        }
        #expect(ContinuousClock.now - begun < patience)
    }

    @Test
    func `every kind of sleep goes by the clock of the simulation`() async throws {
        try await Simulation.run {
            try await Scheduler.sleep(for: .seconds(60))
            #expect(Simulation.now == .seconds(60))
            try await Task.sleep(for: .seconds(60))
            #expect(Simulation.now == .seconds(120))
            try await Task.sleep(until: .now + .milliseconds(1500), clock: .continuous)
            #expect(Simulation.now == .milliseconds(121_500))
            let fiber = Fiber {
                try Fiber.sleep(for: .seconds(1))
                return Simulation.now
            }
            let woken = try await fiber.join()
            #expect(woken == Simulation.now)
        }
    }

    @Test
    func `deadlines of waits pass at their instant, and not before`() throws {
        try Simulation.run {
            let sleeper = Fiber { try Fiber.sleep(for: .seconds(1000)) }
            let deadline = Deadline.after(.seconds(10))
            let timeout = errorThrown { try sleeper.join(deadline: deadline) } as? TimeoutError
            #expect(timeout?.deadline == deadline)
            #expect(Simulation.now == .seconds(10))
            #expect(deadline.hasPassed)
            try sleeper.join(deadline: .after(.seconds(991)))
            #expect(Simulation.now == .seconds(1000))
        }
    }

    @Test
    func `time stands while something computes`() throws {
        try Simulation.run {
            let fibers = (0..<2000).map { _ in Fiber { for _ in 0..<10 { try Fiber.yield() } } }
            for fiber in fibers { try fiber.join() }
            #expect(Simulation.now == .zero)
        }
    }

    @Test
    func `what outlives the main body is cancelled, and cleans up in the time it needs`() throws {
        let ended = Shared<Duration?>(nil)
        try Simulation.run {
            Fiber {
                do {
                    try Fiber.sleep(until: .never)
                } catch {
                    try withoutCancellation { try Fiber.sleep(for: .seconds(5)) }
                    ended.value = Simulation.now
                }
            }
            try Fiber.sleep(for: .seconds(1))
        }
        #expect(ended.value == .seconds(6))
    }

    @Test
    func `the value and the error of the main body come out, in both colours`() async throws {
        #expect(try await Simulation.run { 42 } == 42)
        #expect(try await onThread { try Simulation.run { 43 } } == 43)
        #expect(
            try await Simulation.run {
                await Task.yield()
                return 44
            } == 44)
        await #expect(throws: Failure(number: 7)) {
            try await Simulation.run { throw Failure(number: 7) }
        }
        await #expect(throws: Failure(number: 8)) {
            try await Simulation.run {
                await Task.yield()
                throw Failure(number: 8)
            }
        }
    }

    @Test
    func `cancelling the caller cancels the main body`() async throws {
        let begun = Flag()
        let task = Task {
            try await Simulation.run {
                begun.set()
                // Nothing is to happen in the simulation meanwhile, and that is no deadlock.
                while true { try Fiber.yield() }
            }
        }
        try await awaitUntil("the simulation runs") { begun.isSet }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test
    func `the kernel says that it is simulated`() throws {
        let name = try Simulation.run { Scheduler.current?.kernel.name }
        #expect(name == "simulated")
    }

    @Test
    func `a simulation has one worker, and is not made inside a scheduler`() throws {
        #expect(throws: SchedulerError.invalidOption("2 workers; a simulation has one")) {
            try Simulation.run(SchedulerOptions(workers: 2)) {}
        }
        let refusal = try Scheduler.run { errorThrown { try Simulation.run {} } }
        #expect(refusal as? SchedulerError == .nestedRun)
    }
}
