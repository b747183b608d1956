import RingletTesting
import SystemPackage
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct FiberCancellationTests {
    @Test func `a fiber that is cancelled before it begins never runs its body`() async throws {
        try await Scheduler.run {
            let ran = Flag()
            let fiber = Fiber { ran.set() }
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(fiber.isFinished)
            #expect(!ran.isSet)
        }
    }

    @Test func `a running fiber learns of its cancellation at the next wait`() async throws {
        try await Scheduler.run {
            let steps = Journal<String>()
            let fiber = Fiber {
                steps.note("before")
                AnyFiber.current?.cancel()
                // Cancelling does not interrupt what runs.
                steps.note("after")
                try Fiber.yield()
                steps.note("never")
            }
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(steps.all == ["before", "after"])
        }
    }

    @Test func `a fiber in the ready queue learns of its cancellation when it runs`() async throws {
        try await Scheduler.run {
            let turns = Counter()
            let fiber = Fiber {
                while true {
                    turns.add()
                    try Fiber.yield()
                }
            }
            try yieldUntil("it runs") { turns.value > 3 }
            let before = turns.value
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(turns.value == before)
        }
    }

    @Test func `a cancelled sleep ends at once`() async throws {
        try await Scheduler.run {
            let asleep = Flag()
            let fiber = Fiber {
                asleep.set()
                try Fiber.sleep(until: .never)
            }
            try yieldUntil("asleep") { asleep.isSet }
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join(deadline: .after(patience)) }
        }
    }

    @Test func `every wait after the first fails at once too`() async throws {
        try await Scheduler.run {
            let failures = Journal<Int>()
            let listener = try TCPListener(on: .loopback(port: 0))
            let endless = Fiber { try Fiber.sleep(until: .never) }
            let fiber = Fiber {
                try? Fiber.sleep(until: .never)
                let waits: [() throws -> Void] = [
                    { try Fiber.yield() },
                    { try Fiber.sleep(until: .never) },
                    { try Fiber.sleep(for: .zero) },
                    { try endless.join() },
                    { _ = try listener.accept() },
                    { _ = try TCPConnection.connect(to: listener.address) },
                    { _ = try File.open("/dev/null") },
                    { try Fiber.checkCancellation() },
                ]
                for (number, wait) in waits.enumerated()
                where errorThrown(by: wait) is CancellationError {
                    failures.note(number)
                }
            }
            try Fiber.yield()
            fiber.cancel()
            try fiber.join(deadline: .after(patience))
            #expect(failures.all == Array(0..<8))
        }
    }

    @Test func `cancelling twice is cancelling once`() async throws {
        try await Scheduler.run {
            let asleep = Flag()
            let failures = Counter()
            let fiber = Fiber {
                asleep.set()
                do { try Fiber.sleep(until: .never) } catch { failures.add() }
            }
            try yieldUntil("asleep") { asleep.isSet }
            fiber.cancel()
            fiber.cancel()
            try fiber.join()
            fiber.cancel()
            #expect(failures.value == 1)
        }
    }

    @Test func `cancelling after the end changes nothing`() async throws {
        try await Scheduler.run {
            let fiber = Fiber { 3 }
            #expect(try fiber.join() == 3)
            fiber.cancel()
            try Fiber.yield()
            #expect(try fiber.join() == 3)
            #expect(fiber.isFinished)
        }
    }

    @Test func `a fiber is cancelled from another thread, a task and another worker`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            func sleeper() -> Fiber<Void> {
                scheduler.spawn(onWorker: 0) { try Fiber.sleep(until: .never) }
            }
            let byThread = sleeper()
            _ = try await onThread { byThread.cancel() }
            await #expect(throws: CancellationError.self) { try await byThread.join() }

            let byTask = sleeper()
            Task(executorPreference: scheduler.taskExecutor(ofWorker: 0)) { byTask.cancel() }
            await #expect(throws: CancellationError.self) { try await byTask.join() }

            let byWorker = sleeper()
            scheduler.spawn(onWorker: 1) { byWorker.cancel() }
            await #expect(throws: CancellationError.self) { try await byWorker.join() }
        }
    }

    @Test func `cancellation of one fiber is seen by that fiber only`() async throws {
        try await Scheduler.run {
            let seen = Journal<Int>()
            let fibers = (0..<10).map { number in
                Fiber {
                    try? Fiber.yield()
                    try? Fiber.yield()
                    if Task.isCancelled { seen.note(number) }
                }
            }
            try Fiber.yield()
            fibers[3].cancel()
            fibers[7].cancel()
            for fiber in fibers { try? fiber.join() }
            #expect(Set(seen.all) == [3, 7])
        }
    }

    // MARK: Shields

    @Test func `clean-up without cancellation waits as long as it needs`() async throws {
        try await forEachSeed(1...100) { _ in
            let steps = Journal<String>()
            let helper = Fiber { () -> Int in
                try Fiber.sleep(for: .seconds(2))
                return 1
            }
            let fiber = Fiber {
                do {
                    try Fiber.sleep(until: .never)
                } catch is CancellationError {
                    try withoutCancellation {
                        try Fiber.yield()
                        try Fiber.sleep(for: .seconds(1))
                        steps.note("slept")
                        _ = try helper.join()
                        steps.note("joined")
                    }
                    if errorThrown(by: { try Fiber.yield() }) is CancellationError {
                        steps.note("cancelled again")
                    }
                }
            }
            try Fiber.sleep(for: .milliseconds(1))
            fiber.cancel()
            try fiber.join()
            #expect(steps.all == ["slept", "joined", "cancelled again"])
            #expect(Simulation.now == .seconds(2))
        }
    }

    @Test func `a cancel that arrives in a shielded part waits for its end`() async throws {
        try await Scheduler.run {
            let steps = Journal<String>()
            let inside = Flag()
            let release = Flag()
            let fiber = Fiber {
                try withoutCancellation {
                    try withoutCancellation { try Fiber.yield() }
                    inside.set()
                    // Nested shields: leaving the inner one leaves the outer in force.
                    try yieldUntil("released") { release.isSet }
                    steps.note("through")
                }
                try Fiber.sleep(until: .never)
            }
            try yieldUntil("inside") { inside.isSet }
            fiber.cancel()
            for _ in 0..<10 { try Fiber.yield() }
            #expect(!fiber.isFinished)
            release.set()
            #expect(throws: CancellationError.self) { try fiber.join(deadline: .after(patience)) }
            #expect(steps.all == ["through"])
        }
    }

    @Test func `a cancel reaches no kind of wait in a shielded part`() async throws {
        try await forEachSeed(1...100) { _ in
            let worker = CurrentThread.worker
            let release = Flag()
            let target = Fiber { try yieldUntil("released") { release.isSet } }
            let (client, server) = try connectedPair()
            let end = Deadline.after(.seconds(20))
            let waits: [@Sendable () throws -> Bool] = [
                {
                    try Fiber.sleep(until: end)
                    return Deadline.now == end
                },
                {
                    try target.join()
                    return release.isSet
                },
                {
                    try target.join(deadline: .after(patience))
                    return release.isSet
                },
                {
                    var buffer = Buffer(capacity: 1)
                    return try server.read(into: &buffer) == 1 && release.isSet
                },
            ]
            // One that had not begun would never begin.
            let begun = Counter()
            let fibers = waits.map { wait in
                Fiber {
                    try withoutCancellation {
                        begun.add()
                        return try wait()
                    }
                }
            }
            try yieldUntil("all wait") { begun.value == waits.count && worker?.operationsOfTheTest == 1 }
            for fiber in fibers { fiber.cancel() }
            for _ in 0..<10 { try Fiber.yield() }
            release.set()
            try client.write(Buffer(copying: [1]))
            let complete = try fibers.map { try $0.join(deadline: .after(patience)) }
            #expect(complete == [true, true, true, true])
        }
    }

    @Test func `a shield ends when its body throws`() async throws {
        try await Scheduler.run {
            let fiber = Fiber {
                do {
                    try withoutCancellation { throw Failure(number: 1) }
                } catch is Failure {}
                AnyFiber.current?.cancel()
                try Fiber.sleep(until: .never)
            }
            #expect(throws: CancellationError.self) { try fiber.join(deadline: .after(patience)) }
        }
    }

    // MARK: Races

    @Test func `a cancel and an end that race end the fiber once`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            var ended = 0
            for round in 0..<300 {
                let fiber = scheduler.spawn(onWorker: 0) {
                    for _ in 0..<round % 7 { try Fiber.yield() }
                    try Fiber.sleep(for: .microseconds(round % 5))
                }
                let canceller = scheduler.spawn(onWorker: 1) {
                    for _ in 0..<round % 11 { try Fiber.yield() }
                    fiber.cancel()
                }
                do { try await fiber.join() } catch is CancellationError {}
                try await canceller.join()
                ended += 1
            }
            #expect(ended == 300)
        }
    }

    @Test func `a cancel and a wake of a join that race resume the joiner once`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let outcomes = Counter()
            for round in 0..<300 {
                let target = scheduler.spawn(onWorker: 1) {
                    for _ in 0..<round % 5 { try Fiber.yield() }
                }
                let joiner = scheduler.spawn(onWorker: 0) {
                    do { try target.join() } catch is CancellationError {}
                    outcomes.add()
                    // A second resume would end this wait too early.
                    try withoutCancellation { try Fiber.sleep(for: .microseconds(50)) }
                }
                joiner.cancel()
                do { try await joiner.join() } catch is CancellationError { outcomes.add() }
                try await target.join()
            }
            #expect(outcomes.value >= 300)
        }
    }
}
