import RingletTesting
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct AsyncGeneratorEndTests {
    @Test func `the end of run brings to its end what is still held`() async throws {
        let lines = Journal<String>()
        let held = try await Scheduler.run(SchedulerOptions(cleanUpLimit: .seconds(600))) {
            let numbers = AsyncGenerator(of: Int.self) { yield in
                do { try await yield(1) } catch {
                    try await waitByAnOperation()
                    lines.note("\(error)")
                }
            }
            _ = try numbers.next()
            return numbers
        }
        #expect(lines.all == ["GeneratorExit()"])
        #expect(held.isFinished)
    }

    @Test func `a close that comes after the end by another step leaves its failure`() async throws {
        var turn = GeneratorTurn()
        var answer: GeneratorTurn.Move?
        await Resumption.wait { caller in
            _ = turn.take(.start, for: caller) { Task {} }
            _ = turn.finish(Failure(number: 18))
            answer = turn.take(.exit, for: caller) { Task {} }
            caller.resume()
        }
        guard case .refused(is GeneratorTurn.HasEnded) = answer, case .ended = turn.side else {
            Issue.record("\(String(describing: answer))")
            return
        }
        #expect(turn.failure as? Failure == Failure(number: 18))
    }

    /// The body ends before the element is taken, or after, or before it is offered.
    @Test func `a yield of a task that the body leaves behind is refused at the body's end`() async throws {
        try await forEachSeed(1...100) { seed in
            let (taken, errors) = (Promise<Void>(), Journal<String>())
            let numbers = AsyncGenerator(of: Int.self) { yield in
                _ = taskHere {
                    do { try await yield(1) } catch { errors.note("\(error)") }
                }
                if seed % 2 == 0 { try await taken.value() } else { await Task.yield() }
            }
            let first = try await numbers.next()
            #expect(first == 1 || first == nil && seed % 2 == 1)
            try taken.succeed(())
            try await awaitUntil("the yield ends") { errors.count == 1 }
            #expect(errors.all == ["\(GeneratorError.notRunning)"])
            #expect(try await numbers.next() == nil)
        }
    }

    // MARK: Ends that nobody waits for

    @Test func `what a body throws at an end that nobody waits for is reported`() async throws {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            try await Scheduler.run {
                let numbers = AsyncGenerator(of: Int.self, name: "numbers") { yield in
                    do { try await yield(1) } catch { throw Failure(number: 17) }
                }
                _ = try await numbers.next()
            }
        }
        try expectReport(result, says: "generator 'numbers' ended with an error that nobody saw")
        try expectReport(result, says: "number: 17")
    }

    @Test func `a body that will not end is reported, and does not hold up the scheduler`()
        async throws
    {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            try await Scheduler.run {
                let numbers = AsyncGenerator(of: Int.self, name: "stubborn") { yield in
                    while true { do { try await yield(1) } catch {} }
                }
                _ = try await numbers.next()
            }
        }
        try expectReport(result, says: "generator 'stubborn' is lost")
    }

    @Test func `a shutdown in the middle of a step cancels the body and ends it`() async throws {
        let lines = Journal<String>()
        try await withScheduler { scheduler in
            let waiting = Task(executorPreference: scheduler.taskExecutor) {
                let numbers = gated(Gate(), lines)
                _ = try await numbers.next()
                await #expect(throws: GeneratorExit.self) { try await numbers.next() }
            }
            try await awaitUntil("the step") { !lines.all.isEmpty }
            #expect(scheduler.shutdown(deadline: .after(patience)) == ShutdownReport())
            try await waiting.value
        }
    }

    @Test func `generators that begin, are used and dropped on all threads end once each`()
        async throws
    {
        let ended = Counter()
        try await withScheduler(workers: 2) { scheduler in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<200 {
                    group.addTask(
                        executorPreference: index % 3 == 0 ? nil : scheduler.taskExecutor
                    ) {
                        let numbers = AsyncGenerator(of: Int.self) { yield in
                            defer { ended.add() }
                            for number in 0... { try await yield(number) }
                        }
                        for number in 0..<index % 5 + 1 {
                            #expect(try await numbers.next() == number)
                        }
                        if index % 2 == 0 { try await numbers.close() }
                    }
                }
                try await group.waitForAll()
            }
            try await awaitUntil("the ends") { ended.value == 200 }
        }
    }

    // MARK: The order of a shutdown

    /// A scheduler with a fiber that waits until it is cancelled, and a generator that has begun and cleans up by
    /// `cleanUp`.
    private func schedulerWithWork(
        cleanUpLimit: Duration = .seconds(600), _ lines: Journal<String>,
        cleanUp: @escaping @Sendable () async throws -> Void
    ) async throws -> Scheduler {
        let scheduler = try Scheduler(SchedulerOptions(cleanUpLimit: cleanUpLimit))
        scheduler.spawn(name: "waiting") {
            lines.note("fiber begun")
            defer { lines.note("fiber cancelled") }
            try Fiber.sleep(until: .never)
        }
        let numbers = AsyncGenerator(of: Int.self) { yield in
            do { try await yield(1) } catch {
                do {
                    try await cleanUp()
                    lines.note("cleaned up")
                } catch {
                    lines.note("clean-up: \(type(of: error))")
                }
            }
        }
        let held = Task(executorPreference: scheduler.taskExecutor) { _ = try await numbers.next() }
        try await held.value
        try await awaitUntil("the fiber") { lines.all == ["fiber begun"] }
        // The task has held it; from here on the scheduler alone does.
        return scheduler
    }

    @Test func `nothing is cancelled before generators have cleaned up`() async throws {
        let lines = Journal<String>()
        let scheduler = try await schedulerWithWork(lines) {
            for _ in 0..<3 { try await waitByAnOperation() }
        }
        let report = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
        #expect(report == ShutdownReport())
        #expect(lines.all == ["fiber begun", "cleaned up", "fiber cancelled"])
    }

    @Test func `a clean-up that takes too long is cancelled, and so is the rest then`() async throws {
        let lines = Journal<String>()
        let scheduler = try await schedulerWithWork(cleanUpLimit: .milliseconds(20), lines) {
            try await Scheduler.sleep(until: .never)
        }
        let report = try await onThread { scheduler.shutdown() }
        #expect(report == ShutdownReport())
        #expect(Set(lines.all) == ["fiber begun", "clean-up: CancellationError", "fiber cancelled"])
    }

    @Test func `a clean-up that nothing ends does not hold up a shutdown, and is reported`()
        async throws
    {
        let lines = Journal<String>()
        let (gate, stuck) = (Gate(), Flag())
        let scheduler = try await schedulerWithWork(cleanUpLimit: .milliseconds(20), lines) {
            stuck.set()
            // A task of its own, so that the cancellation does not reach the gate.
            await Task { await gate.wait() }.value
        }
        let report = try await onThread { scheduler.shutdown() }
        #expect(stuck.isSet)
        var expected = ShutdownReport()
        expected.generators = 1
        #expect(report == expected && "\(report)".hasPrefix("1 generators, 0 fibers"))
        #expect(lines.all == ["fiber begun", "fiber cancelled"])
        gate.open()
        // It ends on an executor that is left.
        try await awaitUntil("the clean-up") { lines.all.last == "cleaned up" }
    }

    @Test(arguments: [Duration.zero, .milliseconds(20)])
    func `a deadline leaves no more time than its half, and none when it has passed`(_ time: Duration)
        async throws
    {
        let lines = Journal<String>()
        let scheduler = try await schedulerWithWork(lines) {
            try await Scheduler.sleep(until: .never)
        }
        _ = try await onThread { scheduler.shutdown(deadline: .after(time)) }
        // What was left has been cancelled; a later call waits for it.
        let report = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
        #expect(report == ShutdownReport())
        #expect(Set(lines.all) == ["fiber begun", "clean-up: CancellationError", "fiber cancelled"])
    }

    @Test func `one that begins on a scheduler that has ended is its holder's to close`() async throws {
        let lines = Journal<String>()
        let scheduler = try Scheduler()
        #expect(try await onThread { scheduler.shutdown() } == ShutdownReport())
        let numbers = AsyncGenerator(of: Int.self) { yield in
            do { try await yield(1) } catch {
                await waitForAnotherTask()
                lines.note("cleaned up")
                throw error
            }
        }
        let begun = Task(executorPreference: scheduler.taskExecutor) { try await numbers.next() }
        #expect(try await begun.value == 1)
        // Nobody else ends it: not even those who shut down once more.
        #expect(try await onThread { scheduler.shutdown() } == ShutdownReport())
        #expect(lines.all.isEmpty && !numbers.isFinished && !numbers.isRunning)
        try await numbers.close()
        #expect(lines.all == ["cleaned up"] && numbers.isFinished)
    }

    @Test func `a clean-up limit that is negative is refused`() {
        #expect(throws: SchedulerError.self) {
            try Scheduler(SchedulerOptions(cleanUpLimit: .seconds(-1)))
        }
    }
}
