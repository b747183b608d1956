import Testing

@testable import Ringlet

/// The poll of a worker's wake-up: on io_uring the one operation that has several completions.
@Suite(.timeLimit(.patient)) struct WakePollTests {
    @Test func `a wake-up that the kernel ends at any moment is armed anew, and none is lost`() async throws {
        let scheduler = try Scheduler()
        let worker = scheduler.workers[0]
        let figures = { @Sendable () throws -> (Int, UInt64) in
            try scheduler.spawn { (worker.internalOperations, worker.counters.submissions) }
                .join(deadline: .after(patience))
        }
        try await onThread {
            let rounds = 2000
            let before = try figures()
            var random = SystemRandomNumberGenerator()
            for _ in 0..<rounds {
                // The spawn wakes the worker, which has its poll cancelled and sleeps. The next spawn comes before, while
                // or after the kernel does it.
                let fiber = scheduler.spawn {
                    worker.submitUnawaited(.cancel(userData: UserDataKind.wake.userData))
                }
                for _ in 0..<Int.random(in: 0..<300, using: &random) { _ = fiber.isFinished }
                try fiber.join(deadline: .after(patience))
            }
            let after = try figures()
            #expect(after.0 == before.0)
            // A cancel in each round, and in many of them a poll: now and then it is not yet armed again.
            #expect(after.1 >= before.1 + UInt64(rounds + rounds / 10))
            #expect(scheduler.shutdown(deadline: .after(patience)) == ShutdownReport())
        }
    }
}
