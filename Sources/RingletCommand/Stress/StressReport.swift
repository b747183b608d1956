import Ringlet

/// A round whose balance is wrong: how to repeat it, what is wrong, and who was there.
struct StressReport: Error, CustomStringConvertible {
    /// The round, with the options that repeat it.
    let round: String
    let wrong: [String]
    /// The fibers and tasks at the end of the load, before the scheduler ended the servers.
    let atEndOfLoad: SchedulerSnapshot
    /// Those of the schedulers that still run.
    let now: String

    /// - Returns: Nil when nothing is wrong.
    init?(_ round: String, wrong: [String], atEndOfLoad: SchedulerSnapshot) {
        if wrong.isEmpty { return nil }
        self.round = round
        self.wrong = wrong
        self.atEndOfLoad = atEndOfLoad
        now = Scheduler.dumpAll()
    }

    /// More lines than these say nothing new.
    private static let most = 50

    var description: String {
        var lines = ["\(round) failed:"]
        lines += wrong.prefix(Self.most).map { "  \($0)" }
        if wrong.count > Self.most { lines.append("  and \(wrong.count - Self.most) more") }
        lines.append("at the end of the load:")
        lines.append("\(atEndOfLoad)")
        lines.append("what runs now:")
        lines.append(now)
        return lines.joined(separator: "\n")
    }
}
