import Synchronization

/// An asynchronous generator whose body has begun and has not ended.
protocol LiveGenerator: AnyObject, Sendable {
    /// Brings the body to its end, and waits for nothing.
    func endAtShutdown()

    /// Cancels what the body waits for.
    func cancel()
}

/// The asynchronous generators that a scheduler has to bring to their end before it ends itself. Any thread.
///
/// They come first: while they end, fibers run, and operations begin as at any other time.
final class LiveGenerators: Sendable {
    fileprivate struct State {
        var live: [ObjectIdentifier: any LiveGenerator] = [:]
        /// What to do when the last one has ended; set by the shutdown.
        var whenEmpty: (@Sendable () -> Void)?
        var isClosing = false
    }

    private let state = Mutex(State())

    /// False when the scheduler shuts down: what begins now, in the clean-up of another one for example,
    /// is not waited for.
    func add(_ generator: any LiveGenerator) -> Bool {
        state.withLock { state in
            if state.isClosing { return false }
            state.live[ObjectIdentifier(generator)] = generator
            return true
        }
    }

    func remove(_ generator: any LiveGenerator) {
        let action = state.withLock { state in
            _ = state.live.removeValue(forKey: ObjectIdentifier(generator))
            return state.takeAction()
        }
        action?()
    }

    /// How many have not ended.
    var count: Int { state.withLock { $0.live.count } }

    /// Ends all of them, then calls `action`, once, on the thread that the last one ends on. Returns whether some
    /// have not ended yet.
    func endAll(then action: @escaping @Sendable () -> Void) -> Bool {
        let generators = state.withLock { state in
            state.isClosing = true
            state.whenEmpty = action
            return Array(state.live.values)
        }
        for generator in generators { generator.endAtShutdown() }
        let (action, isWaiting) = state.withLock { ($0.takeAction(), $0.whenEmpty != nil) }
        action?()
        return isWaiting
    }

    /// At `limit`, cancels those that have not ended and goes on without them.
    func giveUp(at limit: Deadline, on worker: Worker) {
        if limit.hasPassed { return giveUp() }
        // Once all have ended, the shutdown ends this sleep like any other.
        Task(executorPreference: worker) {
            do { try await Scheduler.sleep(until: limit) } catch { return }
            self.giveUp()
        }
    }

    private func giveUp() {
        let (late, action) = state.withLock { state in
            defer { state.whenEmpty = nil }
            return (Array(state.live.values), state.whenEmpty)
        }
        guard let action else { return }
        for generator in late { generator.cancel() }
        action()
    }
}

extension LiveGenerators.State {
    fileprivate mutating func takeAction() -> (@Sendable () -> Void)? {
        guard live.isEmpty else { return nil }
        defer { whenEmpty = nil }
        return whenEmpty
    }
}
