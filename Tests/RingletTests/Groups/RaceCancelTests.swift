import RingletTesting
import Testing

@testable import Ringlet

/// What a cancellation of who waits for a race does to it, at every time, each under a hundred orders.
@Suite(.timeLimit(.patient)) struct RaceCancelTests {
    typealias Bodies = [@Sendable () throws -> Int]
    typealias TaskBodies = [@Sendable @concurrent () async throws -> Int]

    @Test func `scenario 68: a race that is cancelled before it begins runs nothing`() async throws {
        try await inEveryOrder { () throws in
            let begun = Counter()
            let fiber = Fiber { () throws -> Int in
                AnyFiber.current?.cancel()
                return try race([{ begun.add() }, { begun.add() }] as Bodies)
            }
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(begun.value == 0)
        }
        try await inEveryOrder { () async throws in
            let begun = Counter()
            let task = taskHere { () async throws -> Int in
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                return try await race([{ begun.add() }, { begun.add() }] as TaskBodies)
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(begun.value == 0)
        }
    }

    @Test(arguments: [1, 2])
    func `scenario 68: a race that is cancelled cancels all its bodies and waits for them`(times: Int) async throws {
        try await inEveryOrder { () throws in
            let (asleep, cleaned) = (Counter(), Counter())
            let body: @Sendable () throws -> Int = {
                asleep.add()
                do { try Fiber.sleep(until: .never) } catch is CancellationError {
                    try withoutCancellation { try Fiber.sleep(for: .microseconds(50)) }
                    return cleaned.add()
                }
                return 0
            }
            let fiber = Fiber { () throws -> Int in
                defer { #expect(cleaned.value == 2) }
                return try race([body, body])
            }
            try yieldUntil("both sleep") { asleep.value == 2 }
            for _ in 0..<times {
                #expect(fiber.cancel())
                try Fiber.yield()
            }
            // Although their clean-up has values.
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(cleaned.value == 2)
        }
        try await inEveryOrder { () async throws in
            let (asleep, cleaned) = (Counter(), Counter())
            let body: @Sendable @concurrent () async throws -> Int = {
                asleep.add()
                do { try await Scheduler.sleep(until: .never) } catch is CancellationError {
                    try await withoutCancellation { try await Scheduler.sleep(for: .microseconds(50)) }
                    return cleaned.add()
                }
                return 0
            }
            let task = taskHere { () async throws -> Int in
                defer { #expect(cleaned.value == 2) }
                return try await race([body, body])
            }
            try await yieldTaskUntil("both sleep") { asleep.value == 2 }
            for _ in 0..<times {
                task.cancel()
                await Task.yield()
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(cleaned.value == 2)
        }
    }

    @Test func `scenario 68: a staggered race that is cancelled between two starts begins no other`() async throws {
        try await inEveryOrder { () throws in
            let begun = Counter()
            let fiber = Fiber { () throws -> Int in
                try race(staggeredBy: .seconds(1000), [
                    { begun.add(); try Fiber.sleep(until: .never); return 1 }, { begun.add() },
                ] as Bodies)
            }
            try yieldUntil("the first runs") { begun.value == 1 }
            fiber.cancel()
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(begun.value == 1)
        }
        try await inEveryOrder { () async throws in
            let begun = Counter()
            let task = taskHere { () async throws -> Int in
                try await race(staggeredBy: .seconds(1000), [
                    { begun.add(); try await Scheduler.sleep(until: .never); return 1 }, { begun.add() },
                ] as TaskBodies)
            }
            try await yieldTaskUntil("the first runs") { begun.value == 1 }
            task.cancel()
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(begun.value == 1)
        }
    }
}
