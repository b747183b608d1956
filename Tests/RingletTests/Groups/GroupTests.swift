import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct GroupTests {
    // MARK: Fibers

    @Test func `a group returns when all that it started has ended`() async throws {
        try await Scheduler.run {
            let ended = Journal<Int>()
            let value = try withGroup { group in
                for number in 0..<10 {
                    try group.spawn {
                        for _ in 0..<(10 - number) { try Fiber.yield() }
                        ended.note(number)
                    }
                }
                try group.spawn { () async in
                    await Task.yield()
                    ended.note(10)
                }
                #expect(group.count == 11 && group.fibers.count == 10)
                return "done"
            }
            #expect(value == "done")
            #expect(Set(ended.all) == Set(0...10))
        }
    }

    @Test func `scenario 63: a child that fails cancels the others and the body, and all errors are told`() async throws {
        try await inEveryOrder {
            let ended = Journal<String>()
            let error = errorThrown {
                try withGroup { group in
                    try group.spawn {
                        do {
                            try Fiber.sleep(until: .never)
                        } catch {
                            try withoutCancellation { try Fiber.sleep(for: .milliseconds(2)) }
                            ended.note("sibling")
                            throw Failure(number: 2)
                        }
                    }
                    try group.spawn {
                        try Fiber.yield()
                        throw Failure(number: 1)
                    }
                    do {
                        try Fiber.sleep(until: .never)
                    } catch {
                        #expect(error is CancellationError)
                        ended.note("body")
                        throw error
                    }
                }
            }
            #expect((error as? GroupError)?.errors as? [Failure] == [Failure(number: 1), Failure(number: 2)])
            #expect(ended.all == ["body", "sibling"])
            // The parent is not left cancelled.
            #expect(AnyFiber.current!.isCancelled == false)
            try Fiber.yield()
        }
    }

    @Test func `scenario 64: a child that is cancelled by itself is no failure`() async throws {
        try await inEveryOrder {
            let value = try withGroup { group in
                let child = try group.spawn { try Fiber.sleep(until: .never) }
                let task = try group.spawn { () async throws in try await Scheduler.sleep(until: .never) }
                try Fiber.yield()
                child.cancel()
                task.cancel()
                try child.wait()
                try Fiber.yield()
                return 5
            }
            #expect(value == 5)
        }
    }

    @Test func `scenario 65: children start children until the end, and none after it`() async throws {
        try await inEveryOrder {
            let late = Flag()
            let kept = try withGroup { group in
                try group.spawn {
                    try Fiber.yield()
                    try group.spawn {
                        try Fiber.yield()
                        try group.spawn { late.set() }
                    }
                }
                return group
            }
            #expect(late.isSet)
            #expect(throws: GroupUseError.hasEnded) { try kept.spawn { Issue.record("it ran") } }
            #expect(throws: GroupUseError.hasEnded) {
                try kept.spawn { () async in Issue.record("it ran") }
            }
        }
    }

    @Test func `what is started in a group that ends early never begins`() async throws {
        try await Scheduler.run {
            let child = Shared<Fiber<Void>?>(nil)
            try withGroup { group in
                group.cancel()
                child.value = try group.spawn { Issue.record("it ran") }
                try group.spawn { () async in Issue.record("it ran") }
            }
            #expect(child.value!.outcome!.isCancelled)
        }
    }

    @Test func `scenario 66: a cancellation from outside and an error in clean-up are both there afterwards`() async throws {
        try await inEveryOrder {
            let asleep = Flag()
            let errors = Journal<String>()
            let fiber = Fiber {
                do {
                    try withGroup { group in
                        try group.spawn {
                            asleep.set()
                            do { try Fiber.sleep(until: .never) } catch { throw Failure(number: 1) }
                        }
                    }
                } catch {
                    errors.note("\(error)")
                }
                try Fiber.yield()
                errors.note("never")
            }
            try yieldUntil("asleep") { asleep.isSet }
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(errors.all == ["one failure in a group: Failure(number: 1)"])
        }
    }

    @Test func `cancelling who opened it cancels the children, in the body and after it`() async throws {
        try await Scheduler.run {
            for waitsInBody in [true, false] {
                let asleep = Counter()
                let cancelled = Counter()
                let fiber = Fiber {
                    try withGroup { group in
                        for _ in 0..<3 {
                            try group.spawn {
                                asleep.add()
                                do { try Fiber.sleep(until: .never) } catch { cancelled.add() }
                            }
                        }
                        if waitsInBody { try Fiber.sleep(until: .never) }
                    }
                }
                try yieldUntil("asleep") { asleep.value == 3 }
                fiber.cancel()
                #expect(throws: CancellationError.self) { try fiber.join() }
                #expect(cancelled.value == 3)
            }
        }
    }

    @Test func `a group that is ended early returns nothing, or throws for want of a value`() async throws {
        try await Scheduler.run {
            let cancelled = Counter()
            try withGroup { group in
                try group.spawn { do { try Fiber.sleep(until: .never) } catch { cancelled.add() } }
                try group.spawn { group.cancel() }
                do { try Fiber.sleep(until: .never) } catch { cancelled.add(); throw error }
            }
            #expect(cancelled.value == 2)
            #expect(throws: CancellationError.self) {
                _ = try withGroup { group -> Int in
                    group.cancel()
                    try Fiber.yield()
                    return 1
                }
            }
        }
    }

    @Test func `a deadline around a group ends it`() async throws {
        try await Scheduler.run {
            let cancelled = Counter()
            #expect(throws: TimeoutError.self) {
                try withDeadline(.after(.milliseconds(3))) { _ in
                    try withGroup { group in
                        try group.spawn { do { try Fiber.sleep(until: .never) } catch { cancelled.add() } }
                    }
                }
            }
            #expect(cancelled.value == 1)
        }
    }

    @Test func `children run on every worker, and fail from there`() async throws {
        try await withScheduler(workers: 3) { scheduler in
            let fiber = scheduler.spawn(onWorker: 0) {
                try withGroup { group in
                    for worker in 0..<3 {
                        try group.spawn(onWorker: worker) { try Fiber.sleep(until: .never) }
                    }
                    try group.spawn(onWorker: 2) { throw Failure(number: 2) }
                }
            }
            let error = await errorThrown { _ = try await fiber.join() }
            #expect((error as? GroupError)?.errors as? [Failure] == [Failure(number: 2)])
        }
    }

    @Test func `a child says that it is ready, or why it is not`() async throws {
        try await Scheduler.run {
            try withGroup { group in
                let port = try group.start { (ready: Promise<Int>) in
                    try ready.succeed(80)
                    try Fiber.sleep(until: .never)
                }
                #expect(port == 80)
                #expect(throws: Failure(number: 1)) {
                    _ = try group.start { (_: Promise<Int>) in throw Failure(number: 1) }
                }
                #expect(throws: GroupUseError.endedBeforeReady) {
                    _ = try group.start { (_: Promise<Int>) in }
                }
                #expect(!group.isCancelled)
                group.cancel()
            }
        }
    }

    @Test func `who waits for a child to be ready hears that it never began`() async throws {
        try await inEveryOrder {
            try withGroup { group in
                group.cancel()
                withoutCancellation {
                    #expect(throws: CancellationError.self) {
                        _ = try group.start { (ready: Promise<Int>) in try ready.succeed(1) }
                    }
                }
            }
        }
        try await inEveryOrder {
            try await withGroup { group in
                group.cancel()
                try await withoutCancellation {
                    await #expect(throws: CancellationError.self) {
                        _ = try await group.start { (ready: Promise<Int>) async throws in try ready.succeed(1) }
                    }
                }
            }
        }
    }

    @Test func `a child's error that the body throws once more is told once`() async throws {
        try await inEveryOrder {
            let error = errorThrown {
                try withGroup { group in try group.spawn { throw Failure(number: 1) }.join() }
            }
            #expect((error as? GroupError)?.errors as? [Failure] == [Failure(number: 1)])
            let different = errorThrown {
                try withGroup { group in
                    do { try group.spawn { throw Failure(number: 1) }.join() } catch { throw Failure(number: 1) }
                }
            }
            #expect((different as? GroupError)?.errors.count == 2)
        }
        try await inEveryOrder {
            let error = await errorThrown {
                try await withGroup { group in
                    try await group.spawn { () async throws in throw Failure(number: 1) }.value
                }
            }
            #expect((error as? GroupError)?.errors as? [Failure] == [Failure(number: 1)])
        }
    }

    @Test func `scenario 69: one child is cancelled with the error of the body`() async throws {
        try await inEveryOrder {
            let seen = Shared<(any Error)?>(nil)
            let asleep = Flag()
            #expect(throws: Failure(number: 3)) {
                try withChild {
                    asleep.set()
                    do { try Fiber.sleep(until: .never) } catch { seen.value = error; throw error }
                } _: { _ in
                    try yieldUntil("asleep") { asleep.isSet }
                    throw Failure(number: 3)
                }
            }
            #expect(seen.value as? Failure == Failure(number: 3))
            let sum = try withChild { 4 } _: { try $0.join() + 1 }
            #expect(sum == 5)
        }
    }

    // MARK: Tasks

    /// In tasks of a worker, `TaskGroupScenarioTests` has them in every order.
    @Test func `scenarios 63 to 66 in tasks that no worker runs`() async throws {
        // 63
        let ended = Journal<String>()
        let error = await errorThrown {
            try await withGroup { group in
                try group.spawn { () async throws in
                    do {
                        try await Scheduler.sleep(until: .never)
                    } catch {
                        ended.note("sibling")
                        throw Failure(number: 2)
                    }
                }
                try group.spawn { () async throws in
                    await Task.yield()
                    throw Failure(number: 1)
                }
                do { try await Scheduler.sleep(until: .never) } catch { ended.note("body"); throw error }
            }
        }
        let errors = (error as? GroupError)?.errors as? [Failure]
        #expect(errors?.first == Failure(number: 1) && errors?.count == 2)
        #expect(Set(ended.all) == ["body", "sibling"])
        #expect(!Task.isCancelled)

        // 64
        let value = try await withGroup { group in
            let child = try group.spawn { () async throws in try await Scheduler.sleep(until: .never) }
            child.cancel()
            _ = await child.result
            return 5
        }
        #expect(value == 5)

        // 65
        let late = Flag()
        let kept = try await withGroup { group in
            try group.spawn { () async throws in
                await Task.yield()
                try group.spawn { () async in late.set() }
            }
            return group
        }
        #expect(late.isSet)
        #expect(throws: GroupUseError.hasEnded) { try kept.spawn { () async in Issue.record("it ran") } }

        // 66
        let asleep = Flag()
        let seen = Journal<String>()
        let task = Task {
            do {
                try await withGroup { group in
                    try group.spawn { () async throws in
                        asleep.set()
                        do { try await Scheduler.sleep(until: .never) } catch { throw Failure(number: 1) }
                    }
                }
            } catch {
                seen.note("\(error)")
            }
            try Task.checkCancellation()
            seen.note("never")
        }
        try await awaitUntil("asleep") { asleep.isSet }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(seen.all == ["one failure in a group: Failure(number: 1)"])

        // Early end, and readiness.
        try await withGroup { group in
            try group.spawn { () async throws in try await Scheduler.sleep(until: .never) }
            let ready = try await group.start { (ready: Promise<Int>) async throws in
                try ready.succeed(1)
                try await Scheduler.sleep(until: .never)
            }
            #expect(ready == 1)
            group.cancel()
        }
    }

    @Test func `ten thousand children end in a group, whatever the order`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let count = Counter()
            try await scheduler.spawn {
                try withGroup { group in
                    for number in 0..<10_000 {
                        try group.spawn(onWorker: number % 2) {
                            if number % 3 == 0 { try Fiber.yield() }
                            count.add()
                        }
                    }
                }
            }.join()
            #expect(count.value == 10_000)
        }
    }
}
