import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// Random histories from a seed. What happens in them is not looked at; what must hold after every one of
/// them is.
@Suite(.timeLimit(.patient)) struct RandomStressTests {
    /// What a history keeps count of.
    private final class Ledger: Sendable {
        let begun = Counter()
        let ended = Counter()
        let bytesSent = Counter()
        let bytesEchoed = Counter()
        let unexpected = Journal<String>()
        let fibers = Journal<Fiber<Void>>()
    }

    /// Spawns a fiber that settles its account however it ends.
    @discardableResult
    private static func spawn(
        on scheduler: Scheduler, _ ledger: Ledger, _ random: inout Seeded,
        _ body: @escaping @Sendable (inout Seeded) throws -> Void
    ) -> Fiber<Void> {
        let seed = random.next()
        let worker = Int.random(in: 0..<scheduler.workerCount, using: &random)
        let fiber = scheduler.spawn(onWorker: worker) {
            var random = Seeded(seed: seed)
            ledger.begun.add()
            defer { ledger.ended.add() }
            do {
                try body(&random)
            } catch is CancellationError {
            } catch is TimeoutError {
            } catch {
                ledger.unexpected.note("\(error)")
            }
        }
        ledger.fibers.note(fiber)
        return fiber
    }

    /// A fiber that does a little of everything and makes more of its kind.
    private static func grow(
        on scheduler: Scheduler, _ ledger: Ledger, depth: Int, _ random: inout Seeded
    ) throws {
        var children: [Fiber<Void>] = []
        for _ in 0..<Int.random(in: 2...8, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0, 1: try Fiber.yield()
            case 2: try Fiber.sleep(for: .microseconds(Int.random(in: 0..<300, using: &random)))
            case 3, 4:
                guard depth > 0 else { continue }
                children.append(
                    spawn(on: scheduler, ledger, &random) { random in
                        try grow(on: scheduler, ledger, depth: depth - 1, &random)
                    })
            case 5:
                if let child = children.randomElement(using: &random) { child.cancel() }
            case 6:
                if let child = children.randomElement(using: &random) {
                    let span = Duration.microseconds(Int.random(in: 0..<500, using: &random))
                    try child.join(deadline: .after(span))
                }
            case 7:
                let span = Duration.microseconds(Int.random(in: 0..<20, using: &random))
                try Fiber.await {
                    await Task.yield()
                    try await Task.sleep(for: span)
                }
            case 8: try talk(ledger, &random)
            default:
                try withoutCancellation { try Fiber.yield() }
            }
        }
        for child in children where Bool.random(using: &random) {
            do { try child.join() } catch is CancellationError { throw CancellationError() }
        }
    }

    /// A connection with an echo at the other end. Whatever comes back is what was sent.
    private static func talk(_ ledger: Ledger, _ random: inout Seeded) throws {
        let (client, server) = try connectedPair()
        let answerer = Fiber { try echo(server) }
        defer { answerer.cancel() }
        let size = Int.random(in: 1...60_000, using: &random)
        let writer = Fiber {
            try client.write(Stream.buffer(count: size))
            ledger.bytesSent.add(size)
            try client.finishWriting()
        }
        defer { writer.cancel() }
        let limit: Deadline =
            Int.random(in: 0..<4, using: &random) == 0
            ? .after(.microseconds(Int.random(in: 0..<2000, using: &random))) : .never
        var buffer = Buffer(capacity: Int.random(in: 1...10_000, using: &random))
        var position = 0
        while try client.read(into: &buffer, deadline: limit) > 0 {
            if !Stream.matches(buffer, from: position) {
                ledger.unexpected.note("wrong bytes at \(position)")
                return
            }
            position += buffer.count
        }
        ledger.bytesEchoed.add(position)
        if position != size && !writer.isCancelled && !answerer.isCancelled {
            ledger.unexpected.note("\(position) of \(size) bytes came back")
        }
    }

    private static func runHistory(seed: UInt64) async throws {
        var random = Seeded(seed: seed)
        let ledger = Ledger()
        let scheduler = try Scheduler(SchedulerOptions(workers: 2))
        for _ in 0..<6 {
            spawn(on: scheduler, ledger, &random) { random in
                try grow(on: scheduler, ledger, depth: 3, &random)
            }
        }
        let cut = Int.random(in: 0..<4, using: &random) == 0
        if !cut {
            // Fibers may make more while the first ones are joined.
            var joined = 0
            while joined < ledger.fibers.count {
                let fiber = ledger.fibers.all[joined]
                do { try await fiber.join(deadline: .after(patience)) } catch is CancellationError {}
                joined += 1
            }
        }
        let report = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
        #expect(report == ShutdownReport(), "seed \(seed)")
        #expect(ledger.unexpected.all.isEmpty, "seed \(seed)")
        #expect(ledger.begun.value == ledger.ended.value, "seed \(seed)")
        #expect(ledger.fibers.all.count { !$0.isFinished } == 0, "seed \(seed)")
        #expect(scheduler.counters.liveFibers == 0, "seed \(seed)")
        for worker in scheduler.workers {
            let active = worker.operations.activeCount
            let stale = worker.operations.staleCount
            #expect(active == 0, "seed \(seed)")
            #expect(stale == 0, "seed \(seed)")
            #expect(worker.liveFibers == nil, "seed \(seed)")
        }
    }

    /// Histories per block; more of them for a long run.
    private static let rounds =
        ProcessInfo.processInfo.environment["RINGLET_STRESS_ROUNDS"].flatMap(UInt64.init) ?? 40

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `random histories end as they should`(block: UInt64) async throws {
        for round in 0..<Self.rounds { try await Self.runHistory(seed: block << 32 + round) }
    }

    @Test func `a burst of more operations than the queues hold is served`() async throws {
        try await withScheduler { scheduler in
            let ended = try await scheduler.spawn { () -> Int in
                let (client, server) = try connectedPair()
                // Far more than the places in either queue of a ring.
                let readers = (0..<5000).map { _ in
                    Fiber { () -> Int in
                        var buffer = Buffer(capacity: 1)
                        return try server.read(into: &buffer)
                    }
                }
                try Fiber.yield()
                for _ in 0..<5 {
                    try client.write(Stream.buffer(count: 1000))
                    try Fiber.yield()
                }
                return try readers.reduce(0) { try $0 + $1.join(deadline: .after(patience)) }
            }.join()
            #expect(ended == 5000)
            let active = try await scheduler.operationsInFlight()
            #expect(active == 0)
        }
    }

    @Test func `thousands of operations are cancelled at the same time`() async throws {
        try await withScheduler { scheduler in
            let cancelled = try await scheduler.spawn { () -> Int in
                let (client, server) = try connectedPair()
                let readers = (0..<3000).map { number in
                    Fiber {
                        var buffer = Buffer(capacity: 1)
                        let limit: Deadline = number % 2 == 0 ? .never : .after(.milliseconds(1))
                        try server.read(into: &buffer, deadline: limit)
                    }
                }
                for _ in 0..<3 { try Fiber.yield() }
                for reader in readers { reader.cancel() }
                var cancelled = 0
                for reader in readers {
                    do { try reader.join(deadline: .after(patience)) } catch is CancellationError {
                        cancelled += 1
                    } catch let error as TimeoutError where error.deadline.hasPassed {
                        cancelled += 1
                    }
                }
                try client.close()
                return cancelled
            }.join()
            #expect(cancelled == 3000)
            let active = try await scheduler.operationsInFlight()
            #expect(active == 0)
        }
    }

    @Test func `closing ends thousands of operations at the same time`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let pair = try await connectedPair()
            let readers = (0..<2000).map { number in
                scheduler.spawn(onWorker: number % 2) { () -> Bool in
                    var buffer = Buffer(capacity: 1)
                    do {
                        try pair.server.read(into: &buffer)
                        return false
                    } catch Errno.badFileDescriptor {
                        return true
                    }
                }
            }
            try await scheduler.awaitOperations(1000, ofWorker: 0)
            try await scheduler.awaitOperations(1000, ofWorker: 1)
            try await scheduler.spawn { try pair.server.close() }.join(deadline: .after(patience))
            var ended = 0
            for reader in readers where try await reader.join(deadline: .after(patience)) { ended += 1 }
            #expect(ended == 2000)
        }
    }
}
