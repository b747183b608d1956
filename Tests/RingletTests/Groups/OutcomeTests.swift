import RingletTesting
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct OutcomeTests {
    @Test func `a fiber has no outcome before its end, and then a value, an error or neither`() async throws {
        try await Scheduler.run {
            let value = Fiber { 3 }
            #expect(value.outcome == nil)
            let failure = Fiber { throw Failure(number: 1) }
            let cancelled = Fiber { try Fiber.sleep(until: .never) }
            try Fiber.yield()
            cancelled.cancel()
            try value.wait()
            try failure.wait()
            try cancelled.wait()
            #expect(try value.outcome!.get() == 3 && value.outcome!.isSuccess)
            #expect(failure.outcome!.error as? Failure == Failure(number: 1))
            #expect(cancelled.outcome!.isCancelled)
            #expect(throws: CancellationError.self) { try cancelled.outcome!.get() }
        }
    }

    @Test func `scenario 49: a fiber that is cancelled before it begins is cancelled, and its links are called`() async throws {
        try await inEveryOrder {
            let calls = Journal<String>()
            let fiber = Fiber { calls.note("body") }
            fiber.onEnd { _ in calls.note("any") }
            fiber.onEnd(.failure) { calls.note("failure, cancelled \($0.outcome!.isCancelled)") }
            fiber.onEnd(.success) { _ in calls.note("success") }
            fiber.cancel()
            fiber.cancel()
            try fiber.wait()
            try yieldUntil("called") { calls.count == 2 }
            #expect(calls.all == ["any", "failure, cancelled true"])
        }
    }

    @Test func `scenario 46: links before and after the end are called once, in order, if they match`() async throws {
        try await inEveryOrder {
            let calls = Journal<String>()
            let fiber = Fiber { 1 }
            fiber.onEnd { _ in calls.note("a") }
            fiber.onEnd(.success) { calls.note("b \(try! $0.outcome!.get())") }
            fiber.onEnd(.failure) { _ in calls.note("no") }
            let taken = fiber.onEnd { _ in calls.note("taken back") }
            #expect(taken.remove() && !taken.remove())
            try fiber.wait()
            fiber.onEnd { _ in calls.note("c") }
            fiber.onEnd(.failure) { _ in calls.note("no") }
            fiber.onEnd(.success) { _ in calls.note("d") }
            // After the end they are called from the loop, not at once.
            #expect(calls.all == ["a", "b 1"])
            try yieldUntil("called") { calls.count == 4 }
            #expect(calls.all == ["a", "b 1", "c", "d"])
        }
    }

    @Test func `a link that is taken back during the calls is not called`() async throws {
        try await Scheduler.run {
            let calls = Journal<String>()
            let second = Shared<Link?>(nil)
            let fiber = Fiber {}
            fiber.onEnd { _ in
                calls.note("first")
                second.value!.remove()
            }
            second.value = fiber.onEnd { _ in calls.note("second") }
            fiber.onEnd { _ in calls.note("third") }
            try fiber.wait()
            #expect(calls.all == ["first", "third"])
        }
    }

    @Test func `a link may start a fiber and a plain thread may ask for one`() async throws {
        try await withScheduler { scheduler in
            let started = Flag()
            let fiber = scheduler.spawn { try Fiber.sleep(for: .milliseconds(2)) }
            try await onThread {
                _ = fiber.onEnd { _ in Fiber { started.set() } }
            }
            try await fiber.wait()
            try await awaitUntil("started") { started.isSet }
        }
    }

    @Test func `a fiber begins at an instant, or not at all when it is cancelled before`() async throws {
        try await forEachSeed(1...100) { _ in
            let later = Fiber(at: .after(.seconds(5))) { Simulation.now }
            #expect(try later.join() == .seconds(5))
            let never = Fiber(at: .never) { Issue.record("it ran") }
            try Fiber.yield()
            never.cancel()
            try never.wait()
            #expect(never.outcome!.isCancelled)
        }
    }

    @Test func `waiting never throws what the fiber threw, and a deadline ends it`() async throws {
        try await withScheduler { scheduler in
            let failed = scheduler.spawn { throw Failure() }
            try await failed.wait()
            try await onThread { try failed.wait() }
            let endless = scheduler.spawn { try Fiber.sleep(until: .never) }
            await #expect(throws: TimeoutError.self) { try await endless.wait(deadline: .now) }
            _ = try await onThread {
                #expect(throws: TimeoutError.self) { try endless.wait(deadline: .after(.milliseconds(1))) }
            }
            endless.cancel()
        }
    }
}
