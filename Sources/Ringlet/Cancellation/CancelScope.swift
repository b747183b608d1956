import Synchronization

/// A part of a fiber or task that can be cancelled apart from the rest: by ``cancel()``, or when a deadline passes.
///
///     let answer = try withDeadline(.after(.seconds(2))) { scope in
///         try ask(connection)             // every wait in it ends when the two seconds are over
///     }                                   // and TimeoutError is thrown here, at the boundary
///
/// Cancellation is level-triggered: once a scope is cancelled, every wait in it throws `CancellationError`, until the
/// body has been left. A body that returns a value nevertheless has its value returned. Scopes nest, and a shielded
/// part, `withoutCancellation(_:)`, keeps out what is cancelled outside it. trio's cancel scopes are the model.
///
/// A scope is entered once, by `run`. It may be handed to whoever is to cancel it, on any thread, also before it is
/// entered.
///
/// In a fiber a scope costs an object and, if it has a deadline, a timer. In a task, where Swift cannot take a
/// cancellation back, the body runs in a child task.
public final class CancelScope: Sendable {
    private enum Phase {
        case new
        case active(Target)
        case ended
    }

    /// Who is in the scope.
    enum Target {
        case fiber(AnyFiber)
        case task(TaskHandle)
    }

    private struct State {
        var phase = Phase.new
        var deadline: Deadline
        /// Keeps the time of a scope that somebody is in.
        var worker: Worker?
        /// Made with the first deadline.
        var alarm: Alarm?
        /// How often the alarm was set.
        var settings: UInt64 = 0
    }

    /// What the alarm is to be told.
    private struct Setting {
        let alarm: Alarm
        let deadline: Deadline
        let order: UInt64
    }

    private enum Cause: UInt8, AtomicRepresentable {
        case none, request, deadline
    }

    private let state: Mutex<State>

    /// Written once, by whoever cancels first; read by anyone.
    private let cause = Atomic<Cause>(.none)

    /// A scope that nobody has entered yet.
    ///
    /// - Parameter deadline: When it passes, the scope is cancelled. One that has passed cancels it on entry.
    public init(deadline: Deadline = .never) {
        state = Mutex(State(deadline: deadline))
    }

    // MARK: Cancelling

    /// Cancels what runs in the scope; before the entry, what will. Returns at once; again, or after the end, it does
    /// nothing. Any thread.
    public func cancel() { cancel(because: .request) }

    /// True once the scope was cancelled, for whatever reason. Any thread.
    public var isCancelled: Bool { cause.load(ordering: .acquiring) != .none }

    /// True when it was the deadline that cancelled the scope. Any thread.
    public var hasExpired: Bool { cause.load(ordering: .acquiring) == .deadline }

    private func cancel(because reason: Cause) {
        // First this, then the look at who is in it; an entry does it the other way round.
        guard cause.compareExchange(
            expected: .none, desired: reason, ordering: .sequentiallyConsistent
        ).exchanged else { return }
        let phase = state.withLock { $0.phase }
        guard case .active(let target) = phase else { return }
        switch target {
        case .task(let task): task.cancel()
        case .fiber(let fiber): fiber.scopeWasCancelled()
        }
    }

    // MARK: The deadline

    /// When the scope is cancelled by itself. Any thread.
    public var deadline: Deadline { state.withLock { $0.deadline } }

    /// Moves the deadline of a scope that somebody is in. One that has passed cancels it.
    ///
    /// - Throws: ``CancelScopeError`` when nobody is in the scope, or it was cancelled already.
    public func reschedule(to deadline: Deadline) throws {
        let setting = try state.withLock { state throws(CancelScopeError) in
            switch state.phase {
            case .new: throw .notEntered
            case .ended: throw .hasEnded
            case .active: if isCancelled { throw .wasCancelled }
            }
            state.deadline = deadline
            return nextSetting(in: &state)
        }
        apply(setting)
        if deadline.hasPassed { cancel(because: .deadline) }
    }

    /// True when the deadline has passed, although its alarm may not have rung yet.
    var isOverdue: Bool { deadline.hasPassed }

    /// True when somebody is in the scope, its deadline has passed, and it was not cancelled yet.
    var isAboutToExpire: Bool {
        state.withLock { state in
            guard case .active = state.phase else { return false }
            return state.deadline.hasPassed && !isCancelled
        }
    }

    // MARK: Entering and leaving

    /// Makes the scope active, once.
    func enter(_ target: Target, timerOf worker: Worker) throws {
        let (deadline, setting) = try state.withLock { state throws(CancelScopeError) in
            guard case .new = state.phase else { throw .enteredTwice }
            state.phase = .active(target)
            state.worker = worker
            return (state.deadline, state.deadline.hasPassed ? nil : nextSetting(in: &state))
        }
        apply(setting)
        if deadline.hasPassed { cancel(because: .deadline) }
    }

    private func nextSetting(in state: inout State) -> Setting? {
        if state.alarm == nil {
            guard state.deadline != .never, let worker = state.worker else { return nil }
            state.alarm = Alarm(on: worker) { [weak self] in self?.cancel(because: .deadline) }
        }
        state.settings += 1
        return state.alarm.map { Setting(alarm: $0, deadline: state.deadline, order: state.settings) }
    }

    /// Not under the lock: where the worker has ended, this may be the thread on which the alarm rings.
    private func apply(_ setting: Setting?) {
        if let setting { setting.alarm.set(at: setting.deadline, order: setting.order) }
    }

    func leave() {
        let alarm = state.withLock { state in
            state.phase = .ended
            state.worker = nil
            defer { state.alarm = nil }
            return state.alarm
        }
        alarm?.cancel()
    }

    /// Whether this scope's own cancellation explains `error`, so that it ends here.
    ///
    /// - Parameter isCutOutside: Something further out was cancelled as well: then that is the reason, also when two
    ///   deadlines are equal, and the outer one is told.
    func absorbs(_ error: any Error, isCutOutside: Bool) -> Bool {
        guard error is CancellationError, !isCutOutside else { return false }
        // What brought the error may have been a deadline that is equal to this one, whose alarm rang first.
        if isOverdue { cancel(because: .deadline) }
        return isCancelled
    }
}

/// A call that does not fit the state of a ``CancelScope``.
public enum CancelScopeError: Error, Hashable, CustomStringConvertible {
    /// `run` was called a second time.
    case enteredTwice
    /// Nobody has entered the scope yet.
    case notEntered
    /// The body has been left.
    case hasEnded
    /// The scope was cancelled already.
    case wasCancelled

    public var description: String {
        switch self {
        case .enteredTwice: "a cancel scope is entered once; make another"
        case .notEntered: "the cancel scope has not been entered"
        case .hasEnded: "the cancel scope has ended"
        case .wasCancelled: "the cancel scope was cancelled"
        }
    }
}
