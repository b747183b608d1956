import Foundation
import RingletTesting
import Synchronization
import Testing

@testable import Ringlet

/// Errors that nobody can catch: told once, and the scheduler goes on. Numbers of scenarios are those of the table of features.
@Suite(.timeLimit(.patient)) struct UnseenErrorTests {
    private typealias Reports = Journal<UnseenError>

    /// Installs a handler that keeps what it is told.
    private static func watch(_ scheduler: Scheduler) -> Reports {
        let reports = Reports()
        scheduler.setUnseenErrorHandler { reports.note($0) }
        return reports
    }

    private static func failures(_ reports: Reports) -> [Failure] { reports.all.compactMap { $0.error as? Failure } }

    // MARK: Callbacks

    @Test func `scenario 31: a failing callback is reported, and the scheduler goes on`() async throws {
        try await withScheduler { scheduler in
            let reports = Self.watch(scheduler)
            let isCalled = Flag()
            scheduler.soon { throw Failure(number: 31) }
            scheduler.later(.zero) { throw Failure(number: 32) }
            scheduler.later(.milliseconds(1)) { isCalled.set() }
            try await awaitUntil("the call after them") { isCalled.isSet }
            #expect(Set(Self.failures(reports).map(\.number)) == [31, 32])
            #expect(reports.all.allSatisfy { $0.origin == .callback })
            let sources = reports.all.map(\.source)
            #expect(sources.contains { $0.hasPrefix("the callback asked for at RingletTests/UnseenErrorTests.swift:") })
            #expect(sources.contains { $0.hasPrefix("the timer set at RingletTests/UnseenErrorTests.swift:") })
        }
    }

    @Test func `scenario 31: a handler that fails leaves it to stderr`() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await Scheduler.run {
                let scheduler = try #require(Scheduler.current)
                let isCalled = Flag()
                scheduler.setUnseenErrorHandler { _ in throw Failure(number: 2) }
                scheduler.soon { throw Failure(number: 1) }
                scheduler.later(.milliseconds(1)) { isCalled.set() }
                try yieldUntil("the call after it") { isCalled.isSet }
            }
        }
        let lines = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
            .split(separator: "\n")
            // Besides, a scheduler says once what of its kernel is emulated.
            .filter { $0.hasPrefix("ringlet:") && !$0.contains("emulated") }
        #expect(lines.count == 2, "\(lines)")
        #expect(lines.first?.hasSuffix("ended with an error that nobody saw: Failure(number: 1)") == true)
        #expect(lines.last?.hasSuffix("failed: Failure(number: 2)") == true)
    }

    @Test func `scenario 31: a program reports an error itself, from anywhere and also after the end`() async throws {
        let scheduler = try Scheduler()
        let reports = Self.watch(scheduler)
        // The handler has been called when the report returns.
        scheduler.reportUnseen(Failure(number: 1))
        #expect(reports.count == 1)
        try await scheduler.spawn {
            scheduler.reportUnseen(Failure(number: 2), source: "the parser")
            #expect(reports.count == 2)
        }.join()
        scheduler.soon { scheduler.reportUnseen(CancellationError()) }
        try await awaitUntil("the callback's report") { reports.count == 3 }
        _ = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
        try await onThread { scheduler.reportUnseen(Failure(number: 3)) }
        #expect(reports.all.allSatisfy { $0.origin == .report })
        #expect(Self.failures(reports).map(\.number) == [1, 2, 3])
        #expect(reports.all[0].source.hasPrefix("the code at RingletTests/UnseenErrorTests.swift:"))
        #expect(reports.all[1].source == "the parser")
        #expect(reports.all[2].error is CancellationError)
    }

    @Test func `without a handler of its own a scheduler has the process's, and without that stderr`() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let reports = Reports()
            #expect(UnseenError.setHandler { reports.note($0) } == nil)
            try await withScheduler { scheduler in
                scheduler.soon { throw Failure(number: 1) }
                try await awaitUntil("the report") { reports.count == 1 }
                let own = Self.watch(scheduler)
                scheduler.soon { throw Failure(number: 2) }
                try await awaitUntil("the scheduler's report") { own.count == 1 }
                #expect(scheduler.setUnseenErrorHandler(nil) != nil)
                #expect(UnseenError.setHandler(nil) != nil)
                scheduler.soon { throw Failure(number: 3) }
                try await scheduler.spawn { try Fiber.yield() }.join()
            }
            #expect(reports.count == 1)
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("ended with an error that nobody saw: Failure(number: 3)"))
        #expect(!output.contains("number: 1") && !output.contains("number: 2"))
    }

    // MARK: Fibers

    @Test func `scenarios 41 and 48: a failure that nobody saw is reported once, when its last reference goes`() async throws {
        try await withScheduler { scheduler in
            let reports = Self.watch(scheduler)
            // Nobody refers to this one.
            scheduler.spawn(name: "lost") { throw Failure(number: 1) }
            try await awaitUntil("the report") { reports.count == 1 }
            #expect(reports.all[0].origin == .fiber)
            #expect(reports.all[0].source.contains("'lost', spawned at RingletTests/UnseenErrorTests.swift:"))
            // Somebody does.
            var held: Fiber<Void>? = scheduler.spawn { throw Failure(number: 2) }
            try await awaitUntil("its end") { held?.isFinished == true }
            try await scheduler.spawn { try Fiber.yield() }.join()
            #expect(reports.count == 1)
            held = nil
            try await awaitUntil("the second report") { reports.count == 2 }
            #expect(Self.failures(reports) == [Failure(number: 1), Failure(number: 2)])
        }
    }

    @Test func `scenario 41: a failure that was read, and a cancellation, are not reported`() async throws {
        let reports = Shared<Reports?>(nil)
        try await withScheduler { scheduler in
            reports.value = Self.watch(scheduler)
            for number in 0..<20 {
                let failed = scheduler.spawn { throw Failure(number: number) }
                await #expect(throws: Failure(number: number)) { try await failed.join() }
                // A second reader makes no difference.
                let again = scheduler.spawn { #expect(throws: Failure(number: number)) { _ = try failed.join() } }
                _ = try await again.join()
                scheduler.spawn { try Fiber.sleep(until: .never) }.cancel()
                scheduler.spawn { throw CancellationError() }
                scheduler.spawn { number }
            }
            // One that is cancelled in the middle, and one that fails in its clean-up all the same.
            let messy = scheduler.spawn {
                do { try Fiber.sleep(until: .never) } catch { throw Failure(number: 99) }
            }
            try await scheduler.spawn { try Fiber.yield() }.join()
            messy.cancel()
            try await awaitUntil("its end") { messy.isFinished }
        }
        #expect(Self.failures(try #require(reports.value)) == [Failure(number: 99)])
    }

    /// Who was told of the end, or of its kind, has not seen the error.
    @Test func `scenario 41: a failure that was waited for, and not looked at, is reported once`() async throws {
        try await withScheduler { scheduler in
            let reports = Self.watch(scheduler)
            let isEnded = Counter()
            for number in 0..<4 {
                let fiber = scheduler.spawn(name: "lost") { throw Failure(number: number) }
                switch number {
                case 0: #expect(try await wait(for: [fiber]).done.count == 1)
                case 1: #expect(try await wait(for: [fiber, fiber], until: .firstFailure).done.count == 1)
                case 2: fiber.onEnd(.success) { _ in Issue.record("it failed") }
                default: fiber.onEnd { _ in isEnded.add() }
                }
            }
            try await awaitUntil("the reports") { reports.count == 4 }
            #expect(Set(Self.failures(reports).map(\.number)) == [0, 1, 2, 3])
            #expect(isEnded.value == 1)
            #expect(reports.all.allSatisfy { $0.description.contains("'lost'") })
            #expect(reports.all.allSatisfy { $0.source.contains("spawned at RingletTests/UnseenErrorTests.swift:") })

            // Who asked for failures, or looked at one, has.
            let isTold = Counter()
            let links = scheduler.spawn { throw Failure(number: 5) }
            links.onEnd(.failure) { _ in isTold.add() }
            let looked = scheduler.spawn { throw Failure(number: 6) }
            looked.onEnd { #expect($0.outcome?.error is Failure); isTold.add() }
            try await awaitUntil("the calls") { isTold.value == 2 }
        }
    }

    @Test func `a join that times out has not seen the failure`() async throws {
        try await withScheduler { scheduler in
            let reports = Self.watch(scheduler)
            let mayFail = Flag()
            do {
                let fiber = scheduler.spawn {
                    try yieldUntil("the word") { mayFail.isSet }
                    throw Failure(number: 5)
                }
                await #expect(throws: TimeoutError.self) { try await fiber.join(deadline: .after(.milliseconds(1))) }
            }
            mayFail.set()
            try await awaitUntil("the report") { Self.failures(reports) == [Failure(number: 5)] }
        }
    }

    // MARK: The end

    @Test(arguments: [true, false])
    func `scenario 33: what is left is cancelled and awaited, and its other errors are reported`(inTask: Bool)
        async throws
    {
        let reports = Reports()
        let cleaned = Counter()
        let held = Shared<[Fiber<Void>]>([])
        let body: @Sendable () throws -> String = {
            let scheduler = try #require(Scheduler.current)
            scheduler.setUnseenErrorHandler { reports.note($0) }
            for number in 1...3 {
                held.value.append(
                    Fiber(name: "leftover \(number)") {
                        defer { cleaned.add() }
                        do { try Fiber.sleep(until: .never) } catch {
                            if number == 3 { throw error }
                            throw Failure(number: number)
                        }
                    })
            }
            try Fiber.yield()
            return "kept"
        }
        let value =
            inTask
            ? try await Scheduler.run { try body() }
            : try await onThread { try Scheduler.run { try body() } }
        #expect(value == "kept")
        #expect(cleaned.value == 3)
        // They are reported although somebody still refers to them, and not again when nobody does.
        let told = Self.failures(reports).map(\.number)
        #expect(told.sorted() == [1, 2])
        held.value = []
        #expect(reports.count == 2)
    }

    /// It is Swift's: neither cancelled nor awaited.
    @Test func `scenario 33: of a task that is left the wait in Ringlet ends, and the result is kept`() async throws {
        let left = Journal<Task<Void, any Error>>()
        @Sendable func leave() throws -> Flag {
            let waits = Flag()
            left.note(
                taskHere {
                    waits.set()
                    try await Scheduler.sleep(until: .never)
                })
            return waits
        }
        @Sendable func leaveInFiber() throws -> String {
            let waits = try leave()
            try yieldUntil("it waits") { waits.isSet }
            return "kept"
        }
        @Sendable func leaveInTask() async throws -> String {
            let waits = try leave()
            try await yieldTaskUntil("it waits") { waits.isSet }
            return "kept"
        }
        #expect(try await Scheduler.run { () throws in try leaveInFiber() } == "kept")
        #expect(try await Scheduler.run { () async throws in try await leaveInTask() } == "kept")
        for seed: UInt64 in 1...50 {
            #expect(try await Simulation.run(seed: seed) { () throws in try leaveInFiber() } == "kept")
            #expect(try await Simulation.run(seed: seed) { () async throws in try await leaveInTask() } == "kept")
        }
        for task in left.all {
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(!task.isCancelled)
        }
        #expect(left.count == 102)
    }

    private struct Leftovers: Sendable {
        weak var scheduler: Scheduler?
        weak var fiber: Fiber<Void>?
    }

    @Test func `what fails at the end of a simulation is reported, and leaves nothing`() async throws {
        for seed: UInt64 in 1...20 {
            let reports = Reports()
            let leftovers = Shared(Leftovers())
            try await Simulation.run(seed: seed) {
                let scheduler = try #require(Scheduler.current)
                scheduler.setUnseenErrorHandler { reports.note($0) }
                let fiber = Fiber {
                    do { try Fiber.sleep(until: .never) } catch { throw Failure(number: 1) }
                }
                leftovers.value = Leftovers(scheduler: scheduler, fiber: fiber)
                try await Scheduler.sleep(for: .seconds(1))
            }
            try await awaitUntil("the end") { leftovers.value.scheduler == nil && leftovers.value.fiber == nil }
            #expect(Self.failures(reports) == [Failure(number: 1)])
        }
    }
}
