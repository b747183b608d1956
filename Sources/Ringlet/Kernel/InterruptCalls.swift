import CUring

/// SIGINT, taken by one run at a time.
enum InterruptCalls {
    /// Takes SIGINT, if its default action is in force: the first one then makes the descriptor readable that this
    /// returns, and brings the default action back for the second. Nil when the program has made other arrangements, or
    /// another run has it.
    static func take() -> Int32? {
        let descriptor = curing_take_interrupt()
        return descriptor < 0 ? nil : descriptor
    }

    /// After ``take()``, once.
    static func giveBack() { curing_give_interrupt() }

    /// Makes the descriptor unreadable.
    static func acknowledge() { curing_acknowledge_interrupt() }
}
