import Synchronization

/// An asynchronous generator whose body has begun and has not ended.
protocol LiveGenerator: AnyObject, Sendable {
    /// Brings the body to its end, and waits for nothing.
    func endAtShutdown()
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

    /// Ends all of them, then calls `action`, once, on the thread that the last one ends on.
    func endAll(then action: @escaping @Sendable () -> Void) {
        let generators = state.withLock { state in
            state.isClosing = true
            state.whenEmpty = action
            return Array(state.live.values)
        }
        for generator in generators { generator.endAtShutdown() }
        state.withLock { $0.takeAction() }?()
    }
}

extension LiveGenerators.State {
    fileprivate mutating func takeAction() -> (@Sendable () -> Void)? {
        guard live.isEmpty else { return nil }
        defer { whenEmpty = nil }
        return whenEmpty
    }
}
