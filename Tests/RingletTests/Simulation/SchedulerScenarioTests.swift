import RingletTesting
import SystemPackage
import Testing

@testable import Ringlet

/// What a scheduler promises of its callbacks, of links and of failures, as numbered scenarios, each under a hundred
/// orders.
@Suite(.timeLimit(.patient)) struct SchedulerScenarioTests {
    // MARK: Callbacks

    @Test func `scenario 26: what a callback asks for comes in the next pass, whoever asked`() async throws {
        @Sendable func ask(_ calls: Journal<(name: String, turn: UInt64)>) throws {
            let scheduler = try #require(Scheduler.current)
            @Sendable func note(_ name: String) { calls.note((name, CurrentThread.worker?.counters.turns ?? 0)) }
            scheduler.soon {
                note("a")
                scheduler.soon { note("c") }
            }
            scheduler.soon { note("b") }
            #expect(calls.count == 0)
        }
        @Sendable func check(_ calls: Journal<(name: String, turn: UInt64)>) {
            let all = calls.all
            #expect(all.map(\.name) == ["a", "b", "c"])
            #expect(all[0].turn == all[1].turn && all[1].turn < all[2].turn)
        }
        try await inEveryOrder { () throws in
            let calls = Journal<(name: String, turn: UInt64)>()
            try ask(calls)
            try yieldUntil("three calls") { calls.count == 3 }
            check(calls)
        }
        try await inEveryOrder { () async throws in
            let calls = Journal<(name: String, turn: UInt64)>()
            try ask(calls)
            try await yieldTaskUntil("three calls") { calls.count == 3 }
            check(calls)
        }
    }

    @Test func `scenario 27: timers fire in order of their deadlines, equal ones as set, and a cancelled one never`()
        async throws
    {
        @Sendable func set(_ calls: Journal<Int>) throws {
            let scheduler = try #require(Scheduler.current)
            let callbacks = [30, 10, -1, 20].map { milliseconds in
                scheduler.later(.milliseconds(milliseconds)) { calls.note(milliseconds) }
            }
            #expect(callbacks[3].cancel() && !callbacks[3].cancel())
            let deadline = Deadline.after(.milliseconds(40))
            for number in 40..<44 { scheduler.at(deadline) { calls.note(number) } }
            #expect(calls.count == 0)
        }
        try await forEachSeed(1...100) { _ in
            let calls = Journal<Int>()
            try set(calls)
            try Fiber.sleep(for: .seconds(1))
            #expect(calls.all == [-1, 10, 30, 40, 41, 42, 43])
        }
        try await forEachSeed(1...100) { _ in
            let calls = Journal<Int>()
            try set(calls)
            try await Scheduler.sleep(for: .seconds(1))
            #expect(calls.all == [-1, 10, 30, 40, 41, 42, 43])
        }
    }

    @Test func `scenario 31: in every order a failing callback is reported, and the scheduler goes on`() async throws {
        @Sendable func ask(_ reports: Journal<UnseenError>, _ isCalled: Flag) throws {
            let scheduler = try #require(Scheduler.current)
            scheduler.setUnseenErrorHandler { reports.note($0) }
            scheduler.soon { throw Failure(number: 31) }
            scheduler.later(.zero) { throw Failure(number: 32) }
            scheduler.later(.milliseconds(1)) { isCalled.set() }
        }
        @Sendable func check(_ reports: Journal<UnseenError>) {
            let all = reports.all
            #expect(Set(all.compactMap { ($0.error as? Failure)?.number }) == [31, 32] && all.count == 2)
            #expect(all.allSatisfy { $0.origin == .callback && $0.source.contains("SchedulerScenarioTests.swift:") })
        }
        try await inEveryOrder { () throws in
            let (reports, isCalled) = (Journal<UnseenError>(), Flag())
            try ask(reports, isCalled)
            while !isCalled.isSet { try Fiber.sleep(for: .milliseconds(1)) }
            check(reports)
        }
        try await inEveryOrder { () async throws in
            let (reports, isCalled) = (Journal<UnseenError>(), Flag())
            try ask(reports, isCalled)
            while !isCalled.isSet { try await Scheduler.sleep(for: .milliseconds(1)) }
            check(reports)
        }
    }

    @Test func `scenario 38: a wait until nothing is left waits for what holds the scheduler, and for nothing else`()
        async throws
    {
        @Sendable func start() throws -> (Scheduler, Callback) {
            let scheduler = try #require(Scheduler.current)
            let far = Deadline.after(.seconds(9))
            Fiber { try Scheduler.sleep(until: far, holdsScheduler: false) }
            Fiber { try Fiber.sleep(until: .never) }
            return (scheduler, scheduler.at(far, holdsScheduler: false) { Issue.record("it was waited for") })
        }
        try await forEachSeed(1...100) { _ in
            let (scheduler, callback) = try start()
            try scheduler.waitUntilIdle()
            #expect(Simulation.now == .zero && callback.isPending)
            Fiber { try Fiber.sleep(for: .seconds(2)) }
            try scheduler.waitUntilIdle()
            #expect(Simulation.now == .seconds(2) && callback.isPending)
        }
        try await forEachSeed(1...100) { _ in
            let (scheduler, callback) = try start()
            try await scheduler.waitUntilIdle()
            #expect(Simulation.now == .zero && callback.isPending)
            let task = taskHere { try await Scheduler.sleep(for: .seconds(2)) }
            try await scheduler.waitUntilIdle()
            #expect(Simulation.now == .seconds(2) && callback.isPending)
            try await task.value
        }
    }

    // MARK: Links

    @Test func `scenario 40 in a task: links are called by a worker outside any task, in order, once`() async throws {
        try await inEveryOrder { () async throws in
            let calls = Journal<String>()
            let promise = Promise<Int>()
            promise.onEnd { _ in
                let isInTask = unsafe withUnsafeCurrentTask { unsafe $0 != nil }
                #expect(!isInTask && AnyFiber.current == nil && CurrentThread.worker != nil)
                calls.note("a")
            }
            let taken = promise.onEnd { _ in calls.note("no") }
            promise.onEnd(.success) { calls.note("b \(try! $0.currentValue())") }
            #expect(taken.remove() && !taken.remove())
            try promise.succeed(1)
            promise.onEnd { _ in calls.note("c") }
            #expect(calls.count == 0)
            try await yieldTaskUntil("called") { calls.count == 3 }
            try await Scheduler.sleep(for: .microseconds(1))
            #expect(calls.all == ["a", "b 1", "c"])
        }
    }

    @Test func `scenario 46: links on a failure are called once, in order, if they match, before and after the end`()
        async throws
    {
        try await inEveryOrder { () throws in
            let calls = Journal<String>()
            let fiber = Fiber { throw Failure(number: 6) }
            fiber.onEnd(.failure) { calls.note("a \(($0.outcome?.error as? Failure)?.number ?? 0)") }
            fiber.onEnd(.success) { _ in calls.note("no") }
            fiber.onEnd { _ in calls.note("b") }
            try fiber.wait()
            fiber.onEnd(.success) { _ in calls.note("no") }
            fiber.onEnd(.failure) { _ in calls.note("c") }
            fiber.onEnd { _ in calls.note("d") }
            #expect(calls.all == ["a 6", "b"])
            try yieldUntil("called") { calls.count >= 4 }
            try Fiber.sleep(for: .microseconds(1))
            #expect(calls.all == ["a 6", "b", "c", "d"])
        }
        try await inEveryOrder { () async throws in
            let calls = Journal<String>()
            let promise = Promise<Int>()
            promise.onEnd(.failure) { calls.note("a \(($0.outcome?.error as? Failure)?.number ?? 0)") }
            promise.onEnd(.success) { _ in calls.note("no") }
            promise.onEnd { _ in calls.note("b") }
            try promise.fail(Failure(number: 6))
            promise.onEnd(.success) { _ in calls.note("no") }
            promise.onEnd(.failure) { _ in calls.note("c") }
            promise.onEnd { _ in calls.note("d") }
            try await yieldTaskUntil("called") { calls.count >= 4 }
            try await Scheduler.sleep(for: .microseconds(1))
            #expect(calls.all == ["a 6", "b", "c", "d"])
        }
    }

    // MARK: Failures

    @Test func `scenarios 41 and 48: in every order a failure that nobody saw is told once, and others go on`()
        async throws
    {
        @Sendable func start(_ reports: Journal<UnseenError>) throws -> (read: Fiber<Void>, other: Fiber<Int>) {
            try #require(Scheduler.current).setUnseenErrorHandler { reports.note($0) }
            Fiber(name: "lost") { throw Failure(number: 1) }
            Fiber { try Fiber.sleep(until: .never) }.cancel()
            let other = Fiber { () -> Int in
                try yieldUntil("told") { reports.count >= 1 }
                try Fiber.sleep(for: .microseconds(5))
                return 3
            }
            return (Fiber { throw Failure(number: 2) }, other)
        }
        @Sendable func check(_ reports: Journal<UnseenError>) {
            #expect(reports.all.map { $0.error as? Failure } == [Failure(number: 1)])
            #expect(reports.all.allSatisfy { $0.origin == .fiber && $0.source.contains("'lost'") })
        }
        try await inEveryOrder { () throws in
            let reports = Journal<UnseenError>()
            let other: Fiber<Int>
            do {
                let started = try start(reports)
                other = started.other
                #expect(throws: Failure(number: 2)) { try started.read.join() }
            }
            #expect(try other.join() == 3)
            check(reports)
        }
        try await inEveryOrder { () async throws in
            let reports = Journal<UnseenError>()
            let other: Fiber<Int>
            do {
                let started = try start(reports)
                other = started.other
                await #expect(throws: Failure(number: 2)) { try await started.read.join() }
            }
            #expect(try await other.join() == 3)
            check(reports)
        }
    }

    @Test func `scenario 42: who joins itself is told so, and nobody else is disturbed`() async throws {
        @Sendable func start() -> (itself: Fiber<Void>, other: Fiber<Int>) {
            let box = Shared<Fiber<Void>?>(nil)
            let itself = Fiber { () -> Void in
                defer { box.value = nil }
                try box.value?.join()
            }
            box.value = itself
            return (itself, Fiber { try Fiber.sleep(for: .microseconds(5)); return 2 })
        }
        try await inEveryOrder { () throws in
            let (itself, other) = start()
            #expect(throws: Errno.deadlock) { try itself.join() }
            #expect(!itself.isCancelled)
            #expect(try other.join() == 2)
        }
        try await inEveryOrder { () async throws in
            let (itself, other) = start()
            await #expect(throws: Errno.deadlock) { try await itself.join() }
            #expect(!itself.isCancelled)
            #expect(try await other.join() == 2)
        }
    }

    // MARK: Who is there

    @Test func `scenario 43: the current one is itself, and only what has not ended is listed`() async throws {
        try await inEveryOrder { () throws in
            let scheduler = try #require(Scheduler.current)
            let main = try #require(AnyFiber.current)
            let gate = Promise<Void>()
            let ended = Fiber { AnyFiber.current?.id }
            let waits = Fiber { try gate.value() }
            #expect(try ended.join() == ended.id)
            #expect(AnyFiber.current === main)
            #expect(scheduler.snapshot(backtraces: false).fibers.map(\.id) == [main.id, waits.id])
            try gate.succeed(())
            try waits.join()
            #expect(scheduler.snapshot(backtraces: false).fibers.map(\.id) == [main.id])
        }
        try await inEveryOrder { () async throws in
            let scheduler = try #require(Scheduler.current)
            let gate = Promise<Void>()
            let fiber = Fiber { try gate.value() }
            let task = taskHere { try await gate.value() }
            while scheduler.snapshot(backtraces: false).tasks.isEmpty { await Task.yield() }
            #expect(AnyFiber.current == nil)
            let snapshot = scheduler.snapshot(backtraces: false)
            #expect(snapshot.fibers.map(\.id) == [fiber.id] && snapshot.tasks.count == 1)
            try gate.succeed(())
            try await task.value
            try await fiber.join()
            let after = scheduler.snapshot(backtraces: false)
            #expect(after.fibers.isEmpty && after.tasks.isEmpty)
        }
    }

    @Test func `scenario 84: the text of a snapshot says where each fiber was spawned`() async throws {
        try await inEveryOrder { () throws in
            let scheduler = try #require(Scheduler.current)
            let line = #line + 1
            let child = Fiber(name: "child") { try Fiber.sleep(until: .never) }
            try Fiber.yield()
            let lines = scheduler.snapshot(backtraces: false).description.split(separator: "\n")
            let own = try #require(lines.first { $0.contains("'child'") })
            #expect(own.hasSuffix(" at RingletTests/SchedulerScenarioTests.swift:\(line)"), "\(own)")
            child.cancel()
        }
    }
}
