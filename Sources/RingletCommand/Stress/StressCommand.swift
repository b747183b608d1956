import ArgumentParser
@_spi(Testing) import Ringlet

struct StressCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stress",
        abstract:
            "Mix all that Ringlet does, cut it short everywhere, and check that nothing is lost or leaked."
    )

    @Option(help: "What decides every random choice; printed when something fails.")
    var seed: UInt64 = 1

    @Option(help: "How long to go on; 0 until SIGINT or SIGTERM.")
    var seconds = 10

    @Option(help: "Threads, each with its own ring.")
    var workers = 2

    @Option(
        help: "A seed for faults of the kernel, whose errors the load then expects, and no others.")
    var faults: UInt64?

    func validate() throws {
        guard seconds >= 0 else { throw ValidationError("Time does not run backwards.") }
        guard (1...64).contains(workers) else { throw ValidationError("1 to 64 workers.") }
    }

    func run() throws {
        let signals = try SignalListener(for: [.interrupt, .terminate])
        // Bodies of the load fail on purpose, with nobody to see it; what counts is checked at each end.
        UnseenError.setHandler { _ in }
        let watchdog = StressWatchdog()
        let end = seconds == 0 ? Deadline.never : .after(.seconds(seconds))
        var totals = StressTally()
        var round: UInt64 = 0
        // What the process keeps for good is there after the first rounds.
        let warmUp: UInt64 = 5
        var baseline = ProcessFigures.now
        var isStopped = false
        while !isStopped && (!end.hasPassed || round <= warmUp) {
            let roundFaults = faults.map { $0 &+ round }
            let name =
                "round \(round) (--seed \(seed &+ round)\(roundFaults.map { " --faults \($0)" } ?? "") --workers \(workers))"
            watchdog.begin(name)
            do {
                let outcome = try StressRound(
                    seed: seed &+ round, workers: workers, faultSeed: roundFaults,
                    watchdog: watchdog,
                    signals: signals
                ).run()
                totals.add(outcome.tally)
                isStopped = outcome.isStopped
            } catch {
                print("\(name) failed: \(error)")
                throw ExitCode.failure
            }
            watchdog.end()
            if round == warmUp { baseline = .now }
            let figures = round > warmUp ? ProcessFigures.settled(at: baseline) : baseline
            if figures.descriptors > baseline.descriptors {
                print(
                    "\(name): \(figures.descriptors - baseline.descriptors) descriptors leaked by now"
                )
                throw ExitCode.failure
            }
            round += 1
        }
        try report(rounds: Int(round), totals, baseline)
    }

    private func report(rounds: Int, _ totals: StressTally, _ baseline: ProcessFigures) throws {
        let figures = ProcessFigures.now
        print(
            """
            \(grouped(rounds)) rounds from seed \(seed): \(grouped(totals.fibers)) fibers, \
            \(grouped(totals.connections)) connections, stacks \(totals.deepest) frames deep, \
            \(grouped(totals.echoes)) echoes and \(grouped(totals.bytes)) bytes checked, \
            \(grouped(totals.cancelled)) cancelled, \(grouped(totals.timedOut)) timed out, \
            \(grouped(totals.closed)) closed or reset while waiting, \
            \(grouped(totals.failed)) operations failed by faults
            descriptors \(baseline.descriptors) → \(figures.descriptors), \
            mappings \(baseline.mappings) → \(figures.mappings), \
            memory \(grouped(baseline.residentKiB)) → \(grouped(figures.residentKiB)) KiB
            """)
        if faults != nil {
            let counts = KernelFaults.Kind.allCases.compactMap { kind in
                totals.faults[kind].flatMap { $0 > 0 ? "\(grouped($0)) \(kind.rawValue)" : nil }
            }
            print("faults: \(counts.joined(separator: ", "))")
        }
        // A stack that is not given back is two of them; threads that have ended leave some to the allocator.
        if figures.mappings > baseline.mappings + 100 {
            print("address space grew; repeat it with --seed \(seed)")
            throw ExitCode.failure
        }
        // Allocator noise is a few MiB; a leak of one connection's buffers per round is far more.
        if figures.residentKiB > baseline.residentKiB * 5 / 4 + 16 * 1024 {
            print("memory grew; repeat it with --seed \(seed)")
            throw ExitCode.failure
        }
    }
}
