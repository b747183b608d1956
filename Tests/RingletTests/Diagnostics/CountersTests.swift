import Synchronization
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct CountersTests {
    @Test func `counters of what was done`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let (client, server) = try await connectedPair()
            let before = scheduler.counters
            #expect(before.workers.count == 2 && before.liveFibers == 0)
            let fibers = (0..<10).map { _ in
                scheduler.spawn(onWorker: 0) { for _ in 0..<5 { try Fiber.yield() } }
            }
            for fiber in fibers { try await fiber.join() }
            try await scheduler.spawn(onWorker: 1) {
                var buffer = Buffer(capacity: 1)
                for _ in 0..<20 {
                    try client.write(Buffer(copying: [1]))
                    try server.read(into: &buffer)
                }
            }.join()
            await Task(executorPreference: scheduler.taskExecutor(ofWorker: 1)) {
                for _ in 0..<7 { await Task.yield() }
            }.value
            // What an end announces comes before the end of the turn.
            try await awaitUntil("the turns end") {
                let now = scheduler.counters
                return now.workers[0].fibersEnded >= before.workers[0].fibersEnded + 10
                    && now.workers[1].fibersEnded >= before.workers[1].fibersEnded + 1
                    && now.workers[1].jobs >= before.workers[1].jobs + 7
            }
            let after = scheduler.counters
            let (first, second) = (after.workers[0], after.workers[1])
            #expect(first.fibersStarted - before.workers[0].fibersStarted == 10)
            #expect(first.fibersEnded - before.workers[0].fibersEnded == 10)
            #expect(first.resumes - before.workers[0].resumes == 50)
            #expect(first.stacksInUse == before.workers[0].stacksInUse && first.stacks > 0)
            #expect(second.submissions - before.workers[1].submissions >= 40)
            #expect(second.completions - before.workers[1].completions >= 40)
            #expect(second.jobs - before.workers[1].jobs >= 7)
            #expect(second.enters > before.workers[1].enters && second.turns > before.workers[1].turns)
            #expect(after.total.resumes == first.resumes + second.resumes)
            #expect(after.liveFibers == 0)
        }
    }

    @Test func `gauges of what is in hand, and wake-ups`() async throws {
        try await withScheduler { scheduler in
            let sleepers = (0..<8).map { _ in scheduler.spawn { try Fiber.sleep(until: .never) } }
            try await awaitUntil("they sleep") { scheduler.counters.workers[0].timers >= 8 }
            let asleep = scheduler.counters
            #expect(asleep.liveFibers == 8 && asleep.workers[0].stacksInUse >= 8)
            #expect(asleep.workers[0].ready == 0)
            for number in 1...3 {
                let before = scheduler.counters.workers[0].wakeUps
                try await awaitUntil("the worker sleeps") {
                    scheduler.workers[0].meter.pulse.load(ordering: .relaxed) & 1 == 1
                }
                sleepers[number].cancel()
                try await awaitUntil("it was woken") { scheduler.counters.workers[0].wakeUps > before }
            }
            for fiber in sleepers { fiber.cancel() }
        }
    }

    @Test func `a worker that is awake is not woken for what another one hands over`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let isOver = Flag()
            // It keeps worker 1 from sleeping.
            let busy = scheduler.spawn(onWorker: 1) { while !isOver.isSet { try Fiber.yield() } }
            func turnsPass() async throws {
                let turns = scheduler.counters.workers[1].turns
                try await awaitUntil("some turns") { scheduler.counters.workers[1].turns > turns + 10 }
            }
            // The signal that woke it for that has been counted then.
            try await turnsPass()
            let before = scheduler.counters.workers[1].wakeUps
            let calls = Counter()
            try await scheduler.spawn(onWorker: 0) {
                for number in 0..<1000 {
                    let promise = Promise<Void>()
                    let fiber = scheduler.spawn(onWorker: 1) { try promise.value(); calls.add() }
                    try promise.succeed(())
                    if number % 10 == 0 { try fiber.join() }
                }
                try yieldUntil("all have ended") { calls.value == 1000 }
            }.join()
            try await turnsPass()
            #expect(scheduler.counters.workers[1].wakeUps == before)
            // And one that sleeps is.
            isOver.set()
            try await busy.join()
            try await awaitUntil("the worker sleeps") {
                scheduler.workers[1].meter.pulse.load(ordering: .relaxed) & 1 == 1
            }
            try await scheduler.spawn(onWorker: 1) {}.join()
            try await awaitUntil("it was woken") { scheduler.counters.workers[1].wakeUps > before }
        }
    }

    @Test func `figures of one worker are of one turn, whoever reads when`() async throws {
        try await withScheduler { scheduler in
            let stop = Flag()
            // Starts exactly one fiber in each turn, and ends it there: a mixture of two turns would differ.
            let load = scheduler.spawn {
                while !stop.isSet { try Fiber { try Fiber.yield() }.join() }
            }
            try await onThread {
                var last = scheduler.counters.workers[0]
                for _ in 0..<200_000 {
                    let now = scheduler.counters.workers[0]
                    #expect(now.turns >= last.turns && now.resumes >= last.resumes)
                    #expect(now.fibersStarted >= now.fibersEnded)
                    #expect(now.fibersStarted - now.fibersEnded == UInt64(now.stacksInUse))
                    if now.turns == last.turns { #expect(now == last) }
                    last = now
                }
            }
            stop.set()
            try await load.join()
        }
    }

    @Test func `a worker that is stuck shows the turn before, and one that has ended its last`() async throws {
        let scheduler = try Scheduler()
        let release = Flag()
        let spins = Flag()
        let stubborn = scheduler.spawn {
            spins.set()
            while !release.isSet {}
        }
        try await awaitUntil("it spins") { spins.isSet }
        let stuck = scheduler.counters
        #expect(stuck.liveFibers == 1 && stuck == scheduler.counters)
        release.set()
        try await stubborn.join()
        _ = try await onThread { scheduler.shutdown() }
        let ended = scheduler.counters.workers[0]
        #expect(ended.fibersStarted == ended.fibersEnded && ended.turns > stuck.workers[0].turns)
        #expect(ended.operations == 0 && ended.submissions >= ended.completions)
    }
}
