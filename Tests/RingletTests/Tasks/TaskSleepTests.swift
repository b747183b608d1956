import Foundation
import RingletTesting
import SystemPackage
import Testing

@testable import Ringlet

/// Sleeps of a task, wherever the task runs. On the machine's clock where the scheduler's own has to keep up with the
/// runtime's, or where a task sleeps that no worker runs; there a sleep has a lower bound and no upper one.
@Suite(.timeLimit(.patient)) struct TaskSleepTests {
    /// Where a task may be when it sleeps.
    enum Place: CaseIterable, Sendable {
        /// In a job of the worker: parked.
        case worker
        /// In an actor whose executor is the worker's.
        case actor
        /// In an actor of the runtime, in a task that prefers the worker.
        case defaultActor
        /// In the host of a fiber.
        case fiber
        /// On the default executor: served by the background scheduler.
        case elsewhere
    }

    private actor OfWorker {
        private let scheduler: Scheduler
        init(_ scheduler: Scheduler) { self.scheduler = scheduler }
        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe scheduler.actorExecutor }

        func sleep(until deadline: Deadline) async throws {
            try await Scheduler.sleep(until: deadline)
            preconditionIsolated()
        }
    }

    private actor OfRuntime {
        func sleep(until deadline: Deadline) async throws {
            try await Scheduler.sleep(until: deadline)
            preconditionIsolated()
        }
    }

    /// A task that sleeps in `place`, has checked that it came back there, and says how it ended.
    private static func sleeper(
        _ place: Place, on scheduler: Scheduler, until deadline: Deadline
    ) -> Task<Void, any Error> {
        switch place {
        case .worker:
            Task(executorPreference: scheduler.taskExecutor) {
                defer { #expect(scheduler.isCurrent || scheduler.state.isShuttingDown) }
                try await Scheduler.sleep(until: deadline)
            }
        case .actor:
            Task { try await OfWorker(scheduler).sleep(until: deadline) }
        case .defaultActor:
            Task(executorPreference: scheduler.taskExecutor) {
                try await OfRuntime().sleep(until: deadline)
            }
        case .fiber:
            Task {
                let fiber = scheduler.spawn {
                    try Fiber.await { try await Scheduler.sleep(until: deadline) }
                }
                // By another task, since a join of this one would end with its own cancellation.
                try await withTaskCancellationHandler {
                    try await Task { try await fiber.join() }.value
                } onCancel: {
                    fiber.cancel()
                }
            }
        case .elsewhere:
            Task { try await Scheduler.sleep(until: deadline) }
        }
    }

    /// Waits until the worker that serves `place` holds a timer. The background scheduler's other timers
    /// cannot be told from this one, and cancelling too early is no error.
    private static func awaitTimer(_ place: Place, on scheduler: Scheduler) async throws {
        guard place != .elsewhere else { return }
        let worker = scheduler.workers[0]
        try await awaitUntil("a timer is held") {
            await withCheckedContinuation { continuation in
                worker.perform { continuation.resume(returning: $0.timers.count > 0) }
            }
        }
    }

    @Test(arguments: Place.allCases)
    func `a sleep is never too short`(place: Place) async throws {
        try await withScheduler { scheduler in
            for milliseconds in [0, 1, 20] {
                let deadline = Deadline.after(.milliseconds(milliseconds))
                try await Self.sleeper(place, on: scheduler, until: deadline).value
                #expect(deadline.hasPassed)
            }
            // One that has passed long ago is over at once.
            try await Self.sleeper(place, on: scheduler, until: Deadline(nanoseconds: 1)).value
        }
    }

    @Test func `a sleep of the runtime is never too short by the clock it names`() async throws {
        try await withScheduler { scheduler in
            let elapsed = try await Task(executorPreference: scheduler.taskExecutor) {
                try await ContinuousClock().measure {
                    try await Task.sleep(for: .milliseconds(2))
                    try await Task.sleep(until: .now + .milliseconds(2), clock: .continuous)
                    try await Task.sleep(until: .now + .milliseconds(2), clock: .suspending)
                    try await Task.sleep(nanoseconds: 2_000_000)
                }
            }.value
            #expect(elapsed >= .milliseconds(8))
        }
    }

    @Test(arguments: Place.allCases)
    func `a cancelled sleep ends at once and leaves no timer`(place: Place) async throws {
        try await withScheduler { scheduler in
            let task = Self.sleeper(place, on: scheduler, until: .never)
            try await Self.awaitTimer(place, on: scheduler)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            try await awaitTimers(0, on: scheduler.workers[0])
        }
    }

    @Test(arguments: Place.allCases)
    func `a task that is cancelled already does not sleep`(place: Place) async throws {
        try await withScheduler { scheduler in
            for _ in 0..<10 {
                let task = Self.sleeper(place, on: scheduler, until: .never)
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
            // Certainly cancelled before it begins, and again at the next sleep.
            let twice = Task(executorPreference: scheduler.taskExecutor) {
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                for _ in 0..<2 {
                    await #expect(throws: CancellationError.self) {
                        try await Scheduler.sleep(for: .seconds(1000))
                    }
                }
            }
            await twice.value
        }
    }

    @Test(arguments: [Place.worker, .actor, .defaultActor, .fiber])
    func `a shutdown ends sleeps, as it ends operations`(place: Place) async throws {
        let scheduler = try Scheduler()
        let task = Self.sleeper(place, on: scheduler, until: .never)
        try await Self.awaitTimer(place, on: scheduler)
        _ = try await onThread { scheduler.shutdown() }
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `a sleep that begins during the shutdown ends at once`() async throws {
        let scheduler = try Scheduler()
        let task = Task(executorPreference: scheduler.taskExecutor) { () -> Int in
            var ended = 0
            for _ in 0..<3 {
                do { try await Scheduler.sleep(until: .never) } catch { ended += 1 }
            }
            return ended
        }
        try await Self.awaitTimer(.worker, on: scheduler)
        _ = try await onThread { scheduler.shutdown() }
        #expect(await task.value == 3)
    }

    @Test func `a task that outlives its scheduler sleeps elsewhere`() async throws {
        let scheduler = try Scheduler()
        _ = try await onThread { scheduler.shutdown() }
        let deadline = Deadline.after(.milliseconds(10))
        try await Self.sleeper(.worker, on: scheduler, until: deadline).value
        #expect(deadline.hasPassed)
    }

    @Test func `a cancel that races with the end of a sleep ends it once`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let ended = Counter()
            let cancelled = Counter()
            for round in 0..<2000 {
                let task = Task(executorPreference: scheduler.taskExecutor(ofWorker: round % 2)) {
                    do {
                        try await Scheduler.sleep(for: .microseconds(50 + round % 100))
                    } catch {
                        cancelled.add()
                    }
                    ended.add()
                }
                let canceller = scheduler.spawn(onWorker: round / 2 % 2) {
                    // From well before the end to well after it, on a slow machine as well.
                    try Fiber.sleep(for: .microseconds(round % 10 == 0 ? 5000 : round % 150))
                    task.cancel()
                }
                await task.value
                try await canceller.join()
            }
            #expect(ended.value == 2000)
            #expect(cancelled.value > 0 && cancelled.value < 2000)
            for worker in scheduler.workers { try await awaitTimers(0, on: worker) }
        }
    }

    @Test func `sleeps of fibers and tasks end in the order of their deadlines`() async throws {
        try await forEachSeed(1...100) { _ in
            let order = Journal<Int>()
            let start = Deadline.now.nanoseconds
            var tasks: [Task<Void, any Error>] = []
            for number in 0..<100 {
                let place = number * 37 % 100
                let deadline = Deadline(nanoseconds: start + 1_000_000_000 + UInt64(place))
                if number % 2 == 0 {
                    tasks.append(
                        taskHere {
                            try await Scheduler.sleep(until: deadline)
                            #expect(Deadline.now == deadline)
                            order.note(place)
                        })
                } else {
                    Fiber {
                        try Scheduler.sleep(until: deadline)
                        #expect(Deadline.now == deadline)
                        order.note(place)
                    }
                }
            }
            try await Scheduler.sleep(for: .seconds(2))
            for task in tasks { try await task.value }
            #expect(order.all == Array(0..<100))
        }
    }

    @Test func `a negative duration is refused, in both colours`() async throws {
        try await withScheduler { scheduler in
            await #expect(throws: Errno.invalidArgument) {
                try await Scheduler.sleep(for: .nanoseconds(-1))
            }
            let fiber = scheduler.spawn { try Scheduler.sleep(for: .nanoseconds(-1)) }
            await #expect(throws: Errno.invalidArgument) { try await fiber.join() }
        }
    }
}
