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
            let current = StressRound(
                number: round, seed: seed &+ round, workers: workers, faultSeed: faults.map { $0 &+ round },
                watchdog: watchdog, signals: signals)
            watchdog.begin(current.name)
            do {
                let outcome = try current.run()
                totals.add(outcome.tally)
                isStopped = outcome.isStopped
                watchdog.end()
                if round == warmUp { baseline = .now }
                if round > warmUp {
                    let excess = ProcessFigures.settled(at: baseline).excess(over: baseline)
                    let report = StressReport(current.name, wrong: excess, atEndOfLoad: outcome.atEndOfLoad)
                    if let report { throw report }
                }
            } catch {
                print(error is StressReport ? "\(error)" : "\(current.name) failed: \(error)")
                throw ExitCode.failure
            }
            round += 1
        }
        report(rounds: Int(round), totals, baseline)
    }

    private func report(rounds: Int, _ totals: StressTally, _ baseline: ProcessFigures) {
        let figures = ProcessFigures.now
        print(
            """
            \(grouped(rounds)) rounds from seed \(seed): \(grouped(totals.fibers)) fibers, \
            \(grouped(totals.connections)) connections, stacks \(totals.deepest) frames deep, \
            \(grouped(totals.echoes)) echoes and \(grouped(totals.bytes)) bytes checked, \
            \(grouped(totals.cancelled)) cancelled, \(grouped(totals.timedOut)) timed out, \
            \(grouped(totals.closed)) closed or reset while waiting, \
            \(grouped(totals.messages)) messages, \(grouped(totals.groups)) groups, \
            \(grouped(totals.elements)) elements, \(grouped(totals.children)) child processes, \
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
    }
}
