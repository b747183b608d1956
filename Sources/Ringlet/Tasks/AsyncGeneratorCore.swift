import Synchronization

/// An asynchronous generator without its handle: its body, and its end.
///
/// The handle is a separate object, so that the last reference to it can go while the body is suspended.
final class AsyncGeneratorCore<Element: Sendable, Sent: Sendable, Return: Sendable>:
    AsyncGeneratorState<Element, Sent>, LiveGenerator, @unchecked Sendable
{
    /// Taken by whoever ends the state `pending`.
    private var body: ((AsyncYielder<Element, Sent>) async throws -> Return)?
    /// Written by the body's task before its end is announced.
    private var returned: Return?
    /// The scheduler that waits for this one. Written at the first step.
    private var home: SchedulerState?

    init(
        name: String?,
        body: sending @escaping (AsyncYielder<Element, Sent>) async throws -> Return
    ) {
        self.body = body
        super.init(name: name)
    }

    override func makeTask() -> Task<Void, Never> {
        let worker = CurrentThread.worker
        if let state = worker?.shared, state.generators.add(self) { home = state }
        return Task(name: name, executorPreference: worker) {
            let body = self.body!
            self.body = nil
            do {
                self.returned = try await body(AsyncYielder(core: self))
                self.finish(nil)
            } catch {
                self.finish(error)
            }
        }
    }

    override func dropBody() {
        body = nil
    }

    override func leaveScheduler() {
        home?.generators.remove(self)
    }

    // MARK: The end

    func close() async throws -> Return? {
        if discard() { return nil }
        do {
            if try await exchange(.error(GeneratorExit())) != nil {
                throw GeneratorError.ignoredExit
            }
        } catch is GeneratorExit {
            shared.withLock { $0.failure = nil }
        }
        return returned
    }

    /// Ends a body that has not begun. True if there is nothing more to do.
    private func discard() -> Bool {
        let (wasPending, isOver) = shared.withLock { shared in
            switch shared.turn {
            case .pending:
                shared.turn = .ended
                return (true, true)
            case .ended: return (false, true)
            case .suspended, .running, .ending: return (false, false)
            }
        }
        if wasPending { dropBody() }
        return isOver
    }

    enum EndReason { case dropped, shutdown }

    private enum Act {
        case exit(Resumption<Answer>)
        case cancel(Task<Void, Never>?)
        case drop, nothing
    }

    /// Brings the body to its end, and waits for nothing. Any thread.
    func end(because reason: EndReason) {
        let act: Act = shared.withLock { shared in
            switch shared.turn {
            case .suspended(let body):
                shared.isClosing = true
                shared.turn = .ending
                return .exit(body)
            case .running where reason == .shutdown:
                shared.isClosing = true
                return .cancel(shared.task)
            case .pending where reason == .dropped:
                shared.turn = .ended
                return .drop
            case .pending, .running, .ending, .ended: return .nothing
            }
        }
        switch act {
        case .exit(let body): body.resume(.failure(GeneratorExit()))
        case .cancel(let task): task?.cancel()
        case .drop: dropBody()
        case .nothing: break
        }
    }

    func endAtShutdown() { end(because: .shutdown) }

    func result() throws -> Return? {
        let (isEnded, failure) = shared.withLock { shared in
            if case .ended = shared.turn { (true, shared.failure) } else { (false, nil) }
        }
        if let failure { throw failure }
        return isEnded ? returned : nil
    }
}
