import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import Ringlet

private enum Local {
    @TaskLocal static var word = "none"
}

/// What holds a thread of a pool until it is let go.
final class ThreadGate: Sendable {
    private let condition = NSCondition()
    private let isOpen = Shared(false)
    private let arrivals = Counter()

    var arrived: Int { arrivals.value }

    /// Blocks the thread.
    func pass() {
        arrivals.add()
        condition.withLock { while !isOpen.value { condition.wait() } }
    }

    func open() {
        isOpen.value = true
        condition.withLock { condition.broadcast() }
    }
}

/// Work that blocks, waited for by fibers, tasks and plain threads (scenario 84, first half).
@Suite(.timeLimit(.patient)) struct ThreadPoolTests {
    // MARK: Value, error, task-locals

    @Test func `84 in a fiber: value, error and task-locals cross, on another thread`() async throws {
        let pool = try ThreadPool(name: "f84")
        try await Scheduler.run {
            let mine = pthreadNumber()
            try Local.$word.withValue("bound") {
                let (word, thread) = try pool.run { (Local.word, pthreadNumber()) }
                #expect(word == "bound")
                #expect(thread != mine)
            }
            #expect(throws: Failure(number: 84)) { try pool.run { throw Failure(number: 84) } }
            #expect(pthreadNumber() == mine)
        }
        #expect(await pool.shutdown() == ThreadPoolReport())
    }

    @Test func `84 in a task: value, error and task-locals cross`() async throws {
        let pool = try ThreadPool()
        try await Local.$word.withValue("bound") {
            let word = try await pool.run { Local.word }
            #expect(word == "bound")
        }
        await #expect(throws: Failure(number: 84)) { try await pool.run { throw Failure(number: 84) } }
        try await Scheduler.run { () async throws in
            let value = try await pool.run { 7 }
            #expect(value == 7)
            #expect(Scheduler.current != nil, "the task is back on its worker")
        }
        #expect(await pool.shutdown() == ThreadPoolReport())
    }

    @Test func `84 on a plain thread: value, error and task-locals cross`() async throws {
        let pool = try ThreadPool()
        try await onThread {
            let word = try Local.$word.withValue("bound") { try pool.run { Local.word } }
            #expect(word == "bound")
            #expect(throws: Failure(number: 85)) { try pool.run { throw Failure(number: 85) } }
            #expect(pool.shutdown() == ThreadPoolReport())
        }
    }

    @Test func `84 the worker goes on while the work blocks`() async throws {
        let pool = try ThreadPool()
        let gate = ThreadGate()
        try await Scheduler.run {
            let blocked = Fiber { try pool.run { gate.pass() } }
            // Everything here runs on the one worker.
            try yieldUntil("the work blocks") { gate.arrived == 1 }
            #expect(!blocked.isFinished)
            gate.open()
            try blocked.join()
        }
    }

    @Test func `the work is in no fiber and on no worker, and joins one like a plain thread`() async throws {
        let pool = try ThreadPool()
        try await Scheduler.run {
            let other = Fiber { try Fiber.yield(); return 3 }
            let value = try pool.run {
                #expect(AnyFiber.current == nil)
                #expect(Scheduler.current == nil)
                return try other.join()
            }
            #expect(value == 3)
        }
    }

    // MARK: Cancellation

    @Test func `84 a cancelled fiber waits for the end of the work, and then throws`() async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        let sawCancel = Flag()
        try await Scheduler.run {
            let waiting = Fiber {
                try pool.run { () -> Int in
                    gate.pass()
                    if Task.isCancelled { sawCancel.set() }
                    return 1
                }
            }
            try yieldUntil("the work blocks") { gate.arrived == 1 }
            waiting.cancel()
            for _ in 0..<10 { try Fiber.yield() }
            #expect(!waiting.isFinished)
            gate.open()
            #expect(throws: CancellationError.self) { try waiting.join() }
            #expect(sawCancel.isSet)
            #expect(try pool.run { 2 } == 2)
        }
    }

    @Test func `84 a cancelled task waits for the end of the work, and then throws`() async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        let done = Flag()
        let waiting = Task {
            defer { done.set() }
            return try await pool.run { gate.pass() }
        }
        try await awaitUntil("the work blocks") { gate.arrived == 1 }
        waiting.cancel()
        // The cancel has returned, so its handler has run.
        #expect(!done.isSet)
        gate.open()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(try await pool.run { 2 } == 2)
    }

    @Test func `a fiber that is cut short again waits on for the end of the work`() async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        try await Scheduler.run {
            let waiting = Fiber { try pool.run { gate.pass() } }
            try yieldUntil("the work blocks") { gate.arrived == 1 }
            for _ in 0..<3 {
                waiting.cancel()
                waiting.interrupt(throwing: Failure(number: 6))
                for _ in 0..<10 { try Fiber.yield() }
                #expect(!waiting.isFinished)
            }
            gate.open()
            #expect(throws: Failure(number: 6)) { try waiting.join() }
        }
    }

    @Test func `the error of work whose waiter was cancelled is not lost`() async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        try await Scheduler.run {
            let waiting = Fiber { try pool.run { gate.pass(); throw Failure(number: 5) } }
            try yieldUntil("the work blocks") { gate.arrived == 1 }
            waiting.cancel()
            gate.open()
            #expect(throws: Failure(number: 5)) { try waiting.join() }
        }
    }

    @Test(arguments: [false, true])
    func `84 a fiber that abandons goes on at once, and the thread is used again`(_ fails: Bool) async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        try await Scheduler.run {
            let waiting = Fiber {
                try pool.run(abandonOnCancel: true) {
                    gate.pass()
                    if fails { throw Failure() }
                }
            }
            try yieldUntil("the work blocks") { gate.arrived == 1 }
            waiting.cancel()
            #expect(throws: CancellationError.self) { try waiting.join() }
            #expect(pool.counts.running == 1)
            gate.open()
            #expect(try pool.run { 2 } == 2)
            #expect(pool.counts == ThreadPoolCounts(threads: 1, idle: 1))
        }
    }

    @Test func `84 a task that abandons goes on at once, and the thread is used again`() async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        let waiting = Task { try await pool.run(abandonOnCancel: true) { gate.pass() } }
        try await awaitUntil("the work blocks") { gate.arrived == 1 }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(pool.counts.running == 1)
        gate.open()
        #expect(try await pool.run { 2 } == 2)
    }

    @Test func `work that has no thread yet is taken back, in fibers and tasks, and never runs`() async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        let ran = Flag()
        let holder = pool.spawn { gate.pass() }
        try await Scheduler.run {
            let waiting = Fiber { try pool.run { ran.set() } }
            try yieldUntil("the work waits") { pool.counts.waiting == 1 }
            waiting.cancel()
            #expect(throws: CancellationError.self) { try waiting.join() }
        }
        let waiting = Task { try await pool.run { ran.set() } }
        try await awaitUntil("the work waits") { pool.counts.waiting == 2 }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        gate.open()
        try await holder.join()
        #expect(await pool.shutdown() == ThreadPoolReport())
        #expect(!ran.isSet)
    }

    @Test func `a fiber or task that was cancelled before runs nothing`() async throws {
        let pool = try ThreadPool()
        let ran = Flag()
        try await Scheduler.run {
            let fiber = Fiber {
                AnyFiber.current?.cancel()
                try pool.run { ran.set() }
            }
            #expect(throws: CancellationError.self) { try fiber.join() }
        }
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            try await pool.run { ran.set() }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!ran.isSet)
        #expect(pool.counts.threads == 0)
    }

    // MARK: Jobs

    @Test func `work that is spawned is joined by fibers, tasks and threads, also after its end`() async throws {
        let pool = try ThreadPool()
        let gate = ThreadGate()
        let job = pool.spawn { () -> Int in gate.pass(); return 9 }
        #expect(!job.isFinished)
        async let inTask = job.join()
        async let onPlain = onThread { try job.join() }
        async let inFiber = Scheduler.run { try job.join() }
        gate.open()
        #expect(try await [inTask, onPlain, inFiber] == [9, 9, 9])
        #expect(job.isFinished)
        #expect(try await job.join(deadline: .now) == 9)
    }

    @Test func `a deadline or a cancelled joiner leaves the work alone`() async throws {
        let pool = try ThreadPool()
        let gate = ThreadGate()
        let job = pool.spawn { () -> Int in gate.pass(); return Task.isCancelled ? -1 : 9 }
        let deadline = Deadline.after(.milliseconds(1))
        await #expect(throws: TimeoutError(deadline: deadline)) { try await job.join(deadline: deadline) }
        await #expect(throws: TimeoutError.self) { try await onThread { try job.join(deadline: deadline) } }
        try await Scheduler.run {
            #expect(throws: TimeoutError(deadline: deadline)) { try job.join(deadline: deadline) }
            let joiner = Fiber { try job.join() }
            try Fiber.yield()
            joiner.cancel()
            #expect(throws: CancellationError.self) { try joiner.join() }
        }
        gate.open()
        #expect(try await job.join() == 9)
    }

    @Test func `a thread that is idle keeps nothing of its last work`() async throws {
        let pool = try ThreadPool(limit: 1, idleTime: .seconds(3600))
        let lines = Journal<String>()
        try await Scheduler.run {
            _ = try pool.run { FrameTrace(lines) }
            try yieldUntil("the result is released") { lines.count == 1 }
        }
        await pool.shutdown()
    }

    @Test func `a job that is cancelled does not begin, or can see it`() async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        let running = pool.spawn { () -> Bool in gate.pass(); return Task.isCancelled }
        let waiting = pool.spawn { true }
        try await awaitUntil("one runs") { gate.arrived == 1 }
        waiting.cancel()
        #expect(waiting.isFinished)
        await #expect(throws: CancellationError.self) { try await waiting.join() }
        running.cancel()
        gate.open()
        #expect(try await running.join())
    }
}
