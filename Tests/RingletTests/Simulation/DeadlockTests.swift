import Ringlet
import RingletTesting
import Testing

/// The end of a simulation in which nothing can happen any more.
@Suite struct DeadlockTests {
    @Test
    func `fibers that wait for each other are named with what they wait for`() throws {
        let error = try #require(
            throws: DeadlockError.self
        ) {
            try Simulation.run {
                let other = Shared<Fiber<Void>?>(nil)
                let first = Fiber(name: "first") {
                    try Fiber.yield()
                    try other.value?.join()
                }
                other.value = Fiber(name: "second") { try first.join() }
                try first.join()
            }
        }
        #expect(error.snapshot.fibers.map(\.name) == ["main", "first", "second"])
        #expect(error.snapshot.fibers.allSatisfy { $0.wait?.what.contains("the end of fiber") == true })
        #expect(error.description.contains("'second'"))
    }

    @Test
    func `a sleep for ever is a deadlock, and a sleep for a hundred years is none`() throws {
        #expect(throws: DeadlockError.self) { try Simulation.run { try Fiber.sleep(until: .never) } }
        try Simulation.run { try Fiber.sleep(for: .seconds(3_155_760_000)) }
    }

    @Test
    func `a deadlock cancels, so that clean-up runs`() throws {
        // Some of the deadlocks come before the thread that has started the run goes on.
        for _ in 0..<200 {
            let hasCleanedUp = Flag()
            #expect(throws: DeadlockError.self) {
                try Simulation.run {
                    defer { hasCleanedUp.set() }
                    try Fiber.sleep(until: .never)
                }
            }
            #expect(hasCleanedUp.isSet)
        }
    }

    @Test
    func `a task that is never resumed is a deadlock too`() async throws {
        await #expect(throws: DeadlockError.self) {
            try await Simulation.run {
                try await Scheduler.sleep(until: .never)
            }
        }
    }

    @Test
    func `what ignores its cancellation is left behind`() async throws {
        await #expect(throws: DeadlockError.self) {
            try await Simulation.run {
                try withoutCancellation { try Fiber.sleep(until: .never) }
            }
        }
    }

    @Test
    func `what another thread will do is no deadlock when it is said to be outside`() async throws {
        let value = try await Simulation.run {
            await Simulation.outside { await Task.detached { 42 }.value }
        }
        #expect(value == 42)
    }
}
