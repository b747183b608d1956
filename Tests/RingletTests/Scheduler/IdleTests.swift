import Testing

@testable import Ringlet

/// Waiting until nothing is left to do.
@Suite(.timeLimit(.patient)) struct IdleTests {
    /// Waits as a fiber of the scheduler, as a task on it, as a task of another executor, and on a plain thread.
    enum Waiter: CaseIterable, Sendable {
        case fiber, task, foreignTask, thread

        func wait(for scheduler: Scheduler, deadline: Deadline = .after(patience)) async throws {
            switch self {
            case .fiber:
                try await scheduler.spawn { try scheduler.waitUntilIdle(deadline: deadline) }.join()
            case .task:
                try await Task(executorPreference: scheduler.taskExecutor(ofWorker: 0)) {
                    try await scheduler.waitUntilIdle(deadline: deadline)
                }.value
            case .foreignTask:
                try await scheduler.waitUntilIdle(deadline: deadline)
            case .thread:
                try await onThread { try scheduler.waitUntilIdle(deadline: deadline) }
            }
        }
    }

    @Test(arguments: Waiter.allCases, [1, 3])
    func `scenario 38: a timer that holds nothing is not waited for`(waiter: Waiter, workers: Int) async throws {
        try await withScheduler(workers: workers) { scheduler in
            let far = Deadline.after(.seconds(9 * 3600))
            let callbacks = [
                scheduler.at(far, holdsScheduler: false) {},
                scheduler.at(.never) {},
            ]
            scheduler.spawn { try Scheduler.sleep(until: far, holdsScheduler: false) }
            scheduler.spawn { try Fiber.sleep(until: .never) }
            let tasks = [
                Task(executorPreference: scheduler.taskExecutor) {
                    try await Scheduler.sleep(until: far, holdsScheduler: false)
                },
                Task(executorPreference: scheduler.taskExecutor) {
                    try await Scheduler.sleep(until: .never)
                },
            ]
            try await waiter.wait(for: scheduler)
            #expect(!far.hasPassed)
            #expect(callbacks.allSatisfy { $0.isPending })
            for task in tasks { task.cancel() }
        }
    }

    @Test(arguments: Waiter.allCases, [1, 3])
    func `what holds the scheduler is waited for`(waiter: Waiter, workers: Int) async throws {
        try await withScheduler(workers: workers) { scheduler in
            let calls = Journal<String>()
            scheduler.later(.milliseconds(30)) { calls.note("callback") }
            scheduler.spawn {
                try Fiber.sleep(for: .milliseconds(25))
                calls.note("fiber")
            }
            let task = Task(executorPreference: scheduler.taskExecutor) {
                try await Scheduler.sleep(for: .milliseconds(20))
                calls.note("task")
            }
            try await waiter.wait(for: scheduler)
            #expect(Set(calls.all) == ["callback", "fiber", "task"])
            try await task.value
        }
    }

    @Test func `an operation holds the scheduler until it ends`() async throws {
        try await withScheduler { scheduler in
            let pair = try await scheduler.spawn { try connectedPair() }.join()
            let reader = scheduler.spawn {
                var buffer = Buffer(capacity: 1)
                return try pair.server.read(into: &buffer)
            }
            let deadline = Deadline.after(.milliseconds(5))
            await #expect(throws: TimeoutError(deadline: deadline)) {
                try await scheduler.waitUntilIdle(deadline: deadline)
            }
            let wait = Task { try await scheduler.waitUntilIdle(deadline: .after(patience)) }
            scheduler.spawn { try pair.client.write(Buffer(copying: [1])) }
            try await wait.value
            #expect(reader.isFinished)
        }
    }

    @Test func `work that goes from worker to worker is no idleness`() async throws {
        try await withScheduler(workers: 3) { scheduler in
            let hops = Counter()
            @Sendable func hop() {
                let number = hops.add()
                if number < 3000 { scheduler.spawn(onWorker: number % 3) { hop() } }
            }
            hop()
            try await scheduler.waitUntilIdle(deadline: .after(patience))
            #expect(hops.value == 3000)
        }
    }

    @Test(arguments: Waiter.allCases)
    func `the limit of a wait passes although nothing else happens`(waiter: Waiter) async throws {
        try await withScheduler { scheduler in
            scheduler.later(.seconds(3600)) {}
            let deadline = Deadline.after(.milliseconds(5))
            await #expect(throws: TimeoutError(deadline: deadline)) {
                try await waiter.wait(for: scheduler, deadline: deadline)
            }
            #expect(deadline.hasPassed)
        }
    }

    @Test func `several waits end together, and a cancelled one alone`() async throws {
        try await withScheduler { scheduler in
            let gate = scheduler.later(.seconds(3600)) {}
            let waits = (0..<3).map { _ in
                scheduler.spawn { try scheduler.waitUntilIdle(deadline: .after(patience)) }
            }
            let task = Task { try await scheduler.waitUntilIdle() }
            waits[0].cancel()
            await #expect(throws: CancellationError.self) { try await waits[0].join() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(!waits[1].isFinished && !waits[2].isFinished)
            gate.cancel()
            for wait in waits.dropFirst() { try await wait.join() }
        }
    }

    @Test func `a scheduler that has ended is idle`() async throws {
        let scheduler = try Scheduler()
        let wait = Task { try await scheduler.waitUntilIdle() }
        scheduler.later(.seconds(3600)) {}
        _ = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
        try await wait.value
        try await scheduler.waitUntilIdle()
    }
}
