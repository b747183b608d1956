@_spi(Testing) import Ringlet
import Synchronization
import SystemPackage

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and good enough to vary a load.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}

/// One scheduler from beginning to end, under a load that the seed decides.
struct StressRound {
    let number: UInt64
    let seed: UInt64
    let workers: Int
    /// A seed for faults of the kernel, or nil for none.
    let faultSeed: UInt64?
    let watchdog: StressWatchdog
    let signals: SignalListener?

    struct Outcome {
        let tally: StressTally
        /// Whether a signal asks to stop.
        let isStopped: Bool
        let atEndOfLoad: SchedulerSnapshot
    }

    /// With the options of a run that begins with this round.
    var name: String {
        let faults = faultSeed.map { " --faults \($0)" } ?? ""
        return "round \(number) (--seed \(seed)\(faults) --workers \(workers))"
    }

    typealias Load = @Sendable (Scheduler, StressLedger, SeededGenerator) throws -> Void

    /// - Throws: ``StressReport`` when the load fails, or something is left of it.
    func run(_ load: @escaping Load = Self.mix) throws -> Outcome {
        let faults = faultSeed.map { KernelFaults(seed: $0) }
        let ledger = StressLedger(faults: faults)
        var options = SchedulerOptions(workers: workers)
        options.faults = faults
        let (seed, watchdog, signals) = (seed, watchdog, signals)
        let (scheduler, atEnd, isStopped) = try Scheduler.run(options) { () -> (Scheduler, SchedulerSnapshot, Bool) in
            guard let scheduler = Scheduler.current else { preconditionFailure("inside run") }
            watchdog.watch(scheduler)
            do { try load(scheduler, ledger, SeededGenerator(seed: seed)) } catch { ledger.fail("the load: \(error)") }
            ledger.close()
            // Each time, because what the balance says afterwards is about a scheduler that has gone.
            let atEnd = scheduler.snapshot()
            // Servers are cancelled and awaited at the end of run.
            let isStopped = (try? signals?.next(deadline: .after(.microseconds(200)))) != nil
            return (scheduler, atEnd, isStopped)
        }
        watchdog.watch(nil)
        if let report = StressReport(name, wrong: ledger.balance(scheduler.remains), atEndOfLoad: atEnd) {
            throw report
        }
        return Outcome(tally: ledger.tally, isStopped: isStopped, atEndOfLoad: atEnd)
    }

    /// Everything at once.
    private static func mix(
        _ scheduler: Scheduler, _ ledger: StressLedger, _ generator: SeededGenerator
    ) throws {
        var random = generator
        let server = try StressServer(
            on: scheduler, ledger, bufferSize: Int.random(in: 1000...16_000, using: &random))
        let families = StressFamilies(scheduler: scheduler, ledger: ledger)
        var fibers: [Fiber<Void>] = []

        for number in 0..<Int.random(in: 10...60, using: &random) {
            let client = StressClient(
                address: server.address, scheduler: scheduler, ledger: ledger,
                random: SeededGenerator(seed: random.next()),
                fuse: Int.random(in: 0..<4, using: &random) == 0
                    ? Int.random(in: 1...60, using: &random) : -1)
            fibers.append(
                ledger.spawn(
                    on: scheduler, worker: families.anyWorker(&random), name: "client-\(number)"
                ) {
                    var client = client
                    try client.run()
                })
        }
        for number in 0..<2 {
            let count = Int.random(in: 50...250, using: &random)
            var client = StressClient(
                address: server.address, scheduler: scheduler, ledger: ledger,
                random: SeededGenerator(seed: random.next()),
                fuse: Int.random(in: 0..<8, using: &random) == 0
                    ? Int.random(in: 1...count, using: &random) : -1)
            fibers.append(
                ledger.spawn(
                    on: scheduler, worker: families.anyWorker(&random), name: "churn-\(number)"
                ) { try client.churn(count) })
        }
        let tasks = (0..<Int.random(in: 3...20, using: &random)).map { number in
            let (seed, address) = (random.next(), server.address)
            let executor = scheduler.taskExecutor(ofWorker: families.anyWorker(&random))
            return Task(executorPreference: executor) {
                do {
                    try await StressTaskClient(address: address, ledger: ledger).run(seed: seed)
                } catch {
                    ledger.settle(error, "task-\(number)", isCancelled: Task.isCancelled)
                }
            }
        }
        for number in 0..<Int.random(in: 2...8, using: &random) {
            let (seed, worker) = (random.next(), families.anyWorker(&random))
            fibers.append(
                ledger.spawn(on: scheduler, worker: worker, name: "family-\(number)") {
                    var random = SeededGenerator(seed: seed)
                    switch number % 4 {
                    case 0: _ = try families.grow(depth: 4, &random)
                    case 1:
                        guard try families.handRound(20, from: worker) == 20 else {
                            throw StressFailure(description: "a number was lost on its round")
                        }
                    case 2:
                        let depth = Int.random(in: 50...250, using: &random)
                        _ = try families.dive(depth, &random)
                        ledger.count { $0.deepest = max($0.deepest, depth) }
                    default: try families.keepFile(number, &random)
                    }
                })
        }
        for number in 0..<Int.random(in: 4...12, using: &random) {
            let (seed, worker) = (random.next(), families.anyWorker(&random))
            fibers.append(
                ledger.spawn(on: scheduler, worker: worker, name: "exchange-\(number)") {
                    var random = SeededGenerator(seed: seed)
                    switch number % 4 {
                    case 0: try families.exchange(&random)
                    case 1: try families.gather(&random)
                    case 2: try families.generate(&random)
                    default: try families.raise(&random)
                    }
                })
        }
        // Cancels some of them, at any moment of their lives.
        for _ in 0..<fibers.count / 4 {
            try Fiber.sleep(for: .microseconds(Int.random(in: 0...3000, using: &random)))
            if Bool.random(using: &random) { fibers.randomElement(using: &random)?.cancel() }
            if Int.random(in: 0..<4, using: &random) == 0 {
                tasks.randomElement(using: &random)?.cancel()
            }
        }
        for fiber in fibers {
            // Thrown for a fiber that was cancelled before it began.
            do { try fiber.join() } catch is CancellationError {
                ledger.count { $0.cancelled += 1 }
            }
        }
        try Fiber.await { for task in tasks { await task.value } }
    }
}
