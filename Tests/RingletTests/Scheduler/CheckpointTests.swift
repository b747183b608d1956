import RingletTesting
import Testing

@testable import Ringlet

/// `Scheduler.checkpoint`, which lets others run and is a cancellation point, in both colours.
@Suite(.timeLimit(.patient)) struct CheckpointTests {
    @Test func `35: two that make checkpoints take turns`() async throws {
        let order = try await Simulation.run { () throws -> [String] in
            let steps = Journal<String>()
            let fibers = ["A", "B"].map { name in
                Fiber {
                    steps.note("1\(name)")
                    try Scheduler.checkpoint()
                    steps.note("2\(name)")
                }
            }
            for fiber in fibers { try fiber.join() }
            return steps.all
        }
        #expect(order == ["1A", "1B", "2A", "2B"])
        let inTasks = try await Simulation.run { () async throws -> [String] in
            let steps = Journal<String>()
            let tasks = ["A", "B"].map { name in
                taskHere {
                    steps.note("1\(name)")
                    try await Scheduler.checkpoint()
                    steps.note("2\(name)")
                }
            }
            for task in tasks { try await task.value }
            return steps.all
        }
        #expect(inTasks == ["1A", "1B", "2A", "2B"])
    }

    @Test func `a checkpoint of who is cancelled throws, and lets nobody run before`() async throws {
        try await inEveryOrder { () throws in
            let others = Counter()
            let seen = try Fiber { () throws -> Int in
                AnyFiber.current?.cancel()
                Fiber { others.add() }
                #expect(throws: CancellationError.self) { try Scheduler.checkpoint() }
                return others.value
            }.join()
            #expect(seen == 0)
        }
        try await inEveryOrder { () async throws in
            let others = Counter()
            let seen = try await taskHere { () async throws -> Int in
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                Fiber { others.add() }
                await #expect(throws: CancellationError.self) { try await Scheduler.checkpoint() }
                return others.value
            }.value
            #expect(seen == 0)
        }
    }

    @Test func `a cancellation during a checkpoint is thrown at its end`() async throws {
        try await inEveryOrder { () throws in
            let steps = Journal<Int>()
            let fiber = Fiber {
                steps.note(1)
                while true { try Scheduler.checkpoint() }
            }
            try yieldUntil("it runs") { steps.count == 1 }
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
        }
        try await inEveryOrder { () async throws in
            let steps = Journal<Int>()
            let task = taskHere { () async throws in
                steps.note(1)
                while true { try await Scheduler.checkpoint() }
            }
            try await yieldTaskUntil("it runs") { steps.count == 1 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test func `36: a deadline ends what makes checkpoints without end`() async throws {
        try await Simulation.run { () throws -> Void in
            #expect(throws: TimeoutError.self) {
                try withDeadline(.after(.milliseconds(20))) { _ in
                    while true { try Scheduler.checkpoint() }
                }
            }
        }
        try await Simulation.run { () async throws -> Void in
            await #expect(throws: TimeoutError.self) {
                try await withDeadline(.after(.milliseconds(20))) { _ in
                    while true { try await Scheduler.checkpoint() }
                }
            }
        }
    }

    @Test func `a shutdown ends what makes checkpoints, fiber or task`() async throws {
        let scheduler = try Scheduler()
        let running = Counter()
        let fiber = scheduler.spawn { () throws -> Void in
            running.add()
            while true { try Scheduler.checkpoint() }
        }
        let task = Task(executorPreference: scheduler.taskExecutor) { () async throws -> Void in
            running.add()
            while true { try await Scheduler.checkpoint() }
        }
        try await awaitUntil("both run") { running.value == 2 }
        #expect(try await onThread { scheduler.shutdown(deadline: .after(patience)) } == ShutdownReport())
        await #expect(throws: CancellationError.self) { try await fiber.join() }
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `a task that no worker runs may make checkpoints`() async throws {
        try await Scheduler.checkpoint()
        let task = Task.detached {
            while !Task.isCancelled { await Task.yield() }
            try await Scheduler.checkpoint()
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
