import Foundation
import RingletTesting
import Testing

@testable import Ringlet

/// Calls made by the scheduler. Numbers of scenarios are those of the table of features.
@Suite(.timeLimit(.patient)) struct CallbackTests {
    private final class Thing: Sendable {}

    /// Far enough never to come in a test.
    private static let farAway = Duration.seconds(86_400)

    private static var turn: UInt64 { CurrentThread.worker?.counters.turns ?? 0 }

    // MARK: Order

    @Test func `scenario 26: what a callback asks for comes in the next pass`() async throws {
        let calls = Journal<(name: String, turn: UInt64)>()
        try await withScheduler { scheduler in
            try await scheduler.spawn {
                scheduler.soon {
                    calls.note(("a", Self.turn))
                    scheduler.soon { calls.note(("c", Self.turn)) }
                }
                scheduler.soon { calls.note(("b", Self.turn)) }
                try yieldUntil("three calls") { calls.count == 3 }
            }.join()
        }
        #expect(calls.all.map(\.name) == ["a", "b", "c"])
        #expect(calls.all[0].turn == calls.all[1].turn)
        #expect(calls.all[1].turn < calls.all[2].turn)
    }

    @Test func `a chain of callbacks lets timers and fibers have their turn`() async throws {
        let rounds = Counter()
        let isOver = Flag()
        @Sendable func again(_ scheduler: Scheduler) {
            rounds.add()
            if !isOver.isSet { scheduler.soon { again(scheduler) } }
        }
        try await withScheduler { scheduler in
            try await scheduler.spawn {
                again(scheduler)
                try Fiber.sleep(for: .milliseconds(2))
                isOver.set()
            }.join()
        }
        #expect(rounds.value > 1)
    }

    @Test func `scenario 27: timers fire in order of their deadlines, and a cancelled one never`() async throws {
        try await forEachSeed(1...100) { _ in
            let scheduler = try #require(Scheduler.current)
            let calls = Journal<Int>()
            let instants = Journal<Duration>()
            let callbacks = [30, 10, -1, 20].map { seconds in
                scheduler.later(.seconds(seconds)) {
                    calls.note(seconds)
                    instants.note(Simulation.now)
                }
            }
            #expect(callbacks[3].cancel())
            #expect(callbacks.map(\.isCancelled) == [false, false, false, true])
            try Fiber.sleep(for: .seconds(100))
            #expect(calls.all == [-1, 10, 30])
            #expect(instants.all == [.zero, .seconds(10), .seconds(30)])
        }
    }

    @Test func `calls with equal deadlines keep their order`() async throws {
        // Without a seed: one is there to shake what is due at the same instant.
        let calls = Journal<Int>()
        try await Scheduler.run {
            let scheduler = try #require(Scheduler.current)
            let deadline = Deadline.after(.milliseconds(2))
            for number in 0..<100 { scheduler.at(deadline) { calls.note(number) } }
            try yieldUntil("all calls") { calls.count == 100 }
        }
        #expect(calls.all == Array(0..<100))
    }

    // MARK: Threads

    @Test(arguments: [1, 2])
    func `scenario 29: calls from eight threads come once each, in each one's order`(workers: Int) async throws {
        let calls = Journal<(thread: Int, number: Int)>()
        try await withScheduler(workers: workers) { scheduler in
            // It sleeps by now, or soon.
            try await scheduler.spawn {}.join()
            for thread in 0..<8 {
                Thread.detachNewThread {
                    for number in 0..<100 { scheduler.soon { calls.note((thread, number)) } }
                }
            }
            try await awaitUntil("all calls") { calls.count >= 800 }
        }
        #expect(calls.count == 800)
        for thread in 0..<8 {
            #expect(calls.all.filter { $0.thread == thread }.map(\.number) == Array(0..<100))
        }
    }

    @Test func `a callback runs on the worker that asks, or on the first`() async throws {
        let places = Journal<Int?>()
        try await withScheduler(workers: 2) { scheduler in
            try await scheduler.spawn(onWorker: 1) {
                scheduler.soon { places.note(CurrentThread.worker?.index) }
                try yieldUntil("the call") { places.count == 1 }
            }.join()
            scheduler.soon { places.note(CurrentThread.worker?.index) }
            try await awaitUntil("the other call") { places.count == 2 }
        }
        #expect(places.all == [1, 0])
    }

    @Test func `a timer from a task of another executor fires`() async throws {
        let isCalled = Flag()
        try await withScheduler { scheduler in
            let callback = scheduler.later(.milliseconds(1)) { isCalled.set() }
            try await awaitUntil("the call") { isCalled.isSet }
            #expect(!callback.isPending && !callback.isCancelled)
            #expect(!callback.cancel())
        }
    }

    // MARK: Cancelling

    @Test(arguments: [true, false])
    func `scenario 28: far timers that are cancelled leave nothing`(onWorker: Bool) async throws {
        try await withScheduler { scheduler in
            let held = Shared<[Callback]>([])
            let things = Shared<[Weak<Thing>]>([])
            @Sendable func ask() {
                for _ in 0..<1000 {
                    let thing = Thing()
                    things.value.append(Weak(thing))
                    held.value.append(scheduler.later(Self.farAway) { _ = thing })
                }
            }
            @Sendable func cancel() {
                for callback in held.value {
                    #expect(callback.cancel())
                    #expect(!callback.cancel())
                    #expect(callback.isCancelled && !callback.isPending)
                }
                // What the closures held is gone at once.
                #expect(things.value.allSatisfy { $0.object == nil })
            }
            let worker = scheduler.workers[0]
            if onWorker {
                try await scheduler.spawn { ask() }.join()
                try await awaitTimers(1000, on: worker)
                try await scheduler.spawn { cancel() }.join()
            } else {
                try await onThread { ask() }
                try await awaitTimers(1000, on: worker)
                try await onThread { cancel() }
            }
            try await awaitTimers(0, on: worker)
            let handles = held.value.map { Weak($0) }
            held.value = []
            try await awaitUntil("the handles to go") { handles.allSatisfy { $0.object == nil } }
        }
    }

    @Test func `a cancel on its way to the timer wins`() async throws {
        try await withScheduler { scheduler in
            let isCalled = Flag()
            for _ in 0..<500 {
                // From here the worker is told of both, one after the other.
                scheduler.later(Self.farAway) { isCalled.set() }.cancel()
            }
            try await awaitTimers(0, on: scheduler.workers[0])
            #expect(!isCalled.isSet)
        }
    }

    @Test func `a call is made or cancelled, never both and never neither`() async throws {
        let made = Counter()
        try await withScheduler { scheduler in
            let prevented = try await onThread { () -> Int in
                var prevented = 0
                for number in 0..<5000 {
                    let callback =
                        number % 2 == 0
                        ? scheduler.soon { made.add() } : scheduler.later(.nanoseconds(number % 7)) { made.add() }
                    if number % 3 == 0 { sched_yield() }
                    if callback.cancel() { prevented += 1 }
                }
                return prevented
            }
            try await awaitUntil("what is left to be called") { made.value + prevented == 5000 }
        }
    }

    // MARK: Limits

    @Test func `a delay beyond the clock never comes, and can be cancelled`() async throws {
        try await withScheduler { scheduler in
            let isCalled = Flag()
            let never = scheduler.later(.seconds(Int64.max)) { isCalled.set() }
            let late = scheduler.at(Deadline(nanoseconds: .max - 1)) { isCalled.set() }
            #expect(never.deadline == .never)
            #expect(scheduler.soon {}.deadline == nil)
            // Timers between them work.
            try await scheduler.spawn { try Fiber.sleep(for: .milliseconds(1)) }.join()
            #expect(!isCalled.isSet)
            #expect(never.cancel() && late.cancel())
        }
    }

    @Test func `what has not begun at the shutdown is cancelled`() async throws {
        let scheduler = try Scheduler()
        let isCalled = Flag()
        let thing = Weak<Thing>(nil)
        let callbacks = {
            let object = Thing()
            thing.object = object
            return [
                scheduler.later(Self.farAway) { [object] in _ = (object, isCalled.set()) },
                scheduler.at(.never) { [object] in _ = (object, isCalled.set()) },
            ]
        }()
        _ = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
        #expect(callbacks.allSatisfy { $0.isCancelled })
        #expect(thing.object == nil)
        let late = [scheduler.soon { isCalled.set() }, scheduler.later(.zero) { isCalled.set() }]
        #expect(late.allSatisfy { $0.isCancelled })
        #expect(!isCalled.isSet)
    }

    @Test func `a callback that waits is told to use a fiber`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            try await Scheduler.run {
                Scheduler.current?.soon { try Fiber.sleep(for: .milliseconds(1)) }
                try Fiber.sleep(until: .never)
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("Fiber.sleep without `await` needs a fiber to suspend"), "\(output)")
        #expect(output.contains("in a callback"), "\(output)")
    }
}

/// A reference that keeps nothing alive.
private final class Weak<Object: AnyObject & Sendable>: @unchecked Sendable {
    weak var object: Object?
    init(_ object: Object?) { self.object = object }
}
