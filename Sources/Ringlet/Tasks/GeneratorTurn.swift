import Synchronization

/// Whose turn it is between the body of an asynchronous generator and those who ask for its elements.
///
/// Exactly one side runs. Under the lock it puts its own continuation in the place of the other's, which
/// it resumes outside, as it does everything that may call code of the user. Elements and values are not
/// here: this is the same for all generators, since generic code looks up its types at every use.
struct GeneratorTurn {
    enum Side {
        case pending
        /// The body waits in a yield.
        case suspended(Resumption)
        /// The body runs, and somebody waits for it.
        case running(Resumption)
        /// The body waits in a yield, and whoever waited for it has not taken the element yet.
        case offered(Resumption)
        /// The body is to end, and nobody waits.
        case ending
        case ended
    }

    private(set) var side = Side.pending
    /// Every yield throws the exit at once.
    private(set) var isClosing = false
    private var refusals = 0
    /// The body's task is to begin cancelled.
    private(set) var isCancelled = false
    /// The numbers of the step that was made last, and of the one that was accepted last, if its caller's cancellation
    /// is the body's.
    private var lastStep = 0
    private var acceptedStep: Int?
    /// The body's; from the first step to the end.
    private var task: Task<Void, Never>?
    /// What the body threw.
    var failure: (any Error)?

    // MARK: The body's side

    enum Offer {
        case accepted(by: Resumption)
        case refused(any Error)
        /// Suspended for ever.
        case lost
    }

    /// Suspends the body in a yield.
    mutating func offer(_ body: Resumption) -> Offer {
        switch side {
        case .pending, .suspended, .offered, .ended: return .refused(GeneratorError.notRunning)
        case .running, .ending: break
        }
        if isClosing {
            refusals += 1
            if refusals <= 1000 { return .refused(GeneratorExit()) }
        }
        let before = side
        side = .offered(body)
        if case .running(let consumer) = before { return .accepted(by: consumer) }
        return .lost
    }

    /// The body has ended. Returns who waits for it, or a yield in which a task waits that the body has left behind.
    mutating func finish(_ failure: (any Error)?) -> (consumer: Resumption?, yield: Resumption?) {
        task = nil
        self.failure = failure
        let before = side
        side = .ended
        return switch before {
        case .running(let consumer): (consumer, nil)
        case .suspended(let yield), .offered(let yield): (nil, yield)
        case .pending, .ending, .ended: (nil, nil)
        }
    }

    // MARK: The side of those who ask

    /// What a step brings to the body.
    enum Delivery {
        case start
        case value
        /// A value that need not be sent: it may also be the start.
        case nothing
        case error(any Error)
        /// ``GeneratorExit``, for one that has not ended.
        case exit
    }

    /// Answers an exit for one that somebody else's step has ended.
    struct HasEnded: Error {}

    enum Move {
        /// The body's task has been made.
        case begun
        /// The caller has been cancelled: cancel the task first.
        case resume(Resumption, cancelling: Task<Void, Never>?)
        /// The generator has ended.
        case over
        case refused(any Error)
        /// The body will never run.
        case discarded(any Error)
    }

    /// Numbers a step that passes its caller's cancellation on.
    mutating func nextStep() -> Int {
        lastStep += 1
        return lastStep
    }

    /// Makes it the body's turn. In the task of the caller.
    mutating func take(
        _ delivery: Delivery, for consumer: Resumption, as step: Int? = nil, makeTask: () -> Task<Void, Never>
    ) -> Move {
        switch (side, delivery) {
        case (.running, _), (.offered, _), (.ending, _):
            return .refused(GeneratorError.alreadyRunning)
        case (.ended, .error(let error)): return .refused(error)
        case (.ended, .exit): return .refused(HasEnded())
        case (.ended, _): return .over
        // One that has not begun is discarded instead (see `close`).
        case (.pending, .value), (.pending, .exit): return .refused(GeneratorError.notStarted)
        case (.suspended, .start): return .refused(GeneratorError.alreadyStarted)
        case (.pending, .error(let error)):
            side = .ended
            failure = error
            return .discarded(error)
        case (.pending, .start), (.pending, .nothing):
            if accept(step, of: consumer) { isCancelled = true }
            task = makeTask()
            return .begun
        case (.suspended(let body), _):
            return .resume(body, cancelling: accept(step, of: consumer) ? task : nil)
        }
    }

    /// From here on a cancellation finds the step; true when it came before.
    private mutating func accept(_ step: Int?, of consumer: Resumption) -> Bool {
        side = .running(consumer)
        acceptedStep = step
        return step != nil && Task.isCancelled
    }

    /// The element has been taken. Returns a body that is to be given the exit, because a shutdown came
    /// in between.
    mutating func finishStep() -> Resumption? {
        guard case .offered(let body) = side else { return nil }
        side = isClosing ? .ending : .suspended(body)
        return isClosing ? body : nil
    }

    /// Whose step this is has been cancelled. Returns the task to cancel: none for a step that was refused, or is not
    /// accepted yet.
    mutating func cancel(_ step: Int) -> Task<Void, Never>? { step == acceptedStep ? cancel() : nil }

    /// Returns the task to cancel.
    mutating func cancel() -> Task<Void, Never>? {
        isCancelled = true
        return task
    }

    // MARK: The end

    /// Ends a body that has not begun.
    mutating func discard() -> Bool {
        guard case .pending = side else { return false }
        side = .ended
        return true
    }

    enum End {
        /// Throw the exit there.
        case exit(Resumption)
        case cancel(Task<Void, Never>?)
        case nothing
    }

    /// Brings a body that has begun to its end. One in the middle of a step is only touched by a shutdown.
    mutating func end(atShutdown: Bool) -> End {
        switch side {
        case .suspended(let body):
            isClosing = true
            side = .ending
            return .exit(body)
        case .running where atShutdown, .offered where atShutdown:
            isClosing = true
            return .cancel(task)
        case .pending, .running, .offered, .ending, .ended: return .nothing
        }
    }
}

/// A continuation that is resumed exactly once, by whoever takes it out of a generator's turn.
@safe
struct Resumption: Sendable {
    private let continuation: UnsafeContinuation<Void, Never>

    func resume() {
        unsafe continuation.resume()
    }

    /// Suspends the task until what is given to `body` is resumed.
    static func wait(_ body: (Resumption) -> Void) async {
        await unsafe withUnsafeContinuation { unsafe body(Resumption(continuation: $0)) }
    }
}
