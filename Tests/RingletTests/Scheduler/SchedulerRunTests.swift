import SystemPackage
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct SchedulerRunTests {
    // MARK: Values and errors

    @Test func `run returns the value of a fiber body, on a thread and in a task`() async throws {
        let onPlainThread = try await onThread {
            try Scheduler.run { () -> Int in
                try Fiber.yield()
                return 1
            }
        }
        #expect(onPlainThread == 1)
        let inTask = try await Scheduler.run { () -> Int in
            try Fiber.yield()
            return 2
        }
        #expect(inTask == 2)
    }

    @Test func `run returns the value of an async body on a thread`() async throws {
        let value = try await onThread {
            try Scheduler.run { () async throws -> Int in
                await Task.yield()
                try await Task.sleep(for: .microseconds(10))
                return try await Fiber { 3 }.join()
            }
        }
        #expect(value == 3)
    }

    @Test func `run works in a synchronous function of a task, on a thread of its own`() throws {
        let value = try Scheduler.run { () -> Bool in
            try Fiber.yield()
            return CurrentThread.worker != nil
        }
        #expect(value)
        #expect(CurrentThread.worker == nil)
    }

    @Test func `run on a plain thread stays on it`() async throws {
        let (inside, outside) = try await onThread {
            let outside = pthreadNumber()
            return (try Scheduler.run { pthreadNumber() }, outside)
        }
        #expect(inside == outside)
    }

    @Test func `run throws what the body throws`() async throws {
        await #expect(throws: Failure(number: 1)) {
            try await Scheduler.run { throw Failure(number: 1) }
        }
        await #expect(throws: Failure(number: 2)) {
            try await onThread { try Scheduler.run { throw Failure(number: 2) } }
        }
        await #expect(throws: Failure(number: 3)) {
            try await onThread {
                try Scheduler.run { () async throws -> Void in
                    await Task.yield()
                    throw Failure(number: 3)
                }
            }
        }
    }

    @Test func `a thread runs one scheduler after another`() async throws {
        let sum = try await onThread { () -> Int in
            var sum = 0
            for number in 0..<20 {
                sum += try Scheduler.run { try Fiber { number }.join() }
                sum += try Scheduler.run { () async throws -> Int in number }
            }
            return sum
        }
        #expect(sum == 2 * 190)
    }

    @Test func `many schedulers run at the same time`() async throws {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<16 {
                group.addTask {
                    try await Scheduler.run {
                        let (client, server) = try connectedPair()
                        try client.write(Buffer(copying: [UInt8(number)]))
                        var buffer = Buffer(capacity: 1)
                        try server.read(into: &buffer)
                        return Int(buffer[0])
                    }
                }
            }
            let sum = try await group.reduce(0, +)
            #expect(sum == 120)
        }
    }

    // MARK: Rules

    @Test func `a scheduler does not run inside a scheduler`() async throws {
        try await withScheduler { scheduler in
            let inFiber = scheduler.spawn { try Scheduler.run { 1 } }
            await #expect(throws: SchedulerError.nestedRun) { try await inFiber.join() }
            let inTask = Task(executorPreference: scheduler.taskExecutor) {
                try await Scheduler.run { 1 }
            }
            await #expect(throws: SchedulerError.nestedRun) { try await inTask.value }
        }
    }

    @Test(arguments: [0, -1, 1025, .max])
    func `the number of workers is checked`(workers: Int) async throws {
        let options = SchedulerOptions(workers: workers)
        let error = await #expect(throws: SchedulerError.self) {
            try await Scheduler.run(options) { 1 }
        }
        #expect(error?.description.contains("\(workers) workers; there can be 1 to 1024") == true)
        #expect(throws: SchedulerError.self) { try Scheduler(options) }
    }

    @Test(arguments: [0, -1, 16 * 1024 - 1, 1 << 30 + 1, .max])
    func `the size of stacks is checked`(size: Int) async throws {
        let options = SchedulerOptions(fiberStackSize: size)
        let error = await #expect(throws: SchedulerError.self) {
            try await Scheduler.run(options) { 1 }
        }
        #expect(error?.description.contains("stacks of \(size) bytes") == true)
    }

    @Test func `durations below zero are named`() async throws {
        var debugged = SchedulerOptions()
        debugged.debug = DebugMode(slowStep: .milliseconds(-1))
        for (options, words) in [
            (debugged, "a slow step of -0.001 seconds"),
            (SchedulerOptions(cleanUpLimit: .seconds(-1)), "a clean-up of -1.0 seconds"),
        ] {
            let error = await #expect(throws: SchedulerError.self) { try await Scheduler.run(options) { 1 } }
            #expect(error?.description.contains(words) == true)
        }
    }

    @Test func `a stack size between pages is rounded up`() async throws {
        let options = SchedulerOptions(fiberStackSize: 16 * 1024 + 1)
        let value = try await Scheduler.run(options) { try Fiber { 7 }.join() }
        #expect(value == 7)
    }

    @Test(arguments: [1, 2, 8])
    func `each worker has a thread and runs what is put there`(workers: Int) async throws {
        try await withScheduler(workers: workers) { scheduler in
            #expect(scheduler.workerCount == workers)
            #expect(!scheduler.isCurrent)
            var threads: Set<UInt> = []
            for index in 0..<workers {
                let fiber = scheduler.spawn(onWorker: index) { () -> UInt in
                    guard scheduler.isCurrent, CurrentThread.worker?.index == index else { return 0 }
                    return pthreadNumber()
                }
                threads.insert(try await fiber.join())
                let task = Task(executorPreference: scheduler.taskExecutor(ofWorker: index)) {
                    pthreadNumber()
                }
                threads.insert(await task.value)
            }
            #expect(threads.count == workers)
            #expect(!threads.contains(0))
        }
    }

    // MARK: Ends

    @Test func `what is left at the end of run is cancelled and awaited`() async throws {
        let ended = Journal<Int>()
        let value = try await Scheduler.run { () -> Int in
            let listener = try TCPListener(on: .loopback(port: 0))
            let other = Fiber { try Fiber.sleep(until: .never) }
            let waits: [@Sendable () throws -> Void] = [
                { try Fiber.sleep(until: .never) },
                { _ = try listener.accept() },
                { try other.join() },
                { while true { try Fiber.yield() } },
                { try Fiber.await { try await Task.sleep(for: .seconds(1000)) } },
            ]
            for (number, wait) in waits.enumerated() {
                Fiber {
                    if errorThrown(by: wait) is CancellationError {
                        // Cleaning up takes its time.
                        try withoutCancellation { try Fiber.sleep(for: .milliseconds(5)) }
                        ended.note(number)
                    }
                }
            }
            for _ in 0..<5 { try Fiber.yield() }
            return 5
        }
        #expect(value == 5)
        #expect(Set(ended.all) == [0, 1, 2, 3, 4])
    }

    @Test func `what is left is awaited when the body throws, too`() async throws {
        let cleaned = Flag()
        await #expect(throws: Failure(number: 6)) {
            try await Scheduler.run {
                Fiber {
                    defer { cleaned.set() }
                    try Fiber.sleep(until: .never)
                }
                try Fiber.yield()
                throw Failure(number: 6)
            }
        }
        #expect(cleaned.isSet)
    }

    @Test func `cancelling the task that runs a scheduler cancels the main body`() async throws {
        let began = Flag()
        let task = Task {
            try await Scheduler.run {
                began.set()
                try Fiber.sleep(until: .never)
            }
        }
        try await awaitUntil("it runs") { began.isSet }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `a task that is cancelled already never runs the main body`() async throws {
        let ran = Flag()
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            try await Scheduler.run { ran.set() }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!ran.isSet)
    }
}
