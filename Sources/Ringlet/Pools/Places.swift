import Synchronization

/// A number of places, taken first come first served by fibers, tasks and plain threads.
///
/// Whoever leaves hands the place to the one who has waited longest, and nobody gets ahead of those who wait.
final class Places: WaitSource {
    private struct State: ~Copyable {
        var free: Int
        var waiters = WaitList()
    }

    private let state: Mutex<State>

    /// What a place is, for snapshots.
    private let what: StaticString

    init(_ count: Int, _ what: StaticString) {
        self.what = what
        state = Mutex(State(free: count))
    }

    var free: Int { state.withLock { $0.free } }

    /// Without waiting; false also while others wait.
    func tryTake() -> Bool {
        state.withLock { state in
            guard state.free > 0 else { return false }
            state.free -= 1
            return true
        }
    }

    /// From a fiber or a plain thread.
    func take(_ call: StaticString, deadline: Deadline) throws {
        try check(wait(call, deadline: deadline) { enqueue($0) }, deadline)
    }

    /// From a task.
    func take(deadline: Deadline) async throws {
        try check(await wait(deadline: deadline) { enqueue($0) }, deadline)
    }

    /// Leaves. Any thread.
    func give() {
        let next: Wakeup? = state.withLock { state in
            if let next = state.waiters.popFirst() { return next }
            state.free += 1
            return nil
        }
        next?.wake()
    }

    func withdraw(_ node: WaitNode) -> Bool {
        state.withLock { $0.waiters.remove(node) }
    }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription(WaitDescription.name("\(what)", self))
    }

    /// False when there was a place.
    private func enqueue(_ node: WaitNode) -> Bool {
        state.withLock { state in
            if state.free > 0 {
                state.free -= 1
                return false
            }
            state.waiters.append(node)
            return true
        }
    }

    /// What was handed over to one who gives up in the same turn goes to the next.
    private func check(_ completion: Completion, _ deadline: Deadline) throws {
        if completion.result >= 0 && completion.isRefused { give() }
        if completion.result < 0 || completion.isRefused { throw completion.refusal(deadline) }
    }
}
