/// What a scheduler looks at more closely, at a price: ``SchedulerOptions/debug``.
///
/// Each step of a worker, from one wait of a fiber or task to the next, is timed, and reported when it took long: nothing
/// else went on meanwhile. Unlike a ``Watchdog``, the worker itself says so, afterwards and exactly. It costs two reads of
/// the clock for each step.
public struct DebugMode: Sendable, Hashable {
    /// Steps that take longer are reported; 100 milliseconds by default, as in asyncio.
    public var slowStep: Duration

    private let handler: ReportHandler<SlowStepReport>?

    /// - Parameters:
    ///   - slowStep: Steps that take longer are reported.
    ///   - handler: Called on the worker's thread, outside any fiber, right after the step; must not block. Nil: the
    ///     report is printed on stderr.
    public init(
        slowStep: Duration = .milliseconds(100),
        handler: (@Sendable (SlowStepReport) -> Void)? = nil
    ) {
        self.slowStep = slowStep
        self.handler = handler.map(ReportHandler.init)
    }

    func report(_ report: SlowStepReport) {
        if let handler { handler.call(report) } else { StandardError.say("ringlet: \(report)") }
    }
}

/// Who is told, compared by identity.
final class ReportHandler<Report>: Sendable, Hashable {
    let call: @Sendable (Report) -> Void

    init(_ call: @escaping @Sendable (Report) -> Void) { self.call = call }

    static func == (left: ReportHandler, right: ReportHandler) -> Bool { left === right }
    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// A step that took long.
public struct SlowStepReport: Sendable, Hashable, CustomStringConvertible {
    /// The worker's position among the scheduler's.
    public var worker: Int
    /// How long it took.
    public var duration: Duration
    /// The fiber that ran; nil for a task, an actor, a callback or the main queue.
    public var fiber: FiberIdentity?
    /// Where the ``Callback`` was asked for that ran; nil when it was something else.
    public var callback: CallSite?

    public var description: String {
        let who = fiber.map { "\($0)" } ?? callback.map { "a callback asked for at \($0)" } ?? "a task or watcher"
        return "\(who) ran for \(duration.inMilliseconds) ms without waiting, on worker \(worker)"
    }
}

/// Which fiber a report is about.
public struct FiberIdentity: Sendable, Hashable, CustomStringConvertible {
    /// Its ``AnyFiber/id``.
    public var id: UInt64
    /// Its ``AnyFiber/name``.
    public var name: String?
    /// Its ``AnyFiber/parentID``.
    public var parentID: UInt64?
    /// Its ``AnyFiber/spawnSite``.
    public var spawnSite: CallSite?

    public var description: String {
        AnyFiber.label(id, name) + (spawnSite.map { ", spawned at \($0)" } ?? "")
    }
}

extension Worker {
    /// As the loop's own, with a look at the clock before and after each step.
    @inline(never)
    func runReady(timedBy debug: DebugMode, limit: Int, nanoseconds: UInt64) {
        let began = LinuxThread.now()
        var before = began
        for _ in 0..<limit {
            guard let runnable = ready.pop() else { return }
            let known = owner(of: runnable)
            let callback = runnable.kind == .callback ? Callback.named(by: runnable).site : .none
            run(runnable)
            let fiber = known ?? steppingFiber
            steppingFiber = nil
            let now = LinuxThread.now()
            if Duration.nanoseconds(now &- before) > debug.slowStep {
                let identity = fiber.map {
                    FiberIdentity(id: $0.id, name: $0.name, parentID: $0.parentID, spawnSite: $0.spawnSite)
                }
                debug.report(
                    SlowStepReport(
                        worker: index, duration: .nanoseconds(now &- before), fiber: identity,
                        callback: CallSite(callback)))
                before = LinuxThread.now()
            } else {
                before = now
            }
            if now &- began > nanoseconds { return }
        }
    }

    /// Kept over the step, in which the fiber may end.
    private func owner(of runnable: Runnable) -> AnyFiber? {
        switch runnable.kind {
        case .fiber: FiberRef(address: runnable.address).withOwner { $0.shown }
        case .newFiber: FiberHost.fiber(toBegin: runnable).shown
        default: nil
        }
    }
}
