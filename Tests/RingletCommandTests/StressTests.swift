import Foundation
@_spi(Testing) import Ringlet
import SystemPackage
import Testing

@testable import RingletCommand

/// What `ringlet stress` says when a balance is wrong.
@Suite(.timeLimit(.minutes(10))) struct StressTests {
    private static let watchdog = StressWatchdog()

    private static func round(_ number: UInt64, seed: UInt64, faultSeed: UInt64? = nil) -> StressRound {
        StressRound(
            number: number, seed: seed, workers: 1, faultSeed: faultSeed, watchdog: watchdog, signals: nil)
    }

    @Test func `a round whose balance is right is no failure, and has looked at all fibers`() async throws {
        let outcome = try await onThread {
            try Self.round(0, seed: 1).run { scheduler, ledger, _ in
                ledger.spawn(on: scheduler, worker: 0, name: "server") { try Fiber.sleep(until: .never) }
                try Fiber.yield()
            }
        }
        #expect(outcome.tally.fibers == 1 && outcome.tally.cancelled == 1)
        #expect(outcome.atEndOfLoad.fibers.contains { $0.name == "server" })
    }

    @Test func `a round that fails says how to repeat it, what is wrong and who was there`() async throws {
        let error = try await onThread {
            #expect(throws: StressReport.self) {
                try Self.round(7, seed: 12, faultSeed: 3).run { scheduler, ledger, _ in
                    ledger.spawn(on: scheduler, worker: 0, name: "witness") { try Fiber.sleep(until: .never) }
                    let culprit = ledger.spawn(on: scheduler, worker: 0, name: "culprit") { throw Errno.ioError }
                    try culprit.join()
                    throw StressFailure(description: "a byte is wrong")
                }
            }
        }
        let text = "\(try #require(error))"
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.first == "round 7 (--seed 12 --faults 3 --workers 1) failed:")
        #expect(lines.contains("  culprit: \(Errno.ioError)"), "\(text)")
        #expect(lines.contains("  the load: a byte is wrong"), "\(text)")
        let witness = lines.first { $0.contains("'witness'") }
        #expect(witness?.contains("waits for") == true, "\(text)")
        #expect(lines.contains { $0.hasPrefix("ringlet: ") && $0.hasSuffix(" in process") }, "\(text)")
    }

    @Test func `what is left on a worker is told, each kind by its name`() {
        func wrong(_ change: (inout Scheduler.Remains) -> Void) -> [String] {
            var left = Scheduler.Remains()
            change(&left)
            return StressLedger(faults: nil).balance([Scheduler.Remains(), left])
        }
        #expect(wrong { _ in } == [])
        #expect(wrong { $0.operations = 2 } == ["2 operations left on worker 1"])
        #expect(wrong { $0.hasFibers = true } == ["fibers left on worker 1"])
        #expect(wrong { $0.stacks = 3 } == ["3 stacks in use on worker 1"])
        #expect(wrong { $0.staleCompletions = 4 } == ["4 stale completions"])
    }

    @Test func `what a process has more than before is told, each kind by its name`() {
        let before = ProcessFigures(descriptors: 8, residentKiB: 20_000, mappings: 120, children: 0)
        func wrong(
            descriptors: Int = 0, residentKiB: Int = 0, mappings: Int = 0, children: Int = 0
        ) -> [String] {
            ProcessFigures(
                descriptors: 8 + descriptors, residentKiB: 20_000 + residentKiB, mappings: 120 + mappings,
                children: children
            ).excess(over: before)
        }
        #expect(wrong() == [])
        #expect(wrong(descriptors: -1, residentKiB: 20_000, mappings: 100) == [])
        #expect(wrong(descriptors: 1) == ["1 descriptors leaked by now"])
        #expect(wrong(mappings: 101) == ["address space grew from 120 to 221 mappings"])
        #expect(wrong(residentKiB: 22_000) == ["memory grew from 20000 to 42000 KiB"])
        #expect(wrong(children: 2) == ["2 child processes left"])
    }

    @Test func `the figures of a process are those of the kernel`() {
        let figures = ProcessFigures.now
        #expect(figures.descriptors > 2 && figures.residentKiB > 1000 && figures.mappings > 20)
    }

    /// A round of the whole mix; `ringlet stress` plays many.
    @Test func `a round of the mix counts every kind of work`() async throws {
        let tally = try await onThread { try Self.round(0, seed: 1).run().tally }
        #expect(tally.echoes > 0 && tally.messages > 0 && tally.groups > 0)
        #expect(tally.elements > 0 && tally.children > 0)
    }
}

/// Runs `body` on a plain thread, which it blocks.
private func onThread<Success: Sendable>(_ body: @escaping @Sendable () throws -> Success) async throws -> Success {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}
