import Testing

@testable import Ringlet

/// What waits for several in a task, as numbered scenarios, each under a hundred orders. In fibers: `GatherTests`.
@Suite(.timeLimit(.patient)) struct TaskGatherScenarioTests {
    private typealias Bodies = [@Sendable @concurrent () async throws -> Int]

    /// A body that waits for ever, and counts its begin and its cancellation.
    private static func endless(_ asleep: Counter, _ cancelled: Counter) -> @Sendable () async throws -> Int {
        {
            asleep.add()
            do { try await Scheduler.sleep(until: .never) } catch { cancelled.add(); throw error }
            return 0
        }
    }

    // MARK: Gather

    @Test func `scenario 67 in a task: gather gives values in order, and cancels what it owns when one fails`()
        async throws
    {
        try await inEveryOrder { () async throws in
            #expect(try await gather(Bodies()).isEmpty)
            let bodies: Bodies = (0..<4).map { number in
                {
                    for _ in 0..<(4 - number) { await Task.yield() }
                    return number
                }
            }
            #expect(try await gather(bodies) == [0, 1, 2, 3])
            // The same twice is two.
            #expect(try await gather([bodies[1], bodies[1]]) == [1, 1])
            let (asleep, cancelled) = (Counter(), Counter())
            let error = await errorThrown {
                _ = try await gather(
                    Self.endless(asleep, cancelled),
                    {
                        try await yieldTaskUntil("the other sleeps") { asleep.value == 1 }
                        throw Failure(number: 1)
                    })
            }
            #expect((error as? GroupError)?.errors as? [Failure] == [Failure(number: 1)])
            #expect(cancelled.value == 1)
        }
    }

    @Test func `scenario 67 in a task: a gather that is cancelled cancels what it owns, and awaits it`() async throws {
        try await inEveryOrder { () async throws in
            let (asleep, cancelled) = (Counter(), Counter())
            let task = taskHere {
                try await gather([Self.endless(asleep, cancelled), Self.endless(asleep, cancelled)])
            }
            try await yieldTaskUntil("they sleep") { asleep.value == 2 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(cancelled.value == 2)
        }
    }

    @Test func `scenario 67 in a task: the gather of asyncio leaves the others running`() async throws {
        try await inEveryOrder { () async throws in
            let slow = Promise<Int>()
            let failing = Promise<Int>()
            let opener = taskHere { try failing.fail(Failure(number: 1)) }
            await #expect(throws: Failure(number: 1)) { try await gatherLeavingOthersRunning([slow, failing]) }
            try await opener.value
            #expect(slow.outcome == nil)
            try slow.succeed(1)
            // Given twice, it gives its value twice.
            #expect(try await gatherLeavingOthersRunning([slow, slow]) == [1, 1])
            #expect(try await gatherLeavingOthersRunning([Promise<Int>]()).isEmpty)
            let outcomes = try await gatherOutcomes([slow, failing, slow])
            #expect(outcomes.map(\.isSuccess) == [true, false, true] && outcomes[1].error is Failure)
            #expect(try await gatherOutcomes([Promise<Int>]()).isEmpty)
        }
    }

    @Test func `scenario 67 in a task: cancelling who gathers what others started cancels that`() async throws {
        try await inEveryOrder { () async throws in
            for keepsOutcomes in [false, true] {
                let endless = (0..<2).map { _ in Fiber { try Fiber.sleep(until: .never) } }
                let isWaiting = Flag()
                let waiter = taskHere {
                    isWaiting.set()
                    if keepsOutcomes {
                        _ = try await gatherOutcomes(endless)
                    } else {
                        _ = try await gatherLeavingOthersRunning(endless)
                    }
                }
                try await yieldTaskUntil("it waits") { isWaiting.isSet }
                waiter.cancel()
                await #expect(throws: CancellationError.self) { try await waiter.value }
                for fiber in endless { try await fiber.wait() }
                #expect(endless.allSatisfy { $0.isCancelled })
            }
        }
    }

    @Test func `scenario 47 in a task: of two failures the earlier one is told, and count and deadline hold`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let (later, earlier, open) = (Promise<Int>(), Promise<Int>(), Promise<Int>())
            let failing = taskHere {
                try earlier.fail(Failure(number: 1))
                try later.fail(Failure(number: 2))
            }
            await #expect(throws: Failure(number: 1)) {
                try await gatherLeavingOthersRunning([later, open, earlier])
            }
            try await failing.value
            let two = try await wait(for: [open, later, earlier], until: .completed(2))
            #expect(two.done.map { $0 === later } == [true, false] && two.pending.first === open)
            let late = try await wait(for: [open, later, earlier], deadline: .after(.milliseconds(3)))
            #expect(late.done.count == 2 && late.pending.count == 1 && open.outcome == nil)
        }
    }

    // MARK: Waiting without owning

    @Test func `scenario 68 in a task: a wait cancels nothing, and tells what has ended`() async throws {
        try await inEveryOrder { () async throws in
            let gate = Promise<Void>()
            let quick = Fiber { try Fiber.yield() }
            let failing = Fiber { try gate.value(); throw Failure() }
            let endless = Fiber { try Fiber.sleep(until: .never) }
            let all = [endless, quick, failing, quick]

            let first = try await wait(for: all, until: .firstCompleted)
            #expect(first.done.map(\.id) == [quick.id])
            #expect(first.pending.map(\.id) == [endless.id, failing.id])

            let timedOut = try await wait(for: all, deadline: .after(.milliseconds(2)))
            #expect(timedOut.done.count == 1 && timedOut.pending.count == 2)

            try gate.succeed(())
            let failed = try await wait(for: all, until: .firstFailure)
            #expect(failed.done.map(\.id) == [quick.id, failing.id])

            let waiter = taskHere { _ = try await wait(for: all) }
            await Task.yield()
            waiter.cancel()
            await #expect(throws: CancellationError.self) { try await waiter.value }
            #expect(!endless.isCancelled)
            endless.cancel()
            #expect(try await wait(for: all).pending.isEmpty)
            #expect(try await wait(for: [Fiber<Int>]()).done.isEmpty)
        }
    }

    @Test func `scenario 68 in a task: as they end, one after another, and the rest later`() async throws {
        try await inEveryOrder { () async throws in
            let promises = (0..<4).map { _ in Promise<Int>() }
            let ends = asCompleted(promises + promises)
            let opener = taskHere {
                try promises[2].succeed(2)
                try await Scheduler.sleep(for: .microseconds(5))
                try promises[0].fail(Failure())
            }
            #expect(try await ends.next() === promises[2])
            #expect(try await ends.next() === promises[0])
            try await opener.value
            // Left, and resumed.
            try promises[3].succeed(3)
            try promises[1].succeed(1)
            var rest: [Int] = []
            for try await promise in ends { rest.append(try promise.currentValue()) }
            #expect(rest.sorted() == [1, 3])
            let open = Promise<Int>()
            let late = asCompleted([open], deadline: .after(.milliseconds(2)))
            await #expect(throws: TimeoutError.self) { try await late.next() }
            #expect(open.outcome == nil)
        }
    }

    @Test func `scenario 68 in a task: in a staggered race the next starts after a delay or a failure, and losers end`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let starts = Journal<Int>()
            let second = try await race(staggeredBy: .seconds(1000), [
                { starts.note(1); throw Failure(number: 1) },
                { starts.note(2); return 2 },
                { starts.note(3); return 3 },
            ] as Bodies)
            #expect(second == 2 && starts.all == [1, 2])

            let (asleep, cancelled) = (Counter(), Counter())
            let delayed = try await race(
                staggeredBy: .milliseconds(2),
                [
                    Self.endless(asleep, cancelled),
                    {
                        try await yieldTaskUntil("the other sleeps") { asleep.value == 1 }
                        return 2
                    },
                ] as Bodies)
            #expect(delayed == 2 && cancelled.value == 1)

            let error = await errorThrown {
                _ = try await race([{ throw Failure(number: 1) }, { throw Failure(number: 2) }] as Bodies)
            }
            let failures = (error as? GroupError)?.errors as? [Failure]
            #expect(failures?.map(\.number).sorted() == [1, 2])
        }
    }

    // MARK: Shields

    @Test func `scenario 52 in a task: a waiter that is cancelled leaves what it waits for alone`() async throws {
        try await inEveryOrder { () async throws in
            let gate = Promise<Void>()
            let fiber = Fiber { try gate.value(); return 9 }
            let promise = Promise<Int>()
            let inner = taskHere {
                try await gate.value()
                #expect(!Task.isCancelled)
                try promise.succeed(8)
            }
            let waiting = Counter()
            let waiters = [
                taskHere { waiting.add(); return try await fiber.join() },
                taskHere { waiting.add(); return try await promise.value() },
            ]
            try await yieldTaskUntil("they wait") { waiting.value == 2 }
            for waiter in waiters {
                waiter.cancel()
                await #expect(throws: CancellationError.self) { try await waiter.value }
            }
            try gate.succeed(())
            try await inner.value
            #expect(try await fiber.join() == 9)
            #expect(try promise.currentValue() == 8)
        }
    }
}
