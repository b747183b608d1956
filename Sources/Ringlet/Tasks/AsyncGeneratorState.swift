import Synchronization

/// What the body of an asynchronous generator and those who ask for its elements share: whose turn it is.
///
/// Exactly one side runs. Under the lock it puts its own continuation in the place of the other's, which
/// it resumes outside, as it does everything that may call code of the user.
class AsyncGeneratorState<Element: Sendable, Sent: Sendable>: @unchecked Sendable {
    /// What comes back from a step: an element, or nil at the end.
    typealias Outcome = Result<Element?, any Error>
    /// What a yield returns or throws.
    typealias Answer = Result<Sent, any Error>

    /// What a step brings to the body.
    enum Delivery {
        case start
        case value(Sent)
        /// A value that need not be sent: it may also be the start.
        case nothing(Sent)
        case error(any Error)
    }

    enum Turn {
        case pending
        /// The body waits in a yield.
        case suspended(Resumption<Answer>)
        /// The body runs, and somebody waits for it.
        case running(Resumption<Outcome>)
        /// The body is to end, and nobody waits.
        case ending
        case ended
    }

    struct Shared {
        var turn = Turn.pending
        /// Every yield throws the exit at once.
        var isClosing = false
        var refusals = 0
        /// The body's; from the first step to the end.
        var task: Task<Void, Never>?
        var isCancelled = false
        /// What the body threw.
        var failure: (any Error)?
    }

    let name: String?
    let shared = Mutex(Shared())

    init(name: String?) {
        self.name = name
    }

    final var label: String { name.map { "generator '\($0)'" } ?? "a generator" }

    enum State { case pending, suspended, running, ended }

    final var state: State {
        shared.withLock {
            switch $0.turn {
            case .pending: .pending
            case .suspended: .suspended
            case .running, .ending: .running
            case .ended: .ended
            }
        }
    }

    // MARK: The subclass's part

    /// Makes the body's task. Under the lock.
    func makeTask() -> Task<Void, Never> { fatalError("a generator has a body") }

    /// Lets go of a body that will not run.
    func dropBody() { fatalError("a generator has a body") }

    /// The scheduler need not wait for this one any more.
    func leaveScheduler() { fatalError("a generator may have a scheduler") }

    // MARK: The body's side

    final func yield(_ element: Element) async throws -> Sent {
        try await suspended { body in
            switch shared.withLock({ offer(body, &$0) }) {
            case .element(let consumer): consumer.resume(.success(element))
            case .answer(let error): body.resume(.failure(error))
            case .lost:
                StandardError.say("ringlet: \(label) is lost. \(GeneratorError.ignoredExit)")
                leaveScheduler()
            }
        }.get()
    }

    private enum Offer {
        case element(Resumption<Outcome>)
        case answer(any Error)
        /// Suspended for ever.
        case lost
    }

    /// Suspends the body in a yield.
    private final func offer(_ body: Resumption<Answer>, _ shared: inout Shared) -> Offer {
        switch shared.turn {
        case .pending, .suspended, .ended: return .answer(GeneratorError.notRunning)
        case .running, .ending: break
        }
        if shared.isClosing {
            shared.refusals += 1
            if shared.refusals <= 1000 { return .answer(GeneratorExit()) }
        }
        let turn = shared.turn
        shared.turn = .suspended(body)
        if case .running(let consumer) = turn { return .element(consumer) }
        return .lost
    }

    /// The body has ended.
    final func finish(_ failure: (any Error)?) {
        let turn = shared.withLock { shared in
            shared.task = nil
            shared.failure = failure
            defer { shared.turn = .ended }
            return shared.turn
        }
        leaveScheduler()
        if case .running(let consumer) = turn {
            consumer.resume(failure.map { .failure($0) } ?? .success(nil))
        } else if let failure, !(failure is GeneratorExit) {
            StandardError.say("ringlet: \(label) ended with an error that nobody saw: \(failure)")
        }
    }

    // MARK: The side of those who ask

    /// Gives the body `delivery` and waits for its next element. Cancels it when the caller is.
    final func step(_ delivery: Delivery) async throws -> Element? {
        try await withTaskCancellationHandler {
            try await exchange(delivery)
        } onCancel: {
            let task = shared.withLock {
                $0.isCancelled = true
                return $0.task
            }
            task?.cancel()
        }
    }

    final func exchange(_ delivery: Delivery) async throws -> Element? {
        try await suspended { consumer in
            switch shared.withLock({ take(delivery, for: consumer, &$0) }) {
            case .begun: break
            case .resume(let body, let answer): body.resume(answer)
            case .answer(let outcome): consumer.resume(outcome)
            case .discarded(let error):
                dropBody()
                consumer.resume(.failure(error))
            }
        }.get()
    }

    private enum Move {
        case begun
        case resume(Resumption<Answer>, Answer)
        case answer(Outcome)
        case discarded(any Error)
    }

    /// Makes it the body's turn.
    private final func take(
        _ delivery: Delivery, for consumer: Resumption<Outcome>, _ shared: inout Shared
    ) -> Move {
        switch (shared.turn, delivery) {
        case (.running, _), (.ending, _): return .answer(.failure(GeneratorError.alreadyRunning))
        case (.ended, .error(let error)): return .answer(.failure(error))
        case (.ended, _): return .answer(.success(nil))
        case (.pending, .value): return .answer(.failure(GeneratorError.notStarted))
        case (.suspended, .start): return .answer(.failure(GeneratorError.alreadyStarted))
        case (.pending, .error(let error)):
            shared.turn = .ended
            shared.failure = error
            return .discarded(error)
        case (.pending, .start), (.pending, .nothing):
            shared.turn = .running(consumer)
            let task = makeTask()
            if shared.isCancelled { task.cancel() }
            shared.task = task
            return .begun
        case (.suspended(let body), .value(let sent)), (.suspended(let body), .nothing(let sent)):
            shared.turn = .running(consumer)
            return .resume(body, .success(sent))
        case (.suspended(let body), .error(let error)):
            shared.turn = .running(consumer)
            return .resume(body, .failure(error))
        }
    }
}

/// A continuation that is resumed exactly once, by whoever takes it out of a generator's state.
@safe
struct Resumption<Value: Sendable>: Sendable {
    private let continuation: UnsafeContinuation<Value, Never>

    fileprivate init(_ continuation: UnsafeContinuation<Value, Never>) {
        unsafe self.continuation = continuation
    }

    func resume(_ value: Value) {
        unsafe continuation.resume(returning: value)
    }
}

/// Suspends the task until what is given to `body` is resumed.
private func suspended<Value: Sendable>(_ body: (Resumption<Value>) -> Void) async -> Value {
    await unsafe withUnsafeContinuation { unsafe body(Resumption($0)) }
}
