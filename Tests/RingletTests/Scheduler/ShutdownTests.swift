import Foundation
import SystemPackage
import Testing

@testable @_spi(C) import Ringlet

@Suite(.timeLimit(ProcessInfo.processInfo.environment["RINGLET_SHUTDOWN_ROUNDS"] == nil ? .patient : .minutes(240)))
struct ShutdownTests {
    @Test func `a shutdown with nothing to do reports nothing, and so does a second one`() async throws {
        let reports = try await onThread { () -> [ShutdownReport] in
            let scheduler = try Scheduler(SchedulerOptions(workers: 2))
            return [scheduler.shutdown(), scheduler.shutdown(), scheduler.shutdown(deadline: .now)]
        }
        #expect(reports.allSatisfy { $0 == ShutdownReport() })
    }

    @Test func `what is spawned after the shutdown ends cancelled, before it begins`() async throws {
        let scheduler = try Scheduler(SchedulerOptions(workers: 2))
        _ = try await onThread { scheduler.shutdown() }
        let ran = Flag()
        for index in [0, 1, 0, 1] {
            let fiber = scheduler.spawn(onWorker: index) { ran.set() }
            await #expect(throws: CancellationError.self) { try await fiber.join() }
        }
        #expect(!ran.isSet)
        // Tasks do run: on the default executor.
        let value = await Task(executorPreference: scheduler.taskExecutor) { 3 }.value
        #expect(value == 3)
    }

    @Test func `a shutdown ends the waits of tasks, of those in actors as well`() async throws {
        let scheduler = try Scheduler()
        let promise = Promise<Int>()
        let waiting = Counter()
        let tasks = (0..<8).map { number in
            Task(executorPreference: scheduler.taskExecutor) {
                let actor = Waiter()
                waiting.add()
                let deadline = number % 4 < 2 ? Deadline.never : .after(.seconds(3600))
                return number % 2 == 0
                    ? try await actor.value(of: promise, deadline) : try await promise.value(deadline: deadline)
            }
        }
        try await awaitUntil("all wait") { waiting.value == tasks.count }
        #expect(try await onThread { scheduler.shutdown(deadline: .after(patience)) } == ShutdownReport())
        for task in tasks { await #expect(throws: CancellationError.self) { try await task.value } }
    }

    private actor Waiter {
        func value(of promise: Promise<Int>, _ deadline: Deadline) async throws -> Int {
            try await promise.value(deadline: deadline)
        }
    }

    @Test func `what a straggler leads to is dealt with, too`() async throws {
        let scheduler = try Scheduler()
        _ = try await onThread { scheduler.shutdown() }
        let reached = Flag()
        // The worker has ended, so both messages are delivered by the threads that push them; the second
        // is pushed while the first is under way.
        scheduler.workers[0].perform { worker in worker.perform { _ in reached.set() } }
        try await awaitUntil("the second to arrive") { reached.isSet }
    }

    @Test func `every fiber ends that other threads spawn during the shutdown`() async throws {
        for round in 0..<20 {
            let scheduler = try Scheduler(SchedulerOptions(workers: 2))
            let fibers = Journal<Fiber<Void>>()
            let stop = Flag()
            let spawners = (0..<2).map { _ in
                Task {
                    try await onThread {
                        // Not without end, since there is a wait for each of them.
                        for _ in 0..<200 where !stop.isSet {
                            fibers.note(scheduler.spawn { try Fiber.sleep(until: .never) })
                            usleep(20)
                        }
                    }
                }
            }
            try await awaitUntil("some run") { fibers.count > round * 5 }
            let report = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
            #expect(report.stuckWorkers == 0)
            stop.set()
            for spawner in spawners { try await spawner.value }
            var cancelled = 0
            for fiber in fibers.all {
                do { try await fiber.join(deadline: .after(patience)) } catch is CancellationError {
                    cancelled += 1
                }
            }
            #expect(cancelled == fibers.count)
        }
    }

    /// The first report of a shutdown without patience that is as expected and in which worker 0 has answered.
    /// Repeated, because on a busy machine one that is well may not come round in time either.
    private static func shutdown(
        _ scheduler: Scheduler, until isExpected: @Sendable (ShutdownReport) -> Bool
    ) async throws -> ShutdownReport {
        var report = ShutdownReport()
        try await awaitUntil("worker 0 answers") {
            report = scheduler.shutdown(deadline: .now)
            return isExpected(report) && report.workers.first?.isBlocked == false
        }
        return report
    }

    @Test func `a shutdown that takes too long reports who is left`() async throws {
        let scheduler = try Scheduler(SchedulerOptions(workers: 2))
        let release = Flag()
        let began = Flag()
        let stubborn = scheduler.spawn(onWorker: 1) {
            began.set()
            while !release.isSet {}
        }
        let patient = scheduler.spawn(onWorker: 0) { try Fiber.sleep(until: .never) }
        try await awaitUntil("it spins") { began.isSet }
        let report = try await Self.shutdown(scheduler) {
            $0.fibers == 1 && $0.workers.first?.fibers.isEmpty == true
        }
        // The other worker waits for the fibers of both.
        #expect(report.stuckWorkers == 2)
        #expect(report.workers.map(\.index) == [0, 1])
        #expect(report.workers.map(\.isBlocked) == [false, true])
        #expect(report.workers[0].fibers.isEmpty)
        #expect(report.description.contains("worker 1 does not answer"), "\(report)")
        #expect(!stubborn.isFinished)
        await #expect(throws: CancellationError.self) { try await patient.join() }
        release.set()
        try await stubborn.join(deadline: .after(patience))
    }

    @Test func `what a worker waits for is named`() async throws {
        let scheduler = try Scheduler()
        let obstacle = try Obstacle(.read)
        let release = Flag()
        let reader = scheduler.spawn(name: "careful reader") {
            try withoutCancellation { try obstacle.wait(deadline: .after(patience)) }
        }
        let sleepers = (0..<20).map { index in
            scheduler.spawn(name: "sleeper \(index)") {
                try withoutCancellation {
                    while !release.isSet { try Fiber.sleep(for: .milliseconds(1)) }
                }
            }
        }
        try await scheduler.awaitOperations(1)
        let report = try await Self.shutdown(scheduler) { _ in true }
        #expect(report.fibers == 21)
        let left = try #require(report.workers.first)
        #expect(!left.isBlocked)
        #expect(left.operations >= 1)
        #expect(left.fibers.count == ShutdownReport.Worker.mostNames)
        #expect(left.fibers.contains { $0.contains("'sleeper ") }, "\(left)")
        release.set()
        for sleeper in sleepers { try? await sleeper.join() }
        let rest = try await Self.shutdown(scheduler) {
            $0.fibers == 1 && $0.workers.first?.operations == 1
        }
        #expect(rest.workers.first?.fibers == [reader.description])
        #expect(rest.description.hasSuffix("has 1 operations and \(reader)"), "\(rest)")
        try await obstacle.close()
        await #expect(throws: Errno.badFileDescriptor) {
            try await reader.join(deadline: .after(patience))
        }
        let nothing = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
        #expect(nothing == ShutdownReport())
        #expect(nothing.description == "nothing was left")
    }

