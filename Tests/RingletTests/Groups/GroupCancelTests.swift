import Testing

@testable import Ringlet

/// `Group.cancel()` by everybody and at every time. Numbers of scenarios are those of the table of features.
@Suite(.timeLimit(.patient)) struct GroupCancelTests {
    @Test func `scenario 65: a group is cancelled as often as one likes, and after its end in vain`() async throws {
        try await inEveryOrder { () throws in
            let fibers = Journal<Fiber<Void>>()
            let kept = try withGroup { group -> Group in
                for _ in 0..<3 { fibers.note(try group.spawn { try Fiber.sleep(until: .never) }) }
                try Fiber.yield()
                group.cancel()
                group.cancel()
                #expect(group.isCancelled)
                try group.spawn { () throws in Issue.record("it ran") }
                group.cancel()
                return group
            }
            #expect(fibers.all.allSatisfy { $0.outcome?.isCancelled == true })
            kept.cancel()
            #expect(kept.isCancelled && kept.count == 0)
            // One that has ended by itself.
            let quiet = try withGroup { $0 }
            quiet.cancel()
            #expect(!quiet.isCancelled)
            #expect(throws: GroupUseError.hasEnded) { try quiet.spawn { () throws in Issue.record("it ran") } }
            // Who opened them is not cancelled.
            try Fiber.yield()
        }
        try await inEveryOrder { () async throws in
            let tasks = Journal<Task<Void, any Error>>()
            let kept = try await withGroup { group -> Group in
                for _ in 0..<3 {
                    tasks.note(try group.spawn { () async throws in try await Scheduler.sleep(until: .never) })
                }
                await Task.yield()
                group.cancel()
                group.cancel()
                #expect(group.isCancelled)
                try group.spawn { () async in Issue.record("it ran") }
                group.cancel()
                return group
            }
            for task in tasks.all { await #expect(throws: CancellationError.self) { try await task.value } }
            kept.cancel()
            #expect(kept.isCancelled && kept.count == 0)
            let quiet = try await withGroup { group async in group }
            quiet.cancel()
            #expect(!quiet.isCancelled && !Task.isCancelled)
        }
    }

    @Test func `scenario 65: a plain thread cancels a group, twice`() async throws {
        try await withScheduler { scheduler in
            let found = Journal<Group>()
            let fiber = scheduler.spawn { () throws -> Bool in
                try withGroup { group in
                    try group.spawn { try Fiber.sleep(until: .never) }
                    found.note(group)
                    try Fiber.sleep(until: .never)
                }
                return AnyFiber.current?.isCancelled == false
            }
            let task = Task(executorPreference: scheduler.taskExecutor) { () async throws -> Bool in
                try await withGroup { group in
                    try group.spawn { () async throws in try await Scheduler.sleep(until: .never) }
                    found.note(group)
                    try await Scheduler.sleep(until: .never)
                }
                return !Task.isCancelled
            }
            try await awaitUntil("both groups") { found.count == 2 }
            try await onThread {
                for group in found.all {
                    group.cancel()
                    group.cancel()
                }
            }
            #expect(try await fiber.join())
            #expect(try await task.value)
            try await onThread { for group in found.all { group.cancel() } }
            #expect(found.all.allSatisfy { $0.isCancelled && $0.count == 0 })
        }
    }

    @Test func `a child that begins at once may cancel its group`() async throws {
        try await inEveryOrder { () throws in
            let steps = Journal<String>()
            try withGroup { group in
                // Who is joined before it has begun begins at once.
                let child = try group.spawn {
                    group.cancel()
                    do { try Fiber.sleep(until: .never) } catch is CancellationError { steps.note("child") }
                }
                do { try child.join() } catch is CancellationError { steps.note("body") }
                try group.spawn { () throws in Issue.record("it ran") }
            }
            #expect(Set(steps.all) == ["child", "body"])
            #expect(AnyFiber.current?.isCancelled == false)
        }
        try await inEveryOrder { () async throws in
            let executor = Scheduler.current?.taskExecutor
            let steps = Journal<String>()
            try await withGroup { group in
                try group.spawn { () async throws in try await Scheduler.sleep(until: .never) }
                // It has run to its end before this returns.
                Task.immediate(executorPreference: executor) { group.cancel() }
                #expect(group.isCancelled && Task.isCancelled)
                try group.spawn { () async in Issue.record("it ran") }
                steps.note("body")
            }
            #expect(steps.all == ["body"] && !Task.isCancelled)
        }
    }

    /// A child that another thread begins may cancel the group before the group has been told which task it is.
    @Test func `a task that has begun before its spawn returns may cancel its group`() async throws {
        try await withScheduler { scheduler in
            for _ in 0..<500 {
                let opened = Shared<Group?>(nil)
                let run = scheduler.spawn { () throws -> Void in
                    try withGroup { group in
                        opened.value = group
                        try Fiber.sleep(until: .never)
                    }
                }
                try await onThread {
                    try blockUntil("the group") { opened.value != nil }
                    let group = try #require(opened.value)
                    try group.spawn { () async throws in
                        group.cancel()
                        try await Scheduler.sleep(until: .never)
                    }
                }
                try await run.join(deadline: .after(patience))
            }
        }
    }

    /// Its own thread may begin it before its maker has come to cancel it.
    @Test func `a task that is started from elsewhere in a group that ends early never begins`() async throws {
        try await withScheduler { scheduler in
            let ran = Counter()
            for _ in 0..<300 {
                let opened = Promise<Group>()
                let isOver = Promise<Void>()
                let run = scheduler.spawn { () throws -> Void in
                    try withGroup { group in
                        group.cancel()
                        try opened.succeed(group)
                        try withoutCancellation { try isOver.value() }
                    }
                }
                try await onThread {
                    let group = try opened.value()
                    for _ in 0..<20 { try group.spawn { () async in ran.add() } }
                }
                try isOver.succeed(())
                try await run.join(deadline: .after(patience))
            }
            #expect(ran.value == 0)
        }
    }
}
