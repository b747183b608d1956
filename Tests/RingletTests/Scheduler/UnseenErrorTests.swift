import Foundation
import Synchronization
import Testing

@testable import Ringlet

/// Errors that nobody can catch: told once, and the scheduler goes on. Numbers of scenarios are those of the table of features.
@Suite(.timeLimit(.minutes(4))) struct UnseenErrorTests {
    private typealias Reports = Journal<UnseenError>

    /// Installs a handler that keeps what it is told.
    private static func watch(_ scheduler: Scheduler) -> Reports {
        let reports = Reports()
        scheduler.setUnseenErrorHandler { reports.note($0) }
        return reports
    }

    private static func failures(_ reports: Reports) -> [Failure] { reports.all.compactMap { $0.error as? Failure } }

    // MARK: Fibers

    @Test func `scenarios 41 and 48: a failure that nobody saw is reported once, when its last reference goes`() async throws {
        try await withScheduler { scheduler in
            let reports = Self.watch(scheduler)
            // Nobody refers to this one.
            scheduler.spawn(name: "lost") { throw Failure(number: 1) }
            try await awaitUntil("the report") { reports.count == 1 }
            #expect(reports.all[0].origin == .fiber)
            #expect(reports.all[0].source.hasSuffix("'lost'"))
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
}
