import Testing

@testable import Ringlet

/// What a gather of its own children throws, whichever of them fails and however it is cut short.
@Suite(.timeLimit(.patient)) struct GatherCancelTests {
    @Test func `an error of the child that is being waited for is told once`() async throws {
        try await inEveryOrder {
            let error = errorThrown {
                _ = try gather(
                    { try Fiber.yield(); throw Failure(number: 1) },
                    { try Fiber.sleep(until: .never) })
            }
            #expect((error as? GroupError)?.errors as? [Failure] == [Failure(number: 1)])
        }
        try await inEveryOrder { () async throws in
            let error = await errorThrown {
                _ = try await gather(
                    { await Task.yield(); throw Failure(number: 1) },
                    { try await Scheduler.sleep(until: .never) })
            }
            #expect((error as? GroupError)?.errors as? [Failure] == [Failure(number: 1)])
        }
    }

    @Test func `a child that ends as cancelled ends the gather, and is no failure`() async throws {
        try await inEveryOrder {
            #expect(throws: CancellationError.self) {
                _ = try gather({ throw CancellationError() }, { try Fiber.sleep(until: .never) })
            }
        }
        try await inEveryOrder { () async throws in
            await #expect(throws: CancellationError.self) {
                _ = try await gather(
                    { throw CancellationError() }, { try await Scheduler.sleep(until: .never) })
            }
        }
    }

    /// Tells that it is inside and sleeps until it is cancelled, which it counts.
    private static func body(_ isInside: Flag, _ cancelled: Counter) -> @Sendable () throws -> Void {
        {
            isInside.set()
            do { try Fiber.sleep(until: .never) } catch { cancelled.add(); throw error }
        }
    }

    @Test func `what a fiber in a gather or race is cancelled or interrupted with is told as it is`() async throws {
        let ends: [@Sendable (AnyFiber) -> Void] = [
            { $0.cancel(throwing: Failure(number: 2)) }, { $0.interrupt(throwing: Failure(number: 2)) },
        ]
        let waits: [@Sendable (@escaping @Sendable () throws -> Void) throws -> Void] = [
            { _ = try gather([$0]) }, { try race([$0]) }, { try race(staggeredBy: .seconds(1000), [$0, {}]) },
        ]
        for wait in waits {
            for end in ends {
                try await inEveryOrder {
                    let cancelled = Counter()
                    let isInside = Flag()
                    let fiber = Fiber { try wait(Self.body(isInside, cancelled)) }
                    try yieldUntil("it is inside") { isInside.isSet }
                    end(fiber)
                    #expect(throws: Failure(number: 2)) { try fiber.join() }
                    #expect(cancelled.value == 1)
                }
            }
        }
    }
}
