import Synchronization

/// The exchange between the body of an asynchronous generator and those who ask for its elements.
class AsyncGeneratorState<Element: Sendable, Sent: Sendable>: @unchecked Sendable {
    let name: String?
    let turn = Mutex(GeneratorTurn())

    // What one side leaves for the other: written by the side whose turn it is before it resumes the
    // other, and read by that.
    private final var element: Element?
    private final var sent: Sent?
    /// What the pending yield throws.
    private final var incoming: (any Error)?
    /// What the step throws.
    private final var outgoing: (any Error)?

    init(name: String?) {
        self.name = name
    }

    final var label: String { name.map { "generator '\($0)'" } ?? "a generator" }

    enum State { case pending, suspended, running, ended }

    final var state: State {
        turn.withLock {
            switch $0.side {
            case .pending: .pending
            case .suspended: .suspended
            case .running, .offered, .ending: .running
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
        var refusal: (any Error)?
        await Resumption.wait { body in
            switch turn.withLock({ $0.offer(body) }) {
            case .accepted(let consumer):
                self.element = element
                consumer.resume()
            case .refused(let error):
                refusal = error
                body.resume()
            case .lost:
                StandardError.say("ringlet: \(label) is lost. \(GeneratorError.ignoredExit)")
                leaveScheduler()
            }
        }
        if let refusal { throw refusal }
        if let error = incoming {
            incoming = nil
            throw error
        }
        guard let value = sent else { fatalError("a yield is resumed with a value or an error") }
        sent = nil
        return value
    }

    /// The body has ended.
    final func finish(_ failure: (any Error)?) {
        let (consumer, yield) = turn.withLock { $0.finish(failure) }
        leaveScheduler()
        if let consumer {
            outgoing = failure
            consumer.resume()
        } else if let failure, !(failure is GeneratorExit) {
            UnseenErrors.report(UnseenError(error: failure, origin: .generator, source: label))
        }
        if let yield {
            // Nobody has a turn any more who would leave something else there.
            incoming = GeneratorError.notRunning
            yield.resume()
        }
    }

    // MARK: The side of those who ask

    /// Gives the body what is delivered and waits for its next element. Cancels it when the caller is, unless it
    /// refuses.
    final func step(_ delivery: GeneratorTurn.Delivery, _ value: Sent? = nil) async throws
        -> Element?
    {
        let step = turn.withLock { $0.nextStep() }
        return try await withTaskCancellationHandler {
            try await exchange(delivery, value, as: step)
        } onCancel: {
            turn.withLock { $0.cancel(step) }?.cancel()
        }
    }

    final func exchange(_ delivery: GeneratorTurn.Delivery, _ value: Sent? = nil, as step: Int? = nil) async throws
        -> Element?
    {
        var refusal: (any Error)?
        var isOver = false
        await Resumption.wait { consumer in
            switch turn.withLock({ $0.take(delivery, for: consumer, as: step, makeTask: makeTask) }) {
            case .begun: break
            case .resume(let body, let task):
                task?.cancel()
                switch delivery {
                case .error(let error): incoming = error
                case .exit: incoming = GeneratorExit()
                case .start, .value, .nothing: sent = value
                }
                body.resume()
            case .over:
                isOver = true
                consumer.resume()
            case .refused(let error):
                refusal = error
                consumer.resume()
            case .discarded(let error):
                dropBody()
                refusal = error
                consumer.resume()
            }
        }
        // What was left here is for the step that was accepted alone.
        if let refusal { throw refusal }
        if isOver { return nil }
        let (offered, error) = (element, outgoing)
        (element, outgoing) = (nil, nil)
        if let body = turn.withLock({ $0.finishStep() }) { exit(body) }
        if let error { throw error }
        return offered
    }

    /// Resumes a suspended body that nobody waits for, so that it ends.
    final func exit(_ body: Resumption) {
        incoming = GeneratorExit()
        body.resume()
    }
}
