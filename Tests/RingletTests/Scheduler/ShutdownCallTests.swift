import SystemPackage
import Testing

@testable import Ringlet

/// What is asked of a scheduler while it shuts down: nothing is called, and who asked is told.
@Suite(.timeLimit(.patient)) struct ShutdownCallTests {
    /// Everything that can be asked for.
    private struct Asked: Sendable {
        let callbacks: [Callback]
        let watchers: [Watcher]

        init(of scheduler: Scheduler, _ descriptor: FileDescriptor, _ calls: Counter) throws {
            callbacks = [
                scheduler.soon { calls.add() }, scheduler.later(.zero) { calls.add() },
                scheduler.later(.seconds(3600)) { calls.add() }, scheduler.at(.now) { calls.add() },
            ]
            // One takes the place of the other.
            watchers = [
                try scheduler.onReadable(descriptor) { calls.add() },
                try scheduler.onReadable(descriptor) { calls.add() },
            ]
        }

        var isRefused: Bool { callbacks.allSatisfy { $0.isCancelled } && watchers.allSatisfy { !$0.isActive } }
    }

    private enum Asker: CaseIterable { case fiber, task, thread, otherScheduler }

    /// On worker 0 the answer is there at once, from elsewhere by the worker's next turn.
    @Test(arguments: Asker.allCases)
    private func `what is asked for during a shutdown is cancelled, whoever asks`(asker: Asker) async throws {
        let (reading, writing) = try FileDescriptor.pipe()
        defer {
            try? reading.close()
            try? writing.close()
        }
        _ = try writing.writeAll([1])
        let scheduler = try Scheduler()
        let other = try Scheduler()
        let calls = Counter()
        let asleep = Flag()
        let shuttingDown = Flag()
        let asked = Journal<Asked>()
        // The clean-up of a fiber holds the shutdown up until it has been asked.
        let fiber = scheduler.spawn {
            asleep.set()
            do { try Fiber.sleep(until: .never) } catch is CancellationError {}
            shuttingDown.set()
            if asker == .fiber {
                let own = try Asked(of: scheduler, reading, calls)
                #expect(own.callbacks.allSatisfy { $0.isCancelled && !$0.isPending })
                asked.note(own)
            }
            try withoutCancellation {
                if asker == .task {
                    try Fiber.await { asked.note(try Asked(of: scheduler, reading, calls)) }
                }
                try yieldUntil("somebody has asked") { asked.count == 1 }
                // Messages are taken up in each turn.
                let turns = CurrentThread.worker?.counters.turns ?? 0
                try yieldUntil("some turns") { (CurrentThread.worker?.counters.turns ?? 0) > turns + 2 }
                #expect(asked.all[0].isRefused)
            }
        }
        try await awaitUntil("it sleeps") { asleep.isSet }
        let report = Task { try await onThread { scheduler.shutdown(deadline: .after(patience)) } }
        try await awaitUntil("the shutdown") { shuttingDown.isSet }
        switch asker {
        case .fiber, .task: break
        case .thread: try await onThread { asked.note(try Asked(of: scheduler, reading, calls)) }
        case .otherScheduler:
            try await other.spawn { asked.note(try Asked(of: scheduler, reading, calls)) }.join()
        }
        #expect(try await report.value == ShutdownReport())
        try await fiber.join()
        #expect(asked.all[0].isRefused)
        // And after its end.
        let late = try Asked(of: scheduler, reading, calls)
        #expect(late.isRefused)
        #expect(calls.value == 0)
        _ = try await onThread { other.shutdown(deadline: .after(patience)) }
    }

    @Test func `a runner whose scheduler was shut down runs nothing any more`() async throws {
        try await SchedulerRunner.with { runner in
            try await runner.run { () throws in }
            let scheduler = try #require(runner.scheduler)
            _ = try await onThread { scheduler.shutdown() }
            await #expect(throws: SchedulerError.closed) {
                try await runner.run { () throws in Issue.record("it ran") }
            }
            await #expect(throws: SchedulerError.closed) {
                try await runner.run { () async throws in Issue.record("it ran") }
            }
        }
    }
}
