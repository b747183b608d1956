/// Ends the body of a generator that is closed: its pending `yield` throws this.
///
/// Let it pass. A body may catch it by name to do something only then, and may still return a value,
/// which ``Generator/close()`` hands back; but where it yields instead, the exit counts as ignored. An
/// ``AsyncGenerator`` is ended by the same error.
public struct GeneratorExit: Error, Hashable, Sendable {
    /// To be thrown into a generator by hand, with ``Generator/throw(_:)``.
    public init() {}
}

/// How a generator was used wrongly. It can be used as before.
public enum GeneratorError: Error, Hashable, Sendable {
    /// A value was sent before there was a `yield` to return it; use `start()` first.
    case notStarted
    /// `start()` was called for a body that has begun, or `yield.from` for a generator that has, and
    /// whose `yield` waits for a value that nobody has sent.
    case alreadyStarted
    /// The generator was advanced or closed by its own body, by something that this called or
    /// delegates to, while the body waits in another fiber, or while it is in the middle of a step.
    case alreadyRunning
    /// An ``AsyncYielder`` was used while nobody waits for an element: after the end, or by two at once.
    case notRunning
    /// Another thread than the one that made it: `owner` and `current` are the kernel's numbers of
    /// both.
    case wrongThread(owner: Int32, current: Int32)
    /// The body was being closed, and yielded. It is suspended there, and can be closed again.
    case ignoredExit
    /// A delegation needs the value of a generator that was closed before it could return one.
    case closed
    /// A value was sent to a body that delegates to a plain sequence, which cannot receive any.
    case cannotReceive
    /// The body yielded inside `withDeadline`, a ``CancelScope``, a group, `withoutCancellation` or
    /// ``Fiber/withoutSuspension(_:_:)``, all of which would then hold for its caller.
    case insideScope
}

extension GeneratorError: CustomStringConvertible {
    /// The rule that was broken, and what to do.
    public var description: String {
        switch self {
        case .notStarted:
            "The generator has not begun, and no yield waits for a value: call start() first."
        case .alreadyStarted:
            "The generator has begun: a yield waits for a value. Use send(_:)."
        case .alreadyRunning:
            "The generator is running: it produces an element already."
        case .notRunning:
            "yield was called while the generator does not run: nobody has asked for an element."
        case .wrongThread(let owner, let current):
            """
            The generator belongs to thread \(owner), which made it, and was used on thread \
            \(current). It never leaves its thread.
            """
        case .ignoredExit:
            "The generator ignored its exit: it yielded while it was being closed."
        case .closed:
            "The generator was closed before it returned a value."
        case .cannotReceive:
            "A value was sent to a generator that yields from a sequence, which cannot receive it."
        case .insideScope:
            """
            The generator yielded inside a cancel scope, a group, or a promise about waiting, which would then hold \
            for its caller. Leave it before the yield, or have the caller open it.
            """
        }
    }
}
