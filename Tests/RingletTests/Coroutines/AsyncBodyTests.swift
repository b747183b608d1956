import RingletTesting
import Synchronization
import SystemPackage
import Testing

@testable import Ringlet

private enum Request {
    @TaskLocal static var id = 0
}

/// Fibers whose bodies await: tasks that a scheduler owns.
@Suite(.timeLimit(.patient)) struct AsyncBodyTests {
    @Test func `a body that awaits has an outcome, for fibers and tasks`() async throws {
        try await inEveryOrder { () throws in
            let value = Fiber { () async throws -> Int in
                try await Scheduler.sleep(for: .seconds(1))
                return 7
            }
            let failed = Fiber { () async throws -> Int in
                await Task.yield()
                throw Failure(number: 1)
            }
            #expect(value.outcome == nil)
            #expect(try value.join() == 7)
            #expect(throws: Failure(number: 1)) { try failed.join() }
            #expect(value.isSuccess == true && failed.isSuccess == false)
        }
        try await inEveryOrder { () async throws in
            let value = Scheduler.current!.spawn { () async throws -> Int in
                try await Scheduler.sleep(for: .seconds(1))
                return 7
            }
            #expect(try await value.join() == 7)
        }
    }

    @Test func `scenario 49: cancelled before it begins the body never runs, cancelled in a wait it ends there`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let unborn = Scheduler.current!.spawn { () async throws in Issue.record("the body ran") }
            unborn.cancel()
            await #expect(throws: CancellationError.self) { try await unborn.join() }

            let asleep = Flag()
            let steps = Journal<String>()
            let waiting = Fiber { () async throws in
                asleep.set()
                do { try await Scheduler.sleep(until: .never) } catch {
                    steps.note("\(Task.isCancelled)")
                    // The level stays, and a shielded part keeps it out.
                    await #expect(throws: CancellationError.self) { try await Scheduler.sleep(for: .seconds(1)) }
                    try await withoutCancellation { try await Scheduler.sleep(for: .seconds(1)) }
                    steps.note("clean")
                    throw error
                }
            }
            try await yieldTaskUntil("asleep") { asleep.isSet }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.join() }
            #expect(steps.all == ["true", "clean"])
            #expect(!waiting.cancel())
        }
    }

    @Test func `it can be waited for with others, has links, and a join with a deadline`() async throws {
        try await inEveryOrder { () async throws in
            let calls = Journal<String>()
            let items = [
                Fiber { () async throws in try await Scheduler.sleep(for: .seconds(3)) },
                Fiber { () throws in try Fiber.sleep(for: .seconds(1)) },
                Fiber { () async throws in
                    try await Scheduler.sleep(for: .seconds(2))
                    throw Failure(number: 2)
                },
            ]
            items[2].onEnd(.failure) { calls.note("failed: \($0.outcome!.error!)") }
            await #expect(throws: TimeoutError.self) { try await items[0].join(deadline: .after(.milliseconds(500))) }
            var order: [Bool] = []
            let ends = asCompleted(items)
            while let item = try await ends.next() { order.append(item.isSuccess!) }
            #expect(order == [true, false, true])
            try await yieldTaskUntil("the link") { calls.count == 1 }
            #expect(calls.all == ["failed: \(Failure(number: 2))"])
        }
    }

    @Test func `it inherits task-locals or begins without, and runs on the worker that is asked for`() async throws {
        try await withScheduler(workers: 3) { scheduler in
            let (inherits, empty) = Request.$id.withValue(5) {
                (
                    scheduler.spawn { () async in Request.id },
                    scheduler.spawn(locals: .empty) { () async in Request.id }
                )
            }
            let ids = try await (inherits.join(), empty.join())
            #expect(ids == (5, 0))
            for index in 0..<3 {
                let fiber = scheduler.spawn(onWorker: index) { () async throws in
                    let first = CurrentThread.worker?.index
                    try await Scheduler.sleep(for: .milliseconds(1))
                    await Task.yield()
                    return [first, CurrentThread.worker?.index]
                }
                let indices = try await fiber.join()
                #expect(indices == [index, index])
            }
        }
    }

    @Test func `it is listed, with its name and the place where it was spawned`() async throws {
        try await Scheduler.run { () async throws in
            let scheduler = Scheduler.current!
            let asleep = Flag()
            let fiber = scheduler.spawn(name: "poll") { () async throws in
                #expect(Task.name == "poll")
                asleep.set()
                try await Scheduler.sleep(until: .never)
            }
            try await yieldTaskUntil("asleep") { asleep.isSet }
            let listed = scheduler.snapshot().fibers.first { $0.id == fiber.id }
            #expect(listed?.name == "poll")
            let site = try #require(fiber.spawnSite)
            #expect("\(site)".contains("AsyncBodyTests.swift"))
            fiber.cancel()
            try await fiber.wait()
        }
    }

    // MARK: Nothing vanishes

    @Test func `scenario 33: a body that awaits is cancelled and awaited at the end, and its other error is reported`()
        async throws
    {
        let reports = Journal<UnseenError>()
        let cleaned = Counter()
        @Sendable func leave() throws -> String {
            let scheduler = try #require(Scheduler.current)
            scheduler.setUnseenErrorHandler { reports.note($0) }
            for number in 1...3 {
                scheduler.spawn(name: "leftover \(number)") { () async throws in
                    do { try await Scheduler.sleep(until: .never) } catch {
                        try await withoutCancellation { try await Scheduler.sleep(for: .milliseconds(1)) }
                        cleaned.add()
                        throw number == 3 ? error : Failure(number: number)
                    }
                }
            }
            return "kept"
        }
        @Sendable func leaveInFiber() throws -> String {
            defer { try? Fiber.yield() }
            return try leave()
        }
        @Sendable func leaveInTask() async throws -> String {
            let value = try leave()
            try await Scheduler.sleep(for: .milliseconds(1))
            return value
        }
        #expect(try await Scheduler.run { () throws in try leaveInFiber() } == "kept")
        #expect(try await Scheduler.run { () async throws in try await leaveInTask() } == "kept")
        for seed: UInt64 in 1...50 {
            #expect(try await Simulation.run(seed: seed) { () throws in try leaveInFiber() } == "kept")
            #expect(try await Simulation.run(seed: seed) { () async throws in try await leaveInTask() } == "kept")
        }
        #expect(cleaned.value == 3 * 102)
        let told = reports.all.compactMap { ($0.error as? Failure)?.number }
        #expect(told.sorted() == Array(repeating: 1, count: 102) + Array(repeating: 2, count: 102))
        #expect(
            reports.all.allSatisfy { $0.source.contains("'leftover ") && $0.source.contains("AsyncBodyTests.swift") })
    }

    @Test func `scenario 45: a handle may be dropped, and a failure that nobody saw is reported`() async throws {
        try await withScheduler { scheduler in
            let reports = Journal<UnseenError>()
            scheduler.setUnseenErrorHandler { reports.note($0) }
            let isDone = Flag()
            scheduler.spawn { () async throws in
                try await Scheduler.sleep(for: .milliseconds(2))
                isDone.set()
            }
            scheduler.spawn { () async throws in
                try await Scheduler.sleep(for: .milliseconds(1))
                throw Failure(number: 4)
            }
            try await awaitUntil("the end of both") { isDone.isSet && reports.count == 1 }
            #expect(reports.all[0].error as? Failure == Failure(number: 4))
        }
    }

    @Test func `scenario 42: a body that awaits its own end is told so`() async throws {
        try await inEveryOrder {
            let own = Promise<Fiber<Void>>()
            let fiber = Fiber { () async throws in
                let fiber = try await own.value()
                await #expect(throws: Errno.deadlock) { try await fiber.join() }
                // In a part that can be cancelled apart, too.
                try await withDeadline(.never) { _ in
                    await #expect(throws: Errno.deadlock) { try await fiber.wait() }
                }
            }
            try own.succeed(fiber)
            try fiber.join()
        }
    }

    /// As the testing library takes one of each error that is thrown.
    @Test func `a backtrace is taken where a body has not waited yet`() async throws {
        try await Scheduler.run {
            let count = try Fiber { () async -> Int in
                unsafe withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: 64) {
                    unsafe Int(takeBacktrace($0.baseAddress!, 64))
                }
            }.join()
            #expect(count > 3)
        }
    }
}

/// backtrace(3), by the unwinder of libgcc.
@_silgen_name("backtrace")
private func takeBacktrace(_ addresses: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ count: Int32) -> Int32
