import RingletTesting
import SystemPackage
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct FiberJoinTests {
    @Test func `a fiber joins another and gets its value`() async throws {
        let sum = try await Scheduler.run {
            let one = Fiber { 1 }
            let two = Fiber { () -> Int in
                try Fiber.yield()
                return 2
            }
            return try one.join() + two.join()
        }
        #expect(sum == 3)
    }

    @Test func `values of all sizes come back, and each is released once`() async throws {
        struct Three: Equatable { var a: UInt8 = 1, b: UInt8 = 2, c: UInt8 = 3 }
        final class Tracked: Sendable {
            let ends: Counter
            init(_ ends: Counter) { self.ends = ends }
            deinit { ends.add() }
        }
        let ends = Counter()
        try await Scheduler.run {
            for round in 1...10 {
                try Fiber {}.join()
                let byte = try Fiber { UInt8(round) }.join()
                let three = try Fiber { Three() }.join()
                let text = try Fiber { String(repeating: "long ", count: round) }.join()
                let wide = try Fiber { SIMD16<Float>(repeating: Float(round)) }.join()
                let nothing = try Fiber { () -> Int? in nil }.join()
                #expect(byte == UInt8(round) && three == Three() && nothing == nil)
                #expect(text.count == 5 * round && wide[15] == Float(round))
                do {
                    let one = Fiber { Tracked(ends) }
                    let two = Fiber { (Tracked(ends), Tracked(ends)) }
                    let first = try one.join()
                    let second = try two.join()
                    #expect(try first === one.join() && second.1 === two.join().1)
                }
                // The fibers have told their ends, and are let go of after that.
                try Fiber.yield()
                #expect(ends.value == 3 * round)
            }
        }
    }

    @Test func `a fiber joins another and gets its error`() async throws {
        try await Scheduler.run {
            let fiber = Fiber { throw Failure(number: 7) }
            #expect(throws: Failure(number: 7)) { try fiber.join() }
        }
    }

    @Test func `a task joins a fiber and gets its value or error`() async throws {
        try await withScheduler { scheduler in
            let value = scheduler.spawn { () -> String in
                try Fiber.yield()
                return "value"
            }
            let joined = try await value.join()
            #expect(joined == "value")
            let error = scheduler.spawn { throw Failure(number: 8) }
            await #expect(throws: Failure(number: 8)) { try await error.join() }
        }
    }

    @Test func `a plain thread joins a fiber and gets its value or error`() async throws {
        try await withScheduler { scheduler in
            let release = Flag()
            let value = scheduler.spawn { () -> Int in
                try yieldUntil("released") { release.isSet }
                return 9
            }
            let thread = Task {
                try await onThread { () -> Int in
                    release.set()
                    return try value.join()
                }
            }
            let joined = try await thread.value
            #expect(joined == 9)
            let error = scheduler.spawn { throw Failure(number: 9) }
            await #expect(throws: Failure(number: 9)) { try await onThread { try error.join() } }
        }
    }

    @Test func `joining after the end gives the outcome, every time`() async throws {
        try await Scheduler.run {
            let value = Fiber { 5 }
            let error = Fiber { throw Failure(number: 5) }
            try yieldUntil("both ended") { value.isFinished && error.isFinished }
            for _ in 0..<3 {
                #expect(try value.join() == 5)
                #expect(try value.join(deadline: .now) == 5)
                #expect(throws: Failure(number: 5)) { try error.join() }
            }
        }
    }

    @Test func `many joiners are all woken, in the order in which they came`() async throws {
        let order = Journal<Int>()
        try await Scheduler.run {
            let release = Flag()
            let target = Fiber { () -> Int in
                try yieldUntil("released") { release.isSet }
                return 11
            }
            let waiting = Counter()
            let joiners = (0..<200).map { number in
                Fiber {
                    waiting.add()
                    let value = try target.join()
                    order.note(number)
                    return value
                }
            }
            try yieldUntil("all wait") { waiting.value == 200 }
            release.set()
            for joiner in joiners { #expect(try joiner.join() == 11) }
        }
        #expect(order.all == Array(0..<200))
    }

    @Test func `fibers, tasks and threads join the same fiber at once`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let release = Flag()
            let target = scheduler.spawn { () -> Int in
                try yieldUntil("released") { release.isSet }
                return 3
            }
            let fibers = (0..<8).map { index in
                scheduler.spawn(onWorker: index % 2) { try target.join() }
            }
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask { try await target.join() }
                    group.addTask { try await onThread { try target.join() } }
                }
                group.addTask {
                    release.set()
                    return 3
                }
                for try await value in group { #expect(value == 3) }
            }
            for fiber in fibers { #expect(try await fiber.join() == 3) }
        }
    }

    // MARK: Deadlines

    @Test func `a join that is too late names its deadline, and can be repeated`() async throws {
        try await forEachSeed(1...100) { _ in
            let target = Fiber { () -> Int in
                try Fiber.sleep(for: .milliseconds(7))
                return 4
            }
            let deadline = Deadline.after(.milliseconds(5))
            #expect(throws: TimeoutError(deadline: deadline)) { try target.join(deadline: deadline) }
            #expect(Deadline.now == deadline)
            #expect(!target.isFinished)
            let joined = try target.join(deadline: .after(.seconds(1)))
            #expect(joined == 4)
            #expect(Simulation.now == .milliseconds(7))
        }
    }

    @Test func `a deadline that has passed already ends a join without waiting`() async throws {
        try await withScheduler { scheduler in
            let release = Flag()
            let target = scheduler.spawn { try yieldUntil("released") { release.isSet } }
            let past = Deadline(nanoseconds: 1)
            let inFiber = scheduler.spawn { try target.join(deadline: past) }
            await #expect(throws: TimeoutError(deadline: past)) { try await inFiber.join() }
            await #expect(throws: TimeoutError(deadline: past)) {
                try await target.join(deadline: past)
            }
            await #expect(throws: TimeoutError(deadline: past)) {
                try await onThread { try target.join(deadline: past) }
            }
            release.set()
            try await target.join()
        }
    }

    @Test func `the join of a task or a thread that is too late names its deadline`() async throws {
        try await forEachSeed(1...100) { _ in
            let target = Fiber { try Fiber.sleep(until: .never) }
            let deadline = Deadline.after(.milliseconds(20))
            await #expect(throws: TimeoutError(deadline: deadline)) {
                try await target.join(deadline: deadline)
            }
            #expect(Deadline.now == deadline)
        }
        // A thread blocks by the machine's clock.
        try await withScheduler { scheduler in
            let target = scheduler.spawn { try Fiber.sleep(until: .never) }
            let later = Deadline.after(.milliseconds(20))
            await #expect(throws: TimeoutError(deadline: later)) {
                try await onThread { try target.join(deadline: later) }
            }
            #expect(!target.isFinished)
        }
    }

    @Test func `an end that comes before the deadline wins`() async throws {
        try await Scheduler.run {
            for _ in 0..<100 {
                let fiber = Fiber { () -> Int in
                    try Fiber.yield()
                    return 1
                }
                let value = try fiber.join(deadline: .after(patience))
                #expect(value == 1)
            }
        }
    }

    // MARK: Rules

    @Test func `scenario 42: a fiber cannot join itself`() async throws {
        try await Scheduler.run {
            let box = Shared<Fiber<Void>?>(nil)
            let fiber = Fiber { () -> Void in try box.value?.join() }
            box.value = fiber
            #expect(throws: Errno.deadlock) { try fiber.join() }
            box.value = nil
        }
    }

    @Test func `cancelling the joining fiber leaves the other one running`() async throws {
        try await Scheduler.run {
            let release = Flag()
            let target = Fiber { () -> Int in
                try yieldUntil("released") { release.isSet }
                return 6
            }
            let began = Flag()
            let joiner = Fiber { () -> Int in
                began.set()
                return try target.join()
            }
            try yieldUntil("joining") { began.isSet }
            joiner.cancel()
            #expect(throws: CancellationError.self) { try joiner.join() }
            #expect(!target.isFinished)
            #expect(!target.isCancelled)
            release.set()
            let joined = try target.join()
            #expect(joined == 6)
        }
    }

    @Test func `cancelling the joining task leaves the fiber running`() async throws {
        try await withScheduler { scheduler in
            let release = Flag()
            let target = scheduler.spawn { () -> Int in
                try yieldUntil("released") { release.isSet }
                return 6
            }
            let joiner = Task { try await target.join() }
            joiner.cancel()
            await #expect(throws: CancellationError.self) { try await joiner.value }
            #expect(!target.isFinished)
            release.set()
            let joined = try await target.join()
            #expect(joined == 6)
        }
    }

    @Test func `fibers of two workers join each other in long chains`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            var last = scheduler.spawn(onWorker: 0) { 0 }
            for step in 1...500 {
                let previous = last
                last = scheduler.spawn(onWorker: step % 2) { try previous.join() + 1 }
            }
            let length = try await last.join()
            #expect(length == 500)
        }
    }

    @Test func `a fiber joins one of another scheduler`() async throws {
        try await withScheduler { first in
            try await withScheduler { second in
                let inner = first.spawn { () -> Int in
                    for _ in 0..<100 { try Fiber.yield() }
                    return 21
                }
                let outer = second.spawn { try inner.join() * 2 }
                let joined = try await outer.join()
                #expect(joined == 42)
            }
        }
    }

    @Test func `a task's join that ends before its deadline leaves no timer`() async throws {
        try await withScheduler { scheduler in
            for _ in 0..<50 {
                let fiber = scheduler.spawn { for _ in 0..<3 { try Fiber.yield() } }
                try await fiber.join(deadline: .after(.seconds(3600)))
            }
            try await awaitTimers(0, on: scheduler.workers[0])
        }
    }
}
