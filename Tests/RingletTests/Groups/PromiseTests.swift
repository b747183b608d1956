import RingletTesting
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct PromiseTests {
    @Test func `scenario 39: a promise is completed once, and read when it has an outcome`() throws {
        let promise = Promise<Int>()
        #expect(promise.outcome == nil)
        #expect(throws: PromiseError.notCompleted) { try promise.currentValue() }
        try promise.succeed(3)
        #expect(throws: PromiseError.completedTwice) { try promise.succeed(4) }
        #expect(throws: PromiseError.completedTwice) { try promise.fail(Failure()) }
        // Too late, and harmless.
        #expect(!promise.cancel())
        #expect(try promise.currentValue() == 3)

        let cancelled = Promise<Int>()
        #expect(cancelled.cancel())
        #expect(!cancelled.cancel())
        #expect(throws: PromiseError.completedTwice) { try cancelled.succeed(4) }
        #expect(throws: CancellationError.self) { try cancelled.currentValue() }
        #expect(cancelled.outcome!.isCancelled)

        let failed = Promise<Int>()
        try failed.fail(Failure(number: 2))
        #expect(throws: Failure(number: 2)) { try failed.currentValue() }
    }

    @Test func `scenario 40: links of a promise are called by a worker, in order, once`() async throws {
        try await inEveryOrder {
            let calls = Journal<String>()
            let promise = Promise<Int>()
            promise.onEnd { _ in
                #expect(AnyFiber.current == nil)
                calls.note("a")
            }
            let taken = promise.onEnd { _ in calls.note("no") }
            promise.onEnd(.success) { calls.note("b \(try! $0.currentValue())") }
            #expect(taken.remove())
            try promise.succeed(1)
            #expect(calls.count == 0)
            promise.onEnd { _ in calls.note("c") }
            try yieldUntil("called") { calls.count == 3 }
            #expect(calls.all == ["a", "b 1", "c"])
        }
    }

    @Test func `a call at an end is made after the one that brings that end about, not inside it`() async throws {
        try await inEveryOrder {
            let calls = Journal<String>()
            let (first, second) = (Promise<Int>(), Promise<Int>())
            first.onEnd { _ in
                second.completeIfOpen(.success(2))
                second.onEnd { _ in calls.note("c") }
                calls.note("first")
            }
            second.onEnd { _ in calls.note("a") }
            second.onEnd { _ in calls.note("b") }
            // On the worker, in no fiber.
            Fiber {}.onEnd { _ in first.completeIfOpen(.success(1)) }
            try yieldUntil("called") { calls.count == 4 }
            #expect(calls.all == ["first", "a", "b", "c"])
        }
    }

    @Test func `a chain of promises may be of any length`() async {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run {
                let promises = (0..<200_000).map { _ in Promise<Int>() }
                for index in 1..<promises.count {
                    let next = promises[index]
                    promises[index - 1].onEnd { _ in next.completeIfOpen(.success(index)) }
                }
                try promises[0].succeed(0)
                let last = try promises[promises.count - 1].value()
                precondition(last == promises.count - 1)
            }
        }
    }

    @Test func `links of a promise that no worker completes are called as well`() async throws {
        let called = Flag()
        let promise = Promise<Void>()
        promise.onEnd { _ in called.set() }
        try await onThread { try promise.succeed(()) }
        try await awaitUntil("called") { called.isSet }
    }

    @Test func `fibers, tasks and threads wait for one promise, whoever completes it`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            for way in 0..<3 {
                let promise = Promise<Int>()
                let waiting = Counter()
                let fibers = (0..<2).map { worker in
                    scheduler.spawn(onWorker: worker) {
                        waiting.add()
                        return try promise.value()
                    }
                }
                let tasks = (0..<2).map { worker in
                    Task(executorPreference: scheduler.taskExecutor(ofWorker: worker)) {
                        waiting.add()
                        return try await promise.value()
                    }
                }
                let other = Task { waiting.add(); return try await promise.future.value() }
                async let thread = onThread { waiting.add(); return try promise.future.value() }
                try await awaitUntil("all wait") { waiting.value == 6 }
                switch way {
                case 0: try await onThread { try promise.succeed(7) }
                case 1: try await scheduler.spawn { try promise.succeed(7) }.join()
                default: try promise.succeed(7)
                }
                for fiber in fibers { #expect(try await fiber.join() == 7) }
                for task in tasks { #expect(try await task.value == 7) }
                #expect(try await other.value == 7)
                #expect(try await thread == 7)
            }
        }
    }

    @Test func `a wait for a promise ends early by its deadline and by cancellation`() async throws {
        let promise = Promise<Int>()
        await #expect(throws: TimeoutError.self) { try await promise.value(deadline: .after(.milliseconds(2))) }
        _ = try await onThread {
            #expect(throws: TimeoutError.self) { try promise.value(deadline: .after(.milliseconds(2))) }
        }
        try await forEachSeed(1...100) { _ in
            let deadline = Deadline.after(.seconds(2))
            #expect(throws: TimeoutError(deadline: deadline)) { try promise.value(deadline: deadline) }
            #expect(Simulation.now == .seconds(2))
            let fiber = Fiber { try promise.value() }
            try Fiber.yield()
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
        }
        let task = Task { try await promise.value() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(promise.outcome == nil)
    }

    @Test func `a promise that is dropped before its end takes with it who was to hear of it`() async throws {
        weak var listener: Listener?
        weak var dropped: Promise<Int>?
        do {
            let promise = Promise<Int>()
            let heard = Listener()
            promise.onEnd { _ in heard.note() }
            await #expect(throws: TimeoutError.self) {
                for try await _ in asCompleted([promise], deadline: .after(.milliseconds(1))) {}
            }
            listener = heard
            dropped = promise
        }
        // Who rang at the deadline may hold it a moment longer.
        try await awaitUntil("both are gone") { listener == nil && dropped == nil }
    }

    @Test func `a call that was taken back is gone from the list of a promise that lives on`() {
        let promise = Promise<Int>()
        weak var listener: Listener?
        for _ in 0..<3 {
            let heard = Listener()
            listener = heard
            #expect(promise.onEnd { _ in heard.note() }.remove())
        }
        #expect(listener == nil)
        #expect(promise.outcome == nil)
    }

    private final class Listener: Sendable { func note() {} }
}