    @Test func `a scheduler that is dropped ends by itself`() async throws {
        let asleep = Flag()
        let fiber: Fiber<Void>
        do {
            let scheduler = try Scheduler()
            fiber = scheduler.spawn {
                asleep.set()
                try Fiber.sleep(until: .never)
            }
            try await awaitUntil("it sleeps") { asleep.isSet }
        }
        await #expect(throws: CancellationError.self) {
            try await fiber.join(deadline: .after(patience))
        }
    }

    // MARK: In a process of their own, where descriptors can be counted

    /// A little of everything, most of which never ends by itself.
    private static func beginWork(
        on scheduler: Scheduler, _ random: inout Seeded, unexpected: Journal<String>
    ) throws {
        @Sendable func note(_ error: any Error) {
            switch error {
            case is CancellationError, Errno.badFileDescriptor, Errno.connectionReset,
                Errno.brokenPipe: break
            default: unexpected.note("\(error)")
            }
        }
        func spawn(_ body: @escaping @Sendable () throws -> Void) {
            let worker = Int.random(in: 0..<scheduler.workerCount, using: &random)
            scheduler.spawn(onWorker: worker) {
                do { try body() } catch { note(error) }
            }
        }
        func spawnTask(_ body: @escaping @Sendable () async throws -> Void) {
            Task(executorPreference: scheduler.taskExecutor) {
                do { try await body() } catch { note(error) }
            }
        }
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            switch Int.random(in: 0..<9, using: &random) {
            case 0: spawn { try Fiber.sleep(until: .never) }
            case 1: spawn { while true { try Fiber.yield() } }
            case 2: spawn { _ = try TCPListener(on: .loopback(port: 0)).accept() }
            case 3:
                spawn {
                    let (client, server) = try connectedPair()
                    let answerer = Fiber { try echo(server) }
                    var buffer = Buffer(capacity: 100)
                    while !answerer.isFinished {
                        try client.write(Buffer(copying: [1, 2, 3]))
                        try client.read(into: &buffer)
                    }
                }
            case 4:
                spawn {
                    let (client, server) = try connectedPair()
                    try client.write(Stream.buffer(count: 8 << 20))
                    try server.close()
                }
            case 5:
                spawn {
                    var buffer = Buffer(capacity: 100)
                    while true { try File.open("/dev/zero").read(into: &buffer, at: 0) }
                }
            case 6:
                spawn {
                    let inner = Fiber { try Fiber.sleep(until: .never) }
                    try inner.join(deadline: .after(.seconds(100)))
                }
            case 7:
                spawnTask {
                    let (client, server) = try await connectedPair()
                    var buffer = Buffer(capacity: 100)
                    try await server.read(into: &buffer, deadline: .after(.seconds(100)))
                    try await client.close()
                }
            default:
                spawnTask {
                    let listener = try TCPListener(on: .loopback(port: 0))
                    while true {
                        async let client = TCPConnection.connect(to: listener.address)
                        let server = try await listener.accept()
                        try await server.close()
                        try await client.close()
                    }
                }
            }
        }
    }

    /// `RINGLET_SHUTDOWN_ROUNDS` asks for more of them than a run of the suite has the time for.
    private static var rounds: Int {
        ProcessInfo.processInfo.environment["RINGLET_SHUTDOWN_ROUNDS"].flatMap { Int($0) } ?? 300
    }

    /// mallopt(3), which the Glibc module does not show.
    private static func setAllocator(option: Int32, _ value: Int32) {
        typealias Function = @convention(c) (Int32, Int32) -> Int32
        _ = unsafe unsafeBitCast(dlsym(nil, "mallopt"), to: Function.self)(option, value)
    }

    /// Resident memory of the process, in bytes.
    private static func residentMemory() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(getpagesize())
    }

    @Test func `shutdown at any moment leaks no descriptor, no slot and no memory`() async throws {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            // Otherwise each of the allocator's arenas, of which there are many, keeps the largest buffer it
            // ever gave.
            Self.setAllocator(option: -3 /* M_MMAP_THRESHOLD */, 1 << 20)
            Self.setAllocator(option: -8 /* M_ARENA_MAX */, 2)
            // What the library and the test keep for good is opened by a first round.
            var before = 0
            var memory: [Int] = []
            let unexpected = Journal<String>()
            for seed in 0..<Self.rounds {
                var random = Seeded(seed: UInt64(seed))
                try await Self.round(&random, seed: seed, unexpected)
                if seed == 0 { before = try await settledDescriptors() }
                if seed % max(Self.rounds / 10, 1) == 0 { memory.append(try Self.residentMemory()) }
            }
            let line = "resident KiB: \(memory.map { $0 >> 10 })\n"
            _ = unsafe write(2, line, line.utf8.count)
            // From a third on; before that the allocator's arenas fill. The testing library keeps a backtrace of
            // every error that is thrown, some hundred bytes a round. SWT_SWIFT_ERROR_BACKTRACING_ENABLED=0 asks it
            // not to, and then the memory is level.
            let growth = (memory.last ?? 0) - memory[memory.count / 3]
            #expect(addressSanitizer || growth < 4 << 20 + Self.rounds << 10, "\(memory)")
            #expect(unexpected.all.isEmpty)
            // Tasks that outlived their scheduler may be about to drop their connections.
            try await awaitUntil("the descriptors to be closed") { openDescriptors() <= before }
        }
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self), terminator: "")
    }

    private static func round(
        _ random: inout Seeded, seed: Int, _ unexpected: Journal<String>
    ) async throws {
        let workers = [1, 2, 8][Int.random(in: 0..<3, using: &random)]
        let scheduler = try Scheduler(SchedulerOptions(workers: workers))
        try beginWork(on: scheduler, &random, unexpected: unexpected)
        let pause = Int.random(in: 0..<3000, using: &random)
        let report = try await onThread {
            usleep(useconds_t(pause))
            return scheduler.shutdown(deadline: .after(patience))
        }
        #expect(report == ShutdownReport(), "seed \(seed)")
        for worker in scheduler.workers {
            let active = worker.operations.activeCount
            let stale = worker.operations.staleCount
            #expect(active == 0, "seed \(seed)")
            #expect(stale == 0, "seed \(seed)")
        }
        #expect(scheduler.counters.liveFibers == 0, "seed \(seed)")
    }

    @Test func `what is dropped is closed`() async throws {
        await #expect(processExitsWith: .success) {
            var before = 0
            for round in 0..<20 {
                try await Scheduler.run {
                    for _ in 0..<10 {
                        let (client, server) = try connectedPair()
                        try client.write(Buffer(copying: [1]))
                        _ = try File.open("/dev/null")
                        _ = server
                    }
                }
                if round == 2 { before = try await settledDescriptors() }
            }
            try await awaitUntil("the descriptors to be closed") { openDescriptors() <= before }
        }
    }

    // MARK: What is left afterwards

    @Test func `a scheduler is freed after its shutdown`() async throws {
        weak var worker: Worker?
        weak var state: SchedulerState?
        do {
            let scheduler = try Scheduler(SchedulerOptions(workers: 2))
            worker = scheduler.workers[0]
            state = scheduler.state
            try await scheduler.spawn { try Fiber.yield() }.join()
            _ = try await onThread { scheduler.shutdown() }
        }
        // The last reference may be that of a thread which is about to exit.
        try await awaitUntil("it is freed") { worker == nil && state == nil }
    }

    @Test func `a dropped scheduler of several workers stops them all`() async throws {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run {}
            let before = try await settledDescriptors()
            let asleep = Flag()
            do {
                let scheduler = try Scheduler(SchedulerOptions(workers: 3))
                scheduler.spawn(onWorker: 0) {
                    // Keeps the others waiting after they have nothing to do.
                    try withoutCancellation {
                        asleep.set()
                        try Fiber.sleep(for: .milliseconds(100))
                    }
                }
                try await awaitUntil("it sleeps") { asleep.isSet }
            }
            try await awaitUntil("the rings to be closed") { openDescriptors() <= before }
        }
    }

    @Test func `a task that sleeps outlives its scheduler`() async throws {
        let scheduler = try Scheduler()
        let began = Flag()
        let task = Task(executorPreference: scheduler.taskExecutor) {
            began.set()
            try await Task.sleep(for: .milliseconds(50))
            return 5
        }
        try await awaitUntil("it began") { began.isSet }
        _ = try await onThread { scheduler.shutdown() }
        let value = try? await task.value
        #expect(value == nil || value == 5)
    }

    @Test func `a task sleeps also once its scheduler has ended`() async throws {
        let scheduler = try Scheduler()
        _ = try await onThread { scheduler.shutdown() }
        let task = Task(executorPreference: scheduler.taskExecutor) {
            for _ in 0..<3 { try await Task.sleep(for: .milliseconds(1)) }
            return 5
        }
        #expect(try await withDeadline(.after(patience)) { _ in try await task.value } == 5)
    }

    /// Its host had been taken when the shutdown came.
    @Test func `a function of C that has not begun is not called`() async throws {
        let scheduler = try Scheduler()
        let calls = Counter()
        let address = unsafe UInt(bitPattern: Unmanaged.passUnretained(calls).toOpaque())
        let makeTask: @Sendable () -> CFiber = {
            unsafe CFiber(
                { address in
                    unsafe Unmanaged<Counter>.fromOpaque(address!).takeUnretainedValue().add()
                    return 0
                }, UnsafeMutableRawPointer(bitPattern: address), cleanup: nil, name: nil, worker: scheduler.workers[0])
        }
        let (first, second) = (makeTask(), makeTask())
        CFiber.start(first)
        let results = try await onThread { () -> [Int64] in
            var results: [Int64] = [1, 1]
            #expect(first.join(deadline: .after(patience), result: &results[0]) == 0)
            scheduler.workers[0].perform { worker in
                CFiber.start(second)
                worker.beginShutdown(tasksUntil: .never)
            }
            #expect(second.join(deadline: .after(patience), result: &results[1]) == 0)
            #expect(scheduler.shutdown() == ShutdownReport())
            return results
        }
        #expect(results == [0, Int64(-Errno.canceled.rawValue)])
        #expect(calls.value == 1)
    }

    @Test func `shutdown does not cut short an operation in a shielded part`() async throws {
        var limit = Duration.milliseconds(50)
        var began = false
        // With a longer limit where the machine was too busy for the operation to be seen before it.
        while !began && limit < patience {
            limit *= 4
            let scheduler = try Scheduler()
            let obstacle = try Obstacle(.read)
            let deadline = Deadline.after(limit)
            let fiber = scheduler.spawn {
                try withoutCancellation { try obstacle.wait(deadline: deadline) }
            }
            while !began && !deadline.hasPassed { began = try await scheduler.operationsInFlight() == 1 }
            _ = try await onThread { scheduler.shutdown() }
            await #expect(throws: TimeoutError(deadline: deadline)) { try await fiber.join() }
        }
        #expect(began)
    }
}
