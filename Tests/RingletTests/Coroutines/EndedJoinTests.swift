import RingletTesting
import Testing

@testable import Ringlet

/// A join that ends before what it waits for leaves nothing there, however often.
///
/// Without a seed: what is chosen among ten thousand takes time.
@Suite(.timeLimit(.patient)) struct EndedJoinTests {
    private static let joins = 10_000

    @Test func `ten thousand joins whose deadlines pass leave no waiter behind`() async throws {
        try await Simulation.run { () throws -> Void in
            let passed = Counter()
            let target = Fiber { try Fiber.sleep(until: .never) }
            for _ in 0..<Self.joins {
                do { try target.join(deadline: .after(.microseconds(1))) } catch is TimeoutError { passed.add() }
            }
            #expect(passed.value == Self.joins && target.end.waiting == 0)
            // All at the same time, of which one goes on.
            let joiners = (0..<Self.joins).map { number in
                Fiber { () throws -> Void in
                    let deadline = number == 77 ? Deadline.never : .after(.microseconds(number % 7 + 1))
                    do { try target.join(deadline: deadline) } catch is TimeoutError { passed.add() }
                }
            }
            for (number, joiner) in joiners.enumerated() where number != 77 { try joiner.join() }
            #expect(passed.value == 2 * Self.joins - 1 && target.end.waiting == 1)
            target.cancel()
            #expect(throws: CancellationError.self) { try joiners[77].join() }
            #expect(target.end.waiting == 0)
        }
        try await Simulation.run { () async throws -> Void in
            let passed = Counter()
            let target = Fiber { try Fiber.sleep(until: .never) }
            let joiners = (0..<Self.joins).map { number in
                taskHere { () async throws -> Void in
                    let deadline = Deadline.after(.microseconds(number % 7 + 1))
                    do { try await target.join(deadline: deadline) } catch is TimeoutError { passed.add() }
                }
            }
            for joiner in joiners { try await joiner.value }
            #expect(passed.value == Self.joins && target.end.waiting == 0)
            target.cancel()
        }
    }

    @Test func `ten thousand joins that are cancelled leave no waiter behind`() async throws {
        try await Simulation.run { () throws -> Void in
            let (begun, cancelled) = (Counter(), Counter())
            let target = Fiber { try Fiber.sleep(until: .never) }
            let joiners = (0..<Self.joins).map { _ in
                Fiber { () throws -> Void in
                    begun.add()
                    do { try target.join() } catch is CancellationError { cancelled.add() }
                }
            }
            try yieldUntil("all wait") { begun.value == Self.joins }
            #expect(target.end.waiting == Self.joins)
            for joiner in joiners { joiner.cancel() }
            for joiner in joiners { try joiner.wait() }
            #expect(cancelled.value == Self.joins && target.end.waiting == 0 && !target.isCancelled)
            target.cancel()
        }
        try await Simulation.run { () async throws -> Void in
            let (begun, cancelled) = (Counter(), Counter())
            let target = Fiber { try Fiber.sleep(until: .never) }
            let joiners = (0..<Self.joins).map { _ in
                taskHere { () async throws -> Void in
                    begun.add()
                    do { try await target.join() } catch is CancellationError { cancelled.add() }
                }
            }
            try await yieldTaskUntil("all wait") { begun.value == Self.joins }
            #expect(target.end.waiting == Self.joins)
            for joiner in joiners { joiner.cancel() }
            for joiner in joiners { try await joiner.value }
            #expect(cancelled.value == Self.joins && target.end.waiting == 0 && !target.isCancelled)
            target.cancel()
        }
    }

    /// A plain thread, and a task that no worker runs, by the machine's clock.
    @Test func `joins of threads and of tasks elsewhere leave no waiter behind`() async throws {
        try await withScheduler { scheduler in
            let target = scheduler.spawn { try Fiber.sleep(until: .never) }
            for _ in 0..<100 {
                let deadline = Deadline.after(.microseconds(1))
                await #expect(throws: TimeoutError.self) { try await target.join(deadline: deadline) }
                try await onThread { () -> Void in
                    #expect(throws: TimeoutError.self) { try target.join(deadline: .after(.microseconds(1))) }
                }
            }
            #expect(target.end.waiting == 0)
            target.cancel()
        }
    }
}
