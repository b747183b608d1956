/// Calls that the worker makes for others. On its thread.
extension Worker {
    /// Makes ready what was asked for in earlier turns. Calls that these ask for come in the next one.
    @inline(never)
    func beginPass() {
        while let callback = callbacks.pop() { ready.push(callback) }
    }

    /// No call is made any more. Those that are ready find out by themselves.
    func dropCallbacks() {
        while let callback = callbacks.pop() { Callback.drop(callback) }
        for timer in timers.tokens(where: { Runnable(word: $0).kind == .callback }) {
            if let word = timers.take(timer) { Callback.drop(Runnable(word: word)) }
        }
    }

    /// True when nothing will happen here but what holds nothing up: no work, and no operation or timer that
    /// somebody is to wait for.
    var isQuiet: Bool {
        ready.isEmpty && callbacks.isEmpty && inbox.isEmpty && settling.isEmpty && !ring.hasBacklog
            && operations.activeCount == idleOperations && timers.count == timers.idleCount
    }
}
