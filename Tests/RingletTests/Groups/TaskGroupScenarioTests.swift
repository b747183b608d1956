import Testing

@testable import Ringlet

/// Groups that tasks open, as numbered scenarios, each under a hundred orders. For those of fibers see `GroupTests`.
@Suite(.timeLimit(.patient)) struct TaskGroupScenarioTests {
    @Test func `scenario 63 in a task: one child fails, the others are cancelled, and all errors are told`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let ended = Journal<String>()
            let error = await errorThrown {
                try await withGroup { group in
                    let asleep = Flag()
                    try group.spawn { () async throws in
                        asleep.set()
                        do {
                            try await Scheduler.sleep(until: .never)
                        } catch {
                            try await withoutCancellation { try await Scheduler.sleep(for: .microseconds(50)) }
                            ended.note("sibling")
                            throw Failure(number: 2)
                        }
                    }
                    try group.spawn { () async throws in
                        try await yieldTaskUntil("the sibling sleeps") { asleep.isSet }
                        throw Failure(number: 1)
                    }
                    do {
                        try await Scheduler.sleep(until: .never)
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
            #expect(!Task.isCancelled)
            try await Scheduler.sleep(for: .microseconds(1))
        }
    }

    @Test func `scenario 64 in a task: a child that is cancelled by itself is no failure`() async throws {
        try await inEveryOrder { () async throws in
            let value = try await withGroup { group in
                let asleep = Flag()
                let task = try group.spawn { () async throws in
                    asleep.set()
                    try await Scheduler.sleep(until: .never)
                }
                let fiber = try group.spawn { () throws in try Fiber.sleep(until: .never) }
                try await yieldTaskUntil("it sleeps") { asleep.isSet }
                task.cancel()
                fiber.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                try await fiber.wait()
                #expect(!Task.isCancelled && !group.isCancelled)
                try await Scheduler.sleep(for: .microseconds(1))
                return 5
            }
            #expect(value == 5)
        }
    }

    @Test func `scenario 65 in a task: children start children until the end, and none after it`() async throws {
        try await inEveryOrder { () async throws in
            let late = Flag()
            let kept = try await withGroup { group in
                try group.spawn { () async throws in
                    await Task.yield()
                    try group.spawn { () async throws in
                        try await Scheduler.sleep(for: .microseconds(3))
                        try group.spawn { () async in late.set() }
                    }
                }
                return group
            }
            #expect(late.isSet)
            #expect(throws: GroupUseError.hasEnded) { try kept.spawn { () throws in Issue.record("it ran") } }
            #expect(throws: GroupUseError.hasEnded) { try kept.spawn { () async in Issue.record("it ran") } }
            await #expect(throws: GroupUseError.hasEnded) {
                _ = try await kept.start { (_: Promise<Int>) async in Issue.record("it ran") }
            }
        }
    }

    @Test func `scenario 65: a body that a group refuses is freed`() async throws {
        final class Thing: Sendable {}
        @Sendable func refused(_ group: Group) {
            weak var ofFiber: Thing?
            weak var ofTask: Thing?
            do {
                let things = (Thing(), Thing())
                (ofFiber, ofTask) = things
                let (one, other) = things
                #expect(throws: GroupUseError.hasEnded) { try group.spawn { () throws in _ = one } }
                #expect(throws: GroupUseError.hasEnded) { try group.spawn { () async in _ = other } }
            }
            #expect(ofFiber == nil && ofTask == nil)
        }
        try await inEveryOrder { () throws in refused(try withGroup { $0 }) }
        try await inEveryOrder { () async throws in refused(try await withGroup { group async in group }) }
    }

    @Test func `scenario 66 in a task: a cancellation from outside and an error in clean-up are both there afterwards`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let asleep = Flag()
            let steps = Journal<String>()
            let task = taskHere {
                do {
                    try await withGroup { group in
                        try group.spawn { () async throws in
                            asleep.set()
                            do { try await Scheduler.sleep(until: .never) } catch { throw Failure(number: 1) }
                        }
                    }
                } catch {
                    steps.note("\(error)")
                }
                try await Scheduler.sleep(for: .microseconds(1))
                steps.note("never")
            }
            try await yieldTaskUntil("it sleeps") { asleep.isSet }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(steps.all == ["one failure in a group: Failure(number: 1)"])
        }
    }

    @Test func `scenario 49 in a task: a child that is cancelled before it begins never runs, and fails nothing`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let value = try await withGroup { group in
                let child = try group.spawn { () async in Issue.record("it ran") }
                child.cancel()
                child.cancel()
                await #expect(throws: CancellationError.self) { try await child.value }
                child.cancel()
                #expect(!group.isCancelled)
                return 4
            }
            #expect(value == 4)
        }
    }
}
