/// Reports workers that do not come round, from a thread outside of them.
///
///     var options = SchedulerOptions()
///     options.watchdog = Watchdog(threshold: .milliseconds(200))
///
/// A worker is blocked when it runs one thing for longer than the threshold, a fiber that computes or a call that blocks
/// its thread: nothing else goes on there meanwhile. A worker that sleeps because it has nothing to do is not.
///
/// The thread looks twice per threshold, so a report comes between one and one and a half thresholds after the beginning. A
/// blockage that lasts ten times as long as was reported is reported again. Looking costs the worker nothing. For the report, a worker that computes is interrupted by
/// SIGURG, on its alternate signal stack; one that blocks in a system call is not disturbed. A
/// handler for SIGURG that was installed before goes on working.
public struct Watchdog: Sendable, Hashable {
    /// How long a worker may run one thing. At least a millisecond.
    public var threshold: Duration

    private let handler: ReportHandler<BlockedWorkerReport>?

    /// - Parameters:
    ///   - threshold: How long a worker may run one thing.
    ///   - handler: Called for each blockage, on the watchdog's thread, which looks at nothing meanwhile. Nil: the
    ///     report is printed on stderr.
    public init(
        threshold: Duration = .milliseconds(100),
        handler: (@Sendable (BlockedWorkerReport) -> Void)? = nil
    ) {
        self.threshold = threshold
        self.handler = handler.map(ReportHandler.init)
    }

    func report(_ report: BlockedWorkerReport) {
        if let handler { handler.call(report) } else { StandardError.say("ringlet: \(report)") }
    }
}

/// A worker that runs one thing all the time.
public struct BlockedWorkerReport: Sendable, Hashable {
    /// Its position among the scheduler's workers.
    public var worker: Int

    /// For how long at least, so far.
    public var duration: Duration

    /// The fiber that runs, with the first 127 bytes of its name; nil when it is a task, an actor or the main queue.
    public var fiber: FiberIdentity?

    /// Where the thread stands, innermost call first. Calls of C functions without frame pointers are found as far as
    /// the instructions before their return addresses tell. Of a fiber in which a generator or coroutine runs, only the
    /// stack of that one. Empty when the thread could not be looked at.
    public var backtrace: [CoroutineFrame]
}

extension BlockedWorkerReport: CustomStringConvertible {
    public var description: String {
        let calls = backtrace.map { "\n    \($0)" }.joined()
        let who = fiber.map { "\($0)" } ?? "a task or callback"
        return "worker \(worker) is blocked for \(duration.inMilliseconds) ms by \(who)\(calls)"
    }
}
