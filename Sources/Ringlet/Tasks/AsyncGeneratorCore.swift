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
            // Here, and not by who made the task: that would call what the body has cancelled under the lock.
            if self.turn.withLock({ $0.isCancelled }) { CurrentThread.cancelTask() }
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
        if turn.withLock({ $0.discard() }) {
            dropBody()
            return nil
        }
        do {
            if try await exchange(.exit) != nil { throw GeneratorError.ignoredExit }
        } catch is GeneratorTurn.HasEnded {
            // Perhaps by somebody else's step a moment ago: what it failed with stays.
            return nil
        } catch is GeneratorExit {
            turn.withLock { $0.failure = nil }
        }
        return returned
    }

    /// The last reference is gone. Brings the body to its end, and waits for nothing. Any thread.
    func endDropped() {
        if turn.withLock({ $0.discard() }) { dropBody() }
        end(atShutdown: false)
    }

    func endAtShutdown() {
        end(atShutdown: true)
    }

    func cancel() {
        turn.withLock { $0.cancel() }?.cancel()
    }

    private func end(atShutdown: Bool) {
        switch turn.withLock({ $0.end(atShutdown: atShutdown) }) {
        case .exit(let body): exit(body)
        case .cancel(let task): task?.cancel()
        case .nothing: break
        }
    }

    func result() throws -> Return? {
        let (isEnded, failure) = turn.withLock { turn in
            if case .ended = turn.side { (true, turn.failure) } else { (false, nil) }
        }
        if let failure { throw failure }
        return isEnded ? returned : nil
    }
}
