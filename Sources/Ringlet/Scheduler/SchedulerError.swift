/// A rule of the scheduler that a call broke, where the caller can go on.
public enum SchedulerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `Scheduler.run` was called on a thread that runs a scheduler already.
    case nestedRun
    /// The number of workers or the stack size is out of range.
    case invalidOption(String)
    /// An environment variable of Ringlet has a value that means nothing.
    case invalidEnvironment(String)
    /// `RINGLET_FIBER_HOST` forces a rung that does not hold with this Swift runtime.
    case fiberHostUnavailable(String)

    public var description: String {
        switch self {
        case .nestedRun:
            "Scheduler.run was called inside a scheduler; spawn a fiber or a task instead"
        case .invalidOption(let what):
            "invalid scheduler option: \(what)"
        case .invalidEnvironment(let what):
            "invalid environment: \(what)"
        case .fiberHostUnavailable(let rung):
            "RINGLET_FIBER_HOST=\(rung) does not hold with this Swift runtime"
        }
    }
}
