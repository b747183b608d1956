import SystemPackage
import Testing

@testable import Ringlet

/// Waiting for what another scheduler runs, which asyncio refuses (its scenario 42) and Ringlet allows.
@Suite(.timeLimit(.patient)) struct ForeignSchedulerTests {
    /// Waits by fiber or task for what is given it.
    private func strands<Success: Sendable>(
        on scheduler: Scheduler, _ plain: @escaping @Sendable () throws -> Success,
        async body: @escaping @Sendable () async throws -> Success
    ) -> (Fiber<Success>, Task<Success, any Error>) {
        (scheduler.spawn(operation: plain), Task(executorPreference: scheduler.taskExecutor) { try await body() })
    }

    @Test func `scenario 42: value and error of another scheduler's fiber come to who joins it, and to nobody else`()
        async throws
    {
        try await withScheduler { here in
            try await withScheduler { there in
                let gate = Promise<Void>()
                let value = there.spawn { try gate.value(); return 21 }
                let error = there.spawn { () throws -> Int in try gate.value(); throw Failure(number: 42) }
                let unaffected = here.spawn { try gate.value(); return 1 }
                let values = strands(on: here) { try value.join() } async: { try await value.join() }
                let errors = strands(on: here) { try error.join() } async: { try await error.join() }
                let awaiting = there.spawn { try values.0.join() }
                try gate.succeed(())
                #expect(try await values.0.join() == 21)
                #expect(try await values.1.value == 21)
                #expect(try await awaiting.join() == 21)
                await #expect(throws: Failure(number: 42)) { try await errors.0.join() }
                await #expect(throws: Failure(number: 42)) { try await errors.1.value }
                #expect(try await unaffected.join() == 1)
            }
        }
    }

    @Test func `scenario 42: a deadline or cancellation of the waiter leaves another scheduler's fiber alone`()
        async throws
    {
        try await withScheduler { here in
            try await withScheduler { there in
                let gate = Promise<Void>()
                let fiber = there.spawn { try gate.value(); return 7 }
                let past = Deadline(nanoseconds: 1)
                let late = strands(on: here) {
                    try fiber.join(deadline: past)
                } async: {
                    try await fiber.join(deadline: past)
                }
                await #expect(throws: TimeoutError(deadline: past)) { try await late.0.join() }
                await #expect(throws: TimeoutError(deadline: past)) { try await late.1.value }
                let cut = strands(on: here) { try fiber.join() } async: { try await fiber.join() }
                try await awaitUntil("both wait") { fiber.end.waiting == 2 }
                cut.0.cancel()
                cut.1.cancel()
                await #expect(throws: CancellationError.self) { try await cut.0.join() }
                await #expect(throws: CancellationError.self) { try await cut.1.value }
                #expect(fiber.end.waiting == 0 && !fiber.isCancelled && !fiber.isFinished)
                try gate.succeed(())
                #expect(try await fiber.join() == 7)
            }
        }
    }

    @Test func `scenario 42: the end of another scheduler cancels what is awaited, and tells who waits`() async throws {
        try await withScheduler { here in
            let there = try Scheduler()
            let fiber = there.spawn { try Fiber.sleep(until: .never) }
            let waiters = strands(on: here) { try fiber.join() } async: { try await fiber.join() }
            try await awaitUntil("both wait") { fiber.end.waiting == 2 }
            #expect(try await onThread { there.shutdown(deadline: .after(patience)) } == ShutdownReport())
            await #expect(throws: CancellationError.self) { try await waiters.0.join() }
            await #expect(throws: CancellationError.self) { try await waiters.1.value }
            // They were told of a cancellation, and are not cancelled.
            #expect(!waiters.0.isCancelled && !waiters.1.isCancelled)
        }
    }
}
