import ArgumentParser
import Ringlet

struct StressCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stress",
        abstract: "Mix echoes, cancels, deadlines and closes, and check that nothing is lost or leaked.")

    @Option(help: "What decides every random choice; printed when something fails.")
    var seed: UInt64 = 1

    @Option(help: "How long to go on.")
    var seconds = 10

    @Option(help: "Threads, each with its own ring.")
    var workers = 2

    func validate() throws {
        guard seconds > 0 else { throw ValidationError("It takes at least one second.") }
        guard (1...64).contains(workers) else { throw ValidationError("1 to 64 workers.") }
    }

    func run() throws {
        let end = Deadline.after(.seconds(seconds))
        var totals = StressTally()
        var round: UInt64 = 0
        // What the process keeps for good is there after the first rounds.
        let warmUp: UInt64 = 5
        var baseline = ProcessFigures.now
        while !end.hasPassed || round <= warmUp {
            let roundSeed = seed &+ round
            do {
                totals.add(try StressRound(seed: roundSeed, workers: workers).run())
            } catch {
                print("failed in round \(round): \(error); repeat it with --seed \(roundSeed)")
                throw ExitCode.failure
            }
            if round == warmUp { baseline = .now }
            let figures = round > warmUp ? ProcessFigures.settled(at: baseline) : baseline
            if figures.descriptors > baseline.descriptors {
                print(
                    "\(figures.descriptors - baseline.descriptors) descriptors leaked by round \(round); repeat it with --seed \(roundSeed)"
                )
                throw ExitCode.failure
            }
            round += 1
        }
        let figures = ProcessFigures.now
        print(
            """
            \(grouped(Int(round))) rounds from seed \(seed): \(grouped(totals.echoes)) echoes checked, \
            \(grouped(totals.cancelled)) cancelled, \(grouped(totals.timedOut)) timed out, \
            \(grouped(totals.closed)) closed or reset while waiting
            descriptors \(baseline.descriptors) → \(figures.descriptors), \
            memory \(grouped(baseline.residentKiB)) → \(grouped(figures.residentKiB)) KiB
            """)
        // Allocator noise is a few MiB; a leak of one connection's buffers per round is far more.
        if figures.residentKiB > baseline.residentKiB * 5 / 4 + 16 * 1024 {
            print("memory grew; repeat it with --seed \(seed)")
            throw ExitCode.failure
        }
    }
}

/// What a round counted.
struct StressTally: Sendable {
    var echoes = 0
    var cancelled = 0
    var timedOut = 0
    var closed = 0

    mutating func add(_ other: StressTally) {
        echoes += other.echoes
        cancelled += other.cancelled
        timedOut += other.timedOut
        closed += other.closed
    }
}

/// Something that must never happen.
struct StressFailure: Error, CustomStringConvertible {
    let description: String
}
