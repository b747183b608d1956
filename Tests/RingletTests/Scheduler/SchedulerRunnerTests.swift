import Foundation
import Testing

@testable import Ringlet

private enum Local {
    @TaskLocal static var number = 0
}

/// The life of a scheduler around its main bodies. Numbers of scenarios are those of the table of features.
@Suite(.timeLimit(.patient)) struct SchedulerRunnerTests {
    // MARK: Several runs

    @Test func `runs share one scheduler, in all four forms`() async throws {
        let runner = SchedulerRunner()
        #expect(runner.scheduler == nil)
        let inFiber: @Sendable () throws -> Scheduler? = {
            try Fiber.yield()
            return Scheduler.current
        }
        let inTask: @Sendable () async throws -> Scheduler? = {
            await Task.yield()
            return Scheduler.current
        }
        let first = try await runner.run(inFiber)
        let others = [
            try await runner.run(inTask),
            try await onThread { try runner.run(inFiber) },
            try await onThread { try runner.run(inTask) },
        ]
        #expect(first != nil && first === runner.scheduler)
        #expect(others.allSatisfy { $0 === first })
        try await runner.close()
        #expect(runner.scheduler == nil)
    }

    @Test func `each run sees the task-locals of who runs it`() async throws {
        try await SchedulerRunner.with { runner in
            let seen = try await Local.$number.withValue(7) {
                [
                    try await runner.run { () throws -> Int in Local.number },
                    try await runner.run { () async throws -> Int in Local.number },
                ]
            }
            #expect(seen == [7, 7])
            let value = try await runner.run { () throws -> Int in Local.number }
            #expect(value == 0)
        }
    }

    @Test func `what a run leaves behind goes on until the close, which cancels and awaits it`() async throws {
        let steps = Counter()
        let isCleaned = Flag()
        try await SchedulerRunner.with { runner in
            _ = try await runner.run {
                Fiber {
                    defer { isCleaned.set() }
                    while true {
                        steps.add()
                        try Fiber.sleep(for: .microseconds(100))
                    }
                }
            }
            let before = steps.value
            try await awaitUntil("steps between the runs") { steps.value > before + 2 }
            let value = try await runner.run { () throws -> Bool in !isCleaned.isSet }
            #expect(value)
        }
        #expect(isCleaned.isSet)
    }

    @Test func `a run that fails leaves the runner usable`() async throws {
        try await SchedulerRunner.with { runner in
            await #expect(throws: Failure(number: 1)) { try await runner.run { () throws in throw Failure(number: 1) } }
            await #expect(throws: Failure(number: 2)) {
                try await onThread { try runner.run { () async throws in throw Failure(number: 2) } }
            }
            let value = try await runner.run { () throws -> Int in 3 }
            #expect(value == 3)
        }
    }

    @Test func `options that mean nothing come out at the first run`() async throws {
        let runner = SchedulerRunner(SchedulerOptions(workers: 0))
        await #expect(throws: SchedulerError.invalidOption("0 workers; there can be 1 to 1024")) {
            try await runner.run { () throws -> Int in 1 }
        }
        try await runner.close()
    }

    @Test func `cancelling the task that runs a body cancels the body`() async throws {
        try await SchedulerRunner.with { runner in
            let began = Flag()
            let task = Task {
                try await runner.run {
                    began.set()
                    try Fiber.sleep(until: .never)
                }
            }
            try await awaitUntil("the body") { began.isSet }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    // MARK: Rules

    @Test func `scenario 30: a stop before the end, a nested run and a use after the close are three errors`()
        async throws
    {
        let runner = SchedulerRunner()
        await #expect(throws: SchedulerError.stopped) {
            try await runner.run {
                Scheduler.current?.stop()
                try Fiber.sleep(until: .never)
            }
        }
        await #expect(throws: SchedulerError.nestedRun) {
            try await runner.run { () throws -> Int in try runner.run { () throws -> Int in 1 } }
        }
        await #expect(throws: SchedulerError.nestedRun) {
            try await runner.run { () async throws -> Int in try await Scheduler.run { () throws -> Int in 1 } }
        }
        try await runner.close()
        await #expect(throws: SchedulerError.closed) { try await runner.run { () throws -> Int in 1 } }
        await #expect(throws: SchedulerError.closed) {
            try await onThread { try runner.run { () async throws -> Int in 1 } }
        }
        let all: Set<SchedulerError> = [.stopped, .nestedRun, .closed, .runInProgress]
        #expect(Set(all.map(\.description)).count == 4)
    }

    @Test func `a second run at the same time, and a close meanwhile, are refused`() async throws {
        let runner = SchedulerRunner()
        let began = Flag()
        let mayEnd = Flag()
        let first = Task {
            try await runner.run { () throws -> Int in
                began.set()
                try yieldUntil("the word") { mayEnd.isSet }
                return 1
            }
        }
        try await awaitUntil("the first run") { began.isSet }
        await #expect(throws: SchedulerError.runInProgress) { try await runner.run { () throws -> Int in 2 } }
        await #expect(throws: SchedulerError.runInProgress) { try await runner.close() }
        await #expect(throws: SchedulerError.runInProgress) { try await onThread { try runner.close() } }
        mayEnd.set()
        #expect(try await first.value == 1)
        try await runner.close()
    }

    @Test func `a runner is closed twice, or without having run`() async throws {
        let unused = SchedulerRunner()
        try await unused.close()
        try await onThread { try unused.close() }
        let used = SchedulerRunner()
        _ = try await used.run { () throws -> Int in 1 }
        try await onThread { try used.close() }
        try await used.close()
    }

    @Test func `a close by what a run left behind is refused`() async throws {
        try await SchedulerRunner.with { runner in
            let fiber = try await runner.run { () throws -> Fiber<Void> in
                Fiber {
                    try Fiber.sleep(for: .milliseconds(1))
                    while true {
                        do {
                            try runner.close()
                        } catch SchedulerError.runInProgress {
                            try Fiber.yield()
                        }
                    }
                }
            }
            await #expect(throws: SchedulerError.nestedRun) { try await fiber.join() }
        }
    }

    @Test func `a runner that is dropped shuts its scheduler down`() async throws {
        weak var scheduler: Scheduler?
        let isCleaned = Flag()
        do {
            let runner = SchedulerRunner()
            try await runner.run {
                Fiber {
                    defer { isCleaned.set() }
                    try Fiber.sleep(until: .never)
                }
                try Fiber.yield()
            }
            scheduler = runner.scheduler
            #expect(scheduler != nil)
        }
        try await awaitUntil("the end") { isCleaned.isSet && scheduler == nil }
    }

    // MARK: Stopping

    @Test(arguments: [true, false])
    func `a stop ends a one-shot run, whose body is then cancelled and awaited`(inTask: Bool) async throws {
        let isCleaned = Flag()
        let body: @Sendable () throws -> Void = {
            defer { isCleaned.set() }
            let scheduler = try #require(Scheduler.current)
            scheduler.later(.milliseconds(1)) { #expect(scheduler.stop()) }
            try Fiber.sleep(until: .never)
        }
        await #expect(throws: SchedulerError.stopped) {
            if inTask {
                try await Scheduler.run { try body() }
            } else {
                try await onThread { try Scheduler.run { try body() } }
            }
        }
        #expect(isCleaned.isSet)
    }

    @Test func `scenario 30: a stop finishes the present pass, and what that asks for is not called`() async throws {
        let steps = Journal<(name: String, turn: UInt64)>()
        @Sendable func note(_ name: String) { steps.note((name, CurrentThread.worker?.counters.turns ?? 0)) }
        for inTask in [true, false] {
            let before = steps.count
            let body: @Sendable () throws -> Void = {
                let scheduler = try #require(Scheduler.current)
                scheduler.soon {
                    note("first")
                    #expect(scheduler.stop())
                    scheduler.soon { note("never") }
                }
                scheduler.soon { note("second") }
                scheduler.soon { note("third") }
                try Fiber.sleep(until: .never)
            }
            await #expect(throws: SchedulerError.stopped) {
                if inTask {
                    try await Scheduler.run { try body() }
                } else {
                    try await onThread { try Scheduler.run { try body() } }
                }
            }
            let pass = Array(steps.all[before...])
            // Where the run is another thread's, that takes the scheduler down in its own time.
            #expect(pass.map(\.name).filter { $0 != "never" } == ["first", "second", "third"])
            #expect(Set(pass.filter { $0.name != "never" }.map(\.turn)).count == 1)
            if !inTask { #expect(pass.count == 3) }
        }
    }

    @Test func `a stop from another thread wakes a worker that sleeps`() async throws {
        let running = Shared<Scheduler?>(nil)
        let run = Task {
            try await onThread {
                try Scheduler.run { () async throws -> Void in
                    running.value = Scheduler.current
                    try await Scheduler.sleep(until: .never)
                }
            }
        }
        try await awaitUntil("the body") { running.value != nil }
        #expect(running.value?.stop() == true)
        await #expect(throws: SchedulerError.stopped) { try await run.value }
    }

    @Test func `a stop without a run, and one after the end, do nothing`() async throws {
        try await withScheduler { scheduler in
            #expect(!scheduler.stop())
            let value = try await scheduler.spawn { 1 }.join()
            #expect(value == 1)
        }
        try await SchedulerRunner.with { runner in
            _ = try await runner.run { () throws -> Int in 1 }
            #expect(runner.scheduler?.stop() == false)
            let value = try await runner.run { () throws -> Int in 2 }
            #expect(value == 2)
        }
    }

    @Test func `after a stop a runner's body goes on, and the next run comes`() async throws {
        try await SchedulerRunner.with { runner in
            let mayEnd = Flag()
            let hasEnded = Flag()
            await #expect(throws: SchedulerError.stopped) {
                try await runner.run {
                    Scheduler.current?.stop()
                    try yieldUntil("the word") { mayEnd.isSet }
                    hasEnded.set()
                }
            }
            let value = try await runner.run { () throws -> Int in 2 }
            #expect(value == 2)
            mayEnd.set()
            try await awaitUntil("its end") { hasEnded.isSet }
        }
    }
}
