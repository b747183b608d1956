import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// Scenario 37: a main body that waits for what nobody can bring about.
@Suite(.timeLimit(.patient)) struct DeadlockWatchTests {
    private static func options(workers: Int = 1) -> SchedulerOptions {
        var options = SchedulerOptions(workers: workers)
        options.detectsDeadlocks = true
        return options
    }

    /// The error with which `body` deadlocks as a main fiber on a plain thread.
    private static func deadlock(
        workers: Int = 1, _ body: @escaping @Sendable () throws -> Void
    ) async throws -> DeadlockError {
        try await onThread {
            do {
                try Scheduler.run(options(workers: workers), body)
            } catch let error as DeadlockError {
                return error
            }
            throw WaitedTooLong(what: "a deadlock")
        }
    }

    @Test func `scenario 37: main waits on an event that nobody can set, and the error names who is left`()
        async throws
    {
        let event = Event()
        let error = try await Self.deadlock {
            Fiber(name: "idler") { try Fiber.sleep(until: .never) }
            try event.wait()
        }
        #expect(error.snapshot.fibers.map(\.name) == ["main", "idler"])
        #expect(error.snapshot.fibers.first?.wait?.what.hasPrefix("event 0x") == true)
        #expect(error.snapshot.fibers.last?.spawnSite?.fileID == "RingletTests/DeadlockWatchTests.swift")
        #expect(error.cycles.isEmpty)
        #expect(error.description.contains("'main' on worker 0: waits for event 0x"))
    }

    @Test(arguments: 1...3) func `a cycle of joins over workers is a deadlock, and listed`(workers: Int)
        async throws
    {
        let error = try await Self.deadlock(workers: workers) {
            let scheduler = try #require(Scheduler.current)
            let fibers = Shared<[Fiber<Void>]>([])
            let begin = Event()
            fibers.value = (0..<3).map { index in
                scheduler.spawn(onWorker: index % workers, name: "\(index)") {
                    try begin.wait()
                    try fibers.value[(index + 1) % 3].join()
                }
            }
            begin.set()
            try fibers.value[0].join()
        }
        #expect(error.snapshot.fibers.count == 4)
        let cycle = try #require(error.cycles.first)
        #expect(error.cycles.count == 1 && cycle.count == 3)
        let names = cycle.map { id in error.snapshot.fiber(id)?.name ?? "" }
        #expect((names + names).joined().contains("012"))
        #expect(error.description.contains("cycle: fiber "))
    }

    @Test func `a main task and the asynchronous forms of run find it too`() async throws {
        let fiberMain = await #expect(throws: DeadlockError.self) {
            try await Scheduler.run(Self.options(workers: 2)) {
                let fiber = Fiber { try Fiber.sleep(until: .never) }
                try fiber.join()
            }
        }
        #expect(fiberMain?.snapshot.fibers.count == 2)
        let taskMain = await #expect(throws: DeadlockError.self) {
            try await Scheduler.run(Self.options(workers: 2)) { () async throws in
                let fiber = Fiber(name: "stuck") { try Fiber.sleep(until: .never) }
                try await fiber.join()
            }
        }
        #expect(taskMain?.snapshot.fibers.map(\.name) == ["stuck"])
        let inline = try await onThread {
            errorThrown {
                try Scheduler.run(Self.options()) { () async throws in
                    try await Scheduler.sleep(until: .never)
                }
            }
        }
        #expect(inline is DeadlockError)
    }

    /// Each fiber holds what the next one waits for.
    @Test func `cycles of owned locks and of tokens are found, of locks without owners only that all wait`() async throws {
        let locks = [RecursiveLock(), RecursiveLock()]
        let owned = try await Self.deadlock(workers: 2) {
            try Self.cross { try locks[$0].withLock($1) }
        }
        let names = try #require(owned.cycles.first).map { owned.snapshot.fiber($0)?.name ?? "" }
        #expect(owned.cycles.count == 1 && names.sorted() == ["0", "1"])
        #expect(owned.description.contains("waits for recursive lock 0x"))
        #expect(owned.description.contains("held by fiber "))

        let limiters = [CapacityLimiter(capacity: 1), CapacityLimiter(capacity: 1)]
        let limited = try await Self.deadlock {
            try Self.cross { try limiters[$0].withToken($1) }
        }
        #expect(limited.cycles.count == 1)

        let bare = [Lock(), Lock()]
        let unowned = try await Self.deadlock {
            try Self.cross { try bare[$0].withLock($1) }
        }
        #expect(unowned.cycles.isEmpty)
        #expect(unowned.snapshot.fibers.filter { $0.wait?.what.hasPrefix("lock 0x") == true }.count == 2)
    }

    /// Two fibers that lock two things in opposite orders, and meet in between.
    private static func cross(_ lock: @escaping @Sendable (Int, () throws -> Void) throws -> Void) throws {
        let scheduler = try #require(Scheduler.current)
        let barrier = Barrier(parties: 2)
        let fibers = (0..<2).map { number in
            scheduler.spawn(onWorker: number % scheduler.workers.count, name: "\(number)") {
                try lock(number) {
                    try barrier.wait()
                    try lock(1 - number) {}
                }
            }
        }
        for fiber in fibers { try fiber.join() }
    }

    @Test func `a child that joins the fiber whose group it is in waits in a circle`() async throws {
        let error = try await Self.deadlock {
            let parent = try #require(AnyFiber.current as? Fiber<Void>)
            try withGroup { group in
                try group.spawn(name: "child") { try parent.join() }
            }
        }
        #expect(error.cycles.map(\.count) == [2])
        #expect(error.snapshot.fibers.map { $0.wait?.kind } == [.group, .join])
    }

    @Test func `a runner whose body is in a deadlock runs the next one`() async throws {
        try await onThread {
            try SchedulerRunner.with(Self.options()) { runner in
                let cleanedUp = Flag()
                let first = #expect(throws: DeadlockError.self) {
                    try runner.run {
                        Fiber(name: "left") { try Fiber.sleep(until: .never) }
                        defer { cleanedUp.set() }
                        try Fiber.sleep(until: .never)
                    }
                }
                #expect(first?.snapshot.fibers.map(\.name) == ["main", "left"] && cleanedUp.isSet)
                let second = try runner.run { try Fiber { 7 }.join() }
                #expect(second == 7)
                // The fiber that was left behind is still there.
                let third = #expect(throws: DeadlockError.self) { try runner.run { try Event().wait() } }
                #expect(third?.snapshot.fibers.map(\.name).sorted { $0 ?? "" < $1 ?? "" } == ["left", "main"])
            }
        }
    }

    /// What finds out about one run may not have ended when the next one is in a deadlock.
    @Test(arguments: 1...2) func `one run after another ends in a deadlock`(workers: Int) async throws {
        try await SchedulerRunner.with(Self.options(workers: workers)) { runner in
            for _ in 0..<150 {
                await #expect(throws: DeadlockError.self) { try await runner.run { try Event().wait() } }
                await #expect(throws: DeadlockError.self) {
                    try await runner.run { () async throws in try await Event().wait() }
                }
            }
        }
    }

    @Test func `a main body that waits, shielded, for another fiber ends when that is cancelled too`() async throws {
        let error = try await Self.deadlock {
            let other = Fiber(name: "other") { try Fiber.sleep(until: .never) }
            withoutCancellation { _ = try? other.join() }
        }
        #expect(error.snapshot.fibers.map(\.name) == ["main", "other"])
    }

    @Test func `what nobody is to wait for does not prevent a deadlock`() async throws {
        let error = try await Self.deadlock {
            let scheduler = try #require(Scheduler.current)
            scheduler.later(.seconds(3600), holdsScheduler: false) {}
            Fiber(name: "idle") { try Scheduler.sleep(for: .seconds(3600), holdsScheduler: false) }
            try Event().wait()
        }
        #expect(error.snapshot.fibers.map(\.name) == ["main", "idle"])
        #expect(error.snapshot.fibers.last?.wait?.holdsScheduler == false)
    }

    @Test func `what can still go on is no deadlock`() async throws {
        try await Scheduler.run(Self.options(workers: 2)) {
            let scheduler = try #require(Scheduler.current)
            // A timer, an operation, a deadline, code elsewhere, and a worker that wakes another.
            try Fiber.sleep(for: .milliseconds(2))
            try scheduler.waitUntilIdle()
            let (client, server) = try connectedPair()
            let reader = scheduler.spawn(onWorker: 1) {
                var buffer = Buffer(capacity: 1)
                try server.read(into: &buffer)
                return buffer.count
            }
            #expect(throws: TimeoutError.self) { try reader.join(deadline: .after(.milliseconds(5))) }
            try Fiber.await { await Task.detached { try? await Task.sleep(for: .milliseconds(20)) }.value }
            _ = try ThreadPool(limit: 1).run { usleep(20_000) }
            #expect(try Command("/bin/sleep", arguments: ["0.02"]).start().wait() == .exited(0))
            let event = Event()
            scheduler.later(.milliseconds(2)) { event.set() }
            try event.wait()
            try client.write(Buffer(copying: [1]))
            #expect(try reader.join() == 1)
            for index in 0..<2000 {
                let value = try scheduler.spawn(onWorker: index % 2) {
                    try Fiber.yield()
                    return index
                }.join()
                #expect(value == index)
            }
        }
    }

    @Test func `a worker that has not answered is not taken for one that waits`() {
        var snapshot = SchedulerSnapshot()
        snapshot.workers = [WorkerSnapshot(index: 0)]
        #expect(snapshot.canGoOn)
        snapshot.workers[0].state = .running
        #expect(!snapshot.canGoOn)
    }

    @Test func `without the promise nothing is reported, and others may wake what waits`() async throws {
        let event = Event()
        let reached = Flag()
        try await onThread {
            try Scheduler.run {
                let fiber = Fiber { try event.wait() }
                Thread.detachNewThread {
                    try? blockUntil("it waits") { reached.isSet }
                    event.set()
                }
                reached.set()
                try fiber.join()
            }
        }
    }

    @Test func `what is shielded and waits for ever is at least said on stderr`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            // The process hangs then, as it is to; what it says ends it.
            var ends: [Int32] = [-1, -1]
            _ = unsafe pipe(&ends)
            let (reading, realError) = (ends[0], dup(2))
            dup2(ends[1], 2)
            Thread.detachNewThread {
                var said: [UInt8] = []
                var byte: UInt8 = 0
                while unsafe read(reading, &byte, 1) == 1 {
                    said.append(byte)
                    guard byte == 10 else { continue }
                    _ = unsafe write(realError, said, said.count)
                    if String(decoding: said, as: UTF8.self).contains("waits for event 0x") { _exit(1) }
                    said = []
                }
            }
            try await onThread {
                let event = Event()
                try Scheduler.run(Self.options()) {
                    try withoutCancellation { try event.wait() }
                }
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("because what is left cannot be cancelled"), "stderr: \(output)")
    }
}
