/// A rule of the scheduler that a call broke, where the caller can go on.
public enum SchedulerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `Scheduler.run` was called on a thread that runs a scheduler already.
    case nestedRun
    /// A runner's `run` or `close` was called while a main body of it runs.
    case runInProgress
    /// A runner was used after its close.
    case closed
    /// ``Scheduler/stop()`` was called before the main body had ended.
    case stopped
    /// A bare descriptor belongs to a connection, listener or file of Ringlet, which alone may wait for it.
    case ownedDescriptor(Int32)
    /// The number of workers or the stack size is out of range.
    case invalidOption(String)
    /// An environment variable of Ringlet has a value that means nothing.
    case invalidEnvironment(String)
    /// `RINGLET_FIBER_HOST` forces a rung that does not hold with this Swift runtime.
    case fiberHostUnavailable(String)
    /// The process is the child of a fork(2), and its parent had used the library before: the scheduler
    /// stayed there, and a new one cannot be made here.
    case forkedChild

    public var description: String {
        switch self {
        case .nestedRun:
            "Scheduler.run was called inside a scheduler; spawn a fiber or a task instead"
        case .runInProgress:
            "a SchedulerRunner runs one main body at a time, and is closed after the last; this one runs a body now"
        case .closed:
            "this SchedulerRunner was closed; make another one"
        case .stopped:
            "the scheduler was stopped before the main body had ended"
        case .ownedDescriptor(let descriptor):
            "descriptor \(descriptor) belongs to an object of Ringlet; use the operations of that"
        case .invalidOption(let what):
            "invalid scheduler option: \(what)"
        case .invalidEnvironment(let what):
            "invalid environment: \(what)"
        case .fiberHostUnavailable(let rung):
            "RINGLET_FIBER_HOST=\(rung) does not hold with this Swift runtime"
        case .forkedChild:
            "this is the child of a fork, where no scheduler exists; exec a program, or start it with posix_spawn"
        }
    }
}
