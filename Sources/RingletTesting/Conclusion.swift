import Ringlet
import Synchronization

/// How a run ends, and who waits for it. Any thread.
final class Conclusion: Sendable {
    private struct State {
        var isOver = false
        var deadlock: DeadlockError?
        var whenOver: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    /// Cancelled by a deadlock, which may come while the thread that has made it is about to say so.
    private let main = WorkerAnswer<Task<Void, Never>>()

    /// The first deadlock of the run; after it, what the main body returned means nothing.
    var deadlock: DeadlockError? { state.withLock { $0.deadlock } }

    /// The main body is on its way. Called once.
    func belongs(to main: Task<Void, Never>) { self.main.give(main) }

    /// Cancels the main body. With the second deadlock the run is over, whatever is left of it, and the answer is false.
    func deadlocked(_ error: DeadlockError) -> Bool {
        let isFirst = state.withLock { state in
            let isFirst = state.deadlock == nil
            if isFirst { state.deadlock = error }
            return isFirst
        }
        if isFirst { main.wait(until: .never)?.cancel() } else { conclude() }
        return isFirst
    }

    func conclude() {
        let action = state.withLock { state in
            state.isOver = true
            defer { state.whenOver = nil }
            return state.whenOver
        }
        action?()
    }

    /// Calls `action` when the run is over, once, on the thread that ends it.
    func whenOver(_ action: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            if !state.isOver { state.whenOver = action }
            return state.isOver
        }
        if isOver { action() }
    }
}
