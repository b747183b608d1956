import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct GatherTests {
    @Test func `scenario 67: gather gives values in order, and cancels what it owns when one fails`() async throws {
        try await inEveryOrder {
            let none: [@Sendable () throws -> Int] = []
            let nothing = try gather(none)
            #expect(nothing.isEmpty)
            let bodies = (0..<4).map { number in
                { @Sendable () throws -> Int in
                    for _ in 0..<(4 - number) { try Fiber.yield() }
                    return number
                }
            }
            #expect(try gather(bodies) == [0, 1, 2, 3])
            let cancelled = Counter()
            let error = errorThrown {
                _ = try gather(
                    { do { try Fiber.sleep(until: .never) } catch { cancelled.add(); throw error } },
                    { try Fiber.yield(); throw Failure(number: 1) })
            }
            #expect((error as? GroupError)?.errors as? [Failure] == [Failure(number: 1)])
            #expect(cancelled.value == 1)
            // The first is also the one that is waited for first.
            let first = errorThrown {
                _ = try gather({ throw Failure(number: 2) }, { try Fiber.sleep(until: .never) })
            }
            #expect((first as? GroupError)?.errors as? [Failure] == [Failure(number: 2)])
        }
    }

    @Test func `scenario 67: the gather of asyncio leaves the others running`() async throws {
        try await inEveryOrder {
            let gate = Promise<Void>()
            let slow = Fiber { try gate.value(); return 1 }
            let failing = Fiber { () throws -> Int in try Fiber.yield(); throw Failure(number: 1) }
            #expect(throws: Failure(number: 1)) { _ = try gatherLeavingOthersRunning([slow, failing]) }
            #expect(slow.outcome == nil && !slow.isCancelled)
            try gate.succeed(())
            #expect(try gatherLeavingOthersRunning([slow, slow]) == [1, 1])
            #expect(try gatherLeavingOthersRunning([Fiber<Int>]()).isEmpty)
            let outcomes = try gatherOutcomes([slow, failing])
            #expect(try outcomes[0].get() == 1 && outcomes[1].error is Failure)

            // Cancelling it cancels the others; a cancelled one does not cancel it.
            let endless = (0..<2).map { _ in Fiber { try Fiber.sleep(until: .never) } }
            let waiter = Fiber { _ = try gatherLeavingOthersRunning(endless) }
            try Fiber.yield()
            try Fiber.yield()
            waiter.cancel()
            #expect(throws: CancellationError.self) { try waiter.join() }
            for fiber in endless { try fiber.wait() }
            #expect(endless.allSatisfy { $0.isCancelled })
        }
    }

    @Test func `scenario 67: whatever ends the wait of a gather cancels what it waits for`() async throws {
        try await inEveryOrder {
            for keepsOutcomes in [false, true] {
                let endless = (0..<2).map { _ in Fiber { try Fiber.sleep(until: .never) } }
                let isWaiting = Flag()
                let waiter = Fiber {
                    isWaiting.set()
                    if keepsOutcomes {
                        _ = try gatherOutcomes(endless)
                    } else {
                        _ = try gatherLeavingOthersRunning(endless)
                    }
                }
                try yieldUntil("it waits") { isWaiting.isSet }
                waiter.interrupt(throwing: Failure(number: 7))
                #expect(throws: Failure(number: 7)) { try waiter.join() }
                for fiber in endless { try fiber.wait() }
                #expect(endless.allSatisfy { $0.isCancelled })
            }
        }
    }

    @Test func `scenario 67: one of them that is cancelled cancels no other`() async throws {
        try await inEveryOrder {
            let gate = Promise<Void>()
            let slow = Fiber { try gate.value() }
            let cancelled = Fiber { try Fiber.sleep(until: .never) }
            let waiter = Fiber { _ = try gatherLeavingOthersRunning([slow, cancelled]) }
            let taskWaits = Flag()
            let executor = try #require(Scheduler.current).taskExecutor
            let task = Task(executorPreference: executor) {
                taskWaits.set()
                _ = try await gatherLeavingOthersRunning([slow, cancelled])
            }
            try yieldUntil("it waits") { taskWaits.isSet }
            cancelled.cancel()
            #expect(throws: CancellationError.self) { try waiter.join() }
            let result = try Fiber.await { await task.result }
            #expect(throws: CancellationError.self) { try result.get() }
            #expect(!waiter.isCancelled && !slow.isCancelled && slow.outcome == nil)
            try gate.succeed(())
            try slow.join()
        }
    }

    @Test func `scenario 68: a wait cancels nothing, and tells what has ended`() async throws {
        try await inEveryOrder {
            let gate = Promise<Void>()
            let quick = Fiber { try Fiber.yield() }
            let failing = Fiber { try gate.value(); throw Failure() }
            let endless = Fiber { try Fiber.sleep(until: .never) }
            let all = [endless, quick, failing, quick]

            let first = try wait(for: all, until: .firstCompleted)
            #expect(first.done.map(\.id) == [quick.id])
            #expect(first.pending.map(\.id) == [endless.id, failing.id])

            let timedOut = try wait(for: all, deadline: .after(.milliseconds(2)))
            #expect(timedOut.done.count == 1 && timedOut.pending.count == 2)

            try gate.succeed(())
            let failed = try wait(for: all, until: .firstFailure)
            #expect(failed.done.map(\.id) == [quick.id, failing.id])
            #expect(!endless.isCancelled)
            endless.cancel()
            #expect(try wait(for: all).pending.isEmpty)
            #expect(try wait(for: [Fiber<Int>]()).done.isEmpty)
        }
    }

    @Test func `scenario 68: a wait for a number of ends`() async throws {
        try await inEveryOrder {
            let gates = (0..<4).map { _ in Promise<Void>() }
            let fibers = gates.map { gate in Fiber { try gate.value() } }
            #expect(try wait(for: fibers, until: .completed(0)).done.isEmpty)
            try gates[2].succeed(())
            let opener = Fiber { try gates[1].fail(Failure()) }
            let two = try wait(for: fibers, until: .completed(2))
            #expect(two.done.map(\.id) == [fibers[1].id, fibers[2].id] && opener.isFinished)
            // What has ended counts.
            #expect(try wait(for: fibers, until: .completed(1)).done.count == 2)
            let timedOut = try wait(for: fibers, until: .completed(3), deadline: .after(.milliseconds(1)))
            #expect(timedOut.pending.count == 2)
            for gate in [gates[0], gates[3]] { try gate.succeed(()) }
            #expect(try wait(for: fibers, until: .completed(9)).done.count == 4)
        }
        let promises = (0..<3).map { _ in Promise<Int>() }
        async let two = wait(for: promises, until: .completed(2))
        for promise in promises.prefix(2) { try promise.succeed(1) }
        #expect(try await two.done.count == 2)
    }

    @Test func `what ends while a wait begins is counted once, and while it ends is in its result`() async throws {
        try await Scheduler.run(SchedulerOptions(workers: 2)) {
            let scheduler = try #require(Scheduler.current)
            let channel = Channel<[Promise<Int>]>()
            let other = scheduler.spawn(onWorker: 1) {
                while let promises = try? channel.receive() {
                    for promise in promises.dropLast() { try promise.succeed(1) }
                    try Fiber.sleep(for: .milliseconds(1))
                    try promises.last?.succeed(1)
                }
            }
            var wrong = 0
            var lost = 0
            for round in 0..<600 {
                // So many that some end while the wait looks at them.
                let promises = (0..<200).map { _ in Promise<Int>() }
                try channel.send(promises)
                while promises[0].outcome == nil {}
                if round % 2 == 0 {
                    if try wait(for: promises, until: .completed(200)).done.count != 200 { wrong += 1 }
                } else {
                    let result = try wait(for: promises, until: .firstCompleted)
                    if result.done.count + result.pending.count != 200 { lost += 1 }
                }
            }
            channel.close()
            try other.join()
            #expect(wrong == 0 && lost == 0)
        }
    }

    @Test func `scenario 68: as they end, one after another, and the rest later`() async throws {
        try await inEveryOrder {
            let gates = (0..<4).map { _ in Promise<Int>() }
            let fibers = gates.map { gate in Fiber { try gate.value() } }
            let ends = asCompleted(fibers + fibers)
            try gates[2].succeed(2)
            #expect(try ends.next()!.join() == 2)
            try gates[0].succeed(0)
            #expect(try ends.next()!.join() == 0)
            // Left, and resumed.
            try gates[3].succeed(3)
            try gates[1].succeed(1)
            #expect(Set([try ends.next()!.join(), try ends.next()!.join()]) == [1, 3])
            #expect(try ends.next() == nil)
            let late = asCompleted([Promise<Int>()], deadline: .after(.milliseconds(2)))
            #expect(throws: TimeoutError.self) { _ = try late.next() }
        }
    }

    @Test func `scenario 47: of two failures the earlier one is told`() async throws {
        try await inEveryOrder {
            let gate = Promise<Void>()
            let later = Fiber { () throws -> Int in try gate.value(); throw Failure(number: 2) }
            let earlier = Fiber { () throws -> Int in
                try Fiber.yield()
                try gate.succeed(())
                throw Failure(number: 1)
            }
            #expect(throws: Failure(number: 1)) { _ = try gatherLeavingOthersRunning([later, earlier]) }
        }
    }

    @Test func `scenario 68: in a race the first success wins, and the losers are cancelled`() async throws {
        try await Scheduler.run {
            let steps = Journal<String>()
            let winner = try race([
                { do { try Fiber.sleep(until: .never) } catch { steps.note("cancelled") }; return 1 },
                { try Fiber.yield(); return 2 },
            ] as [@Sendable () throws -> Int])
            // The first one swallowed its cancellation and returned as well, so the lowest index wins.
            #expect(winner == 1 && steps.all == ["cancelled"])

            let second = try race(
                { try Fiber.sleep(until: .never); return 1 }, { try Fiber.yield(); return 2 })
            #expect(second == 2)

            let error = errorThrown {
                _ = try race([{ throw Failure(number: 1) }, { throw Failure(number: 2) }] as [@Sendable () throws -> Int])
            }
            #expect((error as? GroupError)?.errors as? [Failure] == [Failure(number: 1), Failure(number: 2)])
        }
    }

    @Test func `scenario 68: in every order one that succeeds wins a race, and all failures are told`() async throws {
        try await inEveryOrder { () throws in
            let winner = try race([
                { try Fiber.sleep(until: .never); return 1 }, { try Fiber.yield(); return 2 }, { throw Failure() },
            ] as [@Sendable () throws -> Int])
            #expect(winner == 2)
            let error = errorThrown {
                _ = try race([{ throw Failure(number: 1) }, { throw Failure(number: 2) }] as [@Sendable () throws -> Int])
            }
            let failures = (error as? GroupError)?.errors as? [Failure]
            #expect(failures?.map(\.number).sorted() == [1, 2])
        }
        try await inEveryOrder { () async throws in
            let winner = try await race([
                { try await Scheduler.sleep(until: .never); return 1 }, { await Task.yield(); return 2 },
                { throw Failure() },
            ] as [@Sendable @concurrent () async throws -> Int])
            #expect(winner == 2)
        }
    }

    @Test func `scenario 68: the next one starts after a delay, or when the one before has failed`() async throws {
        try await inEveryOrder {
            let starts = Journal<Int>()
            let second = try race(staggeredBy: .seconds(1000), [
                { starts.note(1); throw Failure(number: 1) },
                { starts.note(2); return 2 },
                { starts.note(3); return 3 },
            ] as [@Sendable () throws -> Int])
            #expect(second == 2 && starts.all == [1, 2])

            let delayed = try race(staggeredBy: .milliseconds(2), [
                { try Fiber.sleep(until: .never); return 1 }, { return 2 },
            ] as [@Sendable () throws -> Int])
            #expect(delayed == 2)
        }
    }

    @Test func `scenario 52: a waiter that is cancelled leaves what it waits for alone`() async throws {
        try await inEveryOrder {
            let gate = Promise<Void>()
            let inner = Fiber { try gate.value(); return 9 }
            let waiter = Fiber { try inner.join() }
            try Fiber.yield()
            try Fiber.yield()
            waiter.cancel()
            #expect(throws: CancellationError.self) { try waiter.join() }
            try gate.succeed(())
            #expect(try inner.join() == 9)
        }
    }

    @Test func `scenarios 67 and 68 in tasks`() async throws {
        #expect(try await gather((0..<4).map { number in { @Sendable () async throws -> Int in
            for _ in 0..<(4 - number) { await Task.yield() }
            return number
        } }) == [0, 1, 2, 3])

        let promises = (0..<3).map { _ in Promise<Int>() }
        async let first = wait(for: promises, until: .firstCompleted)
        try promises[1].succeed(1)
        #expect(try await first.done.count == 1)
        let ends = asCompleted(promises)
        try promises[2].fail(Failure(number: 2))
        var order: [Int] = []
        for _ in 0..<2 { if let promise = try await ends.next() { order.append(promises.firstIndex { $0 === promise }!) } }
        #expect(Set(order) == [1, 2])
        await #expect(throws: Failure(number: 2)) { _ = try await gatherLeavingOthersRunning(promises) }
        promises[0].cancel()
        #expect(try await gatherOutcomes(promises).map(\.isSuccess) == [false, true, false])

        let winner = try await race([
            { try await Scheduler.sleep(until: .never); return 1 }, { await Task.yield(); return 2 },
        ] as [@Sendable @concurrent () async throws -> Int])
        #expect(winner == 2)
        let staggered = try await race(
            staggeredBy: .milliseconds(2),
            { try await Scheduler.sleep(until: .never); return 1 }, { await Task.yield(); return 2 })
        #expect(staggered == 2)
    }
}
