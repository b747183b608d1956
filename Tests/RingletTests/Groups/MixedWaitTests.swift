import RingletTesting
import Testing

@testable import Ringlet

/// Waiting for what is of different types in one call, each under a hundred orders.
@Suite(.timeLimit(.patient)) struct MixedWaitTests {
    @Test func `scenario 68: fibers and promises of several types are waited for together`() async throws {
        try await inEveryOrder { () throws in
            let gate = Promise<Void>()
            let number = Fiber { 1 }
            let word = Fiber { () throws -> String in
                try gate.value()
                throw Failure()
            }
            let open = Promise<[Int]>()
            let all: [any Awaitable] = [open, word, number, number]

            let first = try wait(for: [open, word, number, number], until: .firstCompleted)
            #expect(same(first.done, [number]) && same(first.pending, [open, word]))
            let timedOut = try wait(for: all, deadline: .after(.milliseconds(2)))
            #expect(same(timedOut.done, [number]) && same(timedOut.pending, [open, word]))
            try gate.succeed(())
            let failed = try wait(for: all, until: .firstFailure)
            #expect(same(failed.done, [word, number]) && same(failed.pending, [open]))
            let two = try wait(for: all, until: .completed(2))
            #expect(same(two.done, [word, number]))

            let waiter = Fiber { try wait(for: all).done.count }
            try Fiber.yield()
            waiter.cancel()
            #expect(throws: CancellationError.self) { try waiter.join() }
            #expect(open.outcome == nil)
            try open.succeed([])
            let every = try wait(for: all)
            #expect(same(every.done, [open, word, number]) && every.pending.isEmpty)
            #expect(try wait(for: [any Awaitable]()).done.isEmpty)
            #expect(throws: Failure()) { try word.join() }
        }
    }

    @Test func `scenario 68 in a task: fibers and promises of several types are waited for together`() async throws {
        try await inEveryOrder { () async throws in
            let gate = Promise<Void>()
            let number = Fiber { 1 }
            let word = Fiber { () throws -> String in
                try gate.value()
                throw Failure()
            }
            let open = Promise<[Int]>()
            let all: [any Awaitable] = [open, word, number, number]

            let first = try await wait(for: [open, word, number, number], until: .firstCompleted)
            #expect(same(first.done, [number]) && same(first.pending, [open, word]))
            let timedOut = try await wait(for: all, deadline: .after(.milliseconds(2)))
            #expect(same(timedOut.done, [number]) && same(timedOut.pending, [open, word]))
            try gate.succeed(())
            let failed = try await wait(for: all, until: .firstFailure)
            #expect(same(failed.done, [word, number]) && same(failed.pending, [open]))

            let waiter = taskHere { try await wait(for: all).done.count }
            await Task.yield()
            waiter.cancel()
            await #expect(throws: CancellationError.self) { try await waiter.value }
            #expect(open.outcome == nil)
            try open.succeed([])
            let every = try await wait(for: all)
            #expect(same(every.done, [open, word, number]) && every.pending.isEmpty)
            await #expect(throws: Failure()) { try await word.join() }
        }
    }

    @Test func `scenario 68: what is of several types comes as it ends, in both colours`() async throws {
        @Sendable func start() -> (opener: Promise<Int>, all: [any Awaitable]) {
            let (opener, closed) = (Promise<Int>(), Promise<String>())
            let last = Fiber { () throws -> Double in
                _ = try opener.value()
                try closed.succeed("")
                try Fiber.sleep(for: .milliseconds(1))
                return 1
            }
            return (opener, [last, closed, opener, closed])
        }
        try await inEveryOrder { () throws in
            let (opener, all) = start()
            try opener.succeed(1)
            let ends = asCompleted(all)
            var order: [any Awaitable] = []
            while let item = try ends.next() { order.append(item) }
            #expect(same(order, [all[2], all[1], all[0]]))
            let late = asCompleted([Promise<Int>(), Promise<String>()], deadline: .after(.milliseconds(1)))
            #expect(throws: TimeoutError.self) { try late.next() }
        }
        try await inEveryOrder { () async throws in
            let (opener, all) = start()
            try opener.succeed(1)
            var order: [any Awaitable] = []
            for try await item in asCompleted(all) { order.append(item) }
            #expect(same(order, [all[2], all[1], all[0]]))
        }
    }
}

private func same(_ items: [any Awaitable], _ others: [any Awaitable]) -> Bool {
    items.map { ObjectIdentifier($0) } == others.map { ObjectIdentifier($0) }
}
