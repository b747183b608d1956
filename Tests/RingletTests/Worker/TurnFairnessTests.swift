import Testing

@testable import Ringlet

/// However much is ready, timers and completions are looked at in every turn.
@Suite(.timeLimit(.patient)) struct TurnFairnessTests {
    private static let stormers = 200

    /// What is behind a full ready queue runs after so many turns at most: a turn runs 32 items or more,
    /// a fiber that is about to end and its successor are two, and a few turns go by until the event
    /// itself is seen.
    private static let bound = UInt64(2 * stormers / 32 + 6)

    /// Keeps the worker's queue full until told to stop.
    enum Storm: CaseIterable {
        case yielding, respawning, tasks

        func begin(on scheduler: Scheduler, until stop: Flag, _ step: @escaping @Sendable () -> Void) {
            switch self {
            case .yielding:
                for _ in 0..<stormers {
                    scheduler.spawn {
                        while !stop.isSet {
                            step()
                            try Fiber.yield()
                        }
                    }
                }
            case .respawning:
                for _ in 0..<stormers { Self.respawn(on: scheduler, until: stop, step) }
            case .tasks:
                for _ in 0..<stormers {
                    Task(executorPreference: scheduler.taskExecutor) {
                        while !stop.isSet {
                            step()
                            await Task.yield()
                        }
                    }
                }
            }
        }

        /// A fiber that ends by beginning the next.
        private static func respawn(
            on scheduler: Scheduler, until stop: Flag, _ step: @escaping @Sendable () -> Void
        ) {
            scheduler.spawn {
                step()
                if !stop.isSet { respawn(on: scheduler, until: stop, step) }
            }
        }
    }

    @Test(arguments: Storm.allCases)
    func `a storm does not delay a timer`(storm: Storm) async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let stop = Flag()
            let deadline = Shared(Deadline.never)
            let seen = Shared<UInt64?>(nil)
            storm.begin(on: scheduler, until: stop) {
                // The turn in which the deadline was first seen to have passed.
                if deadline.value.hasPassed, seen.value == nil { seen.value = worker.counters.turns }
            }
            let delays = try await scheduler.spawn { () -> [UInt64] in
                var delays: [UInt64] = []
                for _ in 0..<20 {
                    seen.value = nil
                    let end = Deadline.after(.milliseconds(2))
                    deadline.value = end
                    try Fiber.sleep(until: end)
                    let now = worker.counters.turns
                    delays.append(now - (seen.value ?? now))
                    deadline.value = .never
                }
                return delays
            }.join()
            stop.set()
            #expect(delays.allSatisfy { $0 <= Self.bound }, "\(delays)")
        }
    }

    @Test(arguments: Storm.allCases)
    func `a storm does not delay a completion`(storm: Storm) async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let stop = Flag()
            storm.begin(on: scheduler, until: stop) {}
            let delays = try await scheduler.spawn { () -> [UInt64] in
                let (client, server) = try connectedPair()
                var delays: [UInt64] = []
                for _ in 0..<20 {
                    let reader = Fiber { () -> UInt64 in
                        var buffer = Buffer(capacity: 10)
                        try server.read(into: &buffer)
                        return worker.counters.turns
                    }
                    try yieldUntil("it reads") { worker.operationsOfTheTest == 1 }
                    let sent = worker.counters.turns
                    try client.writeBehindTheScenes([1])
                    delays.append(try reader.join() - sent)
                }
                return delays
            }.join()
            stop.set()
            #expect(delays.allSatisfy { $0 <= Self.bound }, "\(delays)")
        }
    }

    @Test(arguments: Storm.allCases)
    func `a storm does not delay what other threads send`(storm: Storm) async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let stop = Flag()
            storm.begin(on: scheduler, until: stop) {}
            let delays = try await onThread { () -> [UInt64] in
                try (0..<20).map { _ in
                    let pushed = Shared<UInt64?>(nil)
                    let ran = Shared<UInt64?>(nil)
                    // The first is drained in some turn, behind what is ready; the second after it.
                    worker.perform { pushed.value = $0.counters.turns }
                    worker.perform { ran.value = $0.counters.turns }
                    try blockUntil("both ran") { ran.value != nil }
                    return (ran.value ?? 0) - (pushed.value ?? 0)
                }
            }
            stop.set()
            // The median: the sending thread may lose its processor between the two.
            let median = delays.sorted()[delays.count / 2]
            #expect(median <= Self.bound, "\(delays)")
        }
    }

    @Test func `a turn is cut short when its items take long`() async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let stop = Flag()
            for _ in 0..<64 {
                scheduler.spawn {
                    while !stop.isSet {
                        // 64 of these take eight milliseconds; a turn has room for a few.
                        let end = Deadline.after(.microseconds(125))
                        while !end.hasPassed {}
                        try Fiber.yield()
                    }
                }
            }
            let items = try await scheduler.spawn { () -> UInt64 in
                for _ in 0..<3 { try Fiber.yield() }
                let turns = worker.counters.turns
                let resumes = worker.counters.fiberResumes
                for _ in 0..<5 { try Fiber.yield() }
                return (worker.counters.fiberResumes - resumes) / max(worker.counters.turns - turns, 1)
            }.join()
            stop.set()
            #expect(items <= 40)
        }
    }
}
