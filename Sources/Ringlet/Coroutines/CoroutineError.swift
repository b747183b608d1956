/// The exit signal of a ``Coroutine``: it ends a body, and ending by it is no failure.
///
/// ``Coroutine/close()`` and the end of the last reference raise it at the pending switch of a
/// body, ``Coroutine/throw(_:)`` does so when it is given nothing else, and a body may throw it. A
/// body may also catch it; left alone, it makes the coroutine's outcome
/// ``CoroutineOutcome/exited``.
///
/// A parent whose child exits gets control like one whose child returns. Where the values are
/// `Void` its switch just returns. In other families there is no value that it could return, and
/// so it throws this: catch it where children exit by themselves.
public struct CoroutineExit: Error, Hashable, Sendable {
    /// The signal, which carries nothing.
    public init() {}
}

/// How a coroutine ended.
public enum CoroutineOutcome<Value> {
    /// The body returned.
    case returned(Value)
    /// The body threw, or an error was thrown into a body that had not begun.
    case failed(any Error)
    /// The exit signal ended it; or it was closed before it began.
    case exited
}

/// How a coroutine was used wrongly. Nothing has changed then, and it can be used as before.
public enum CoroutineError: Error, Hashable, Sendable {
    /// It belongs to another thread. The numbers are the kernel's; the owner may have exited, and
    /// then nobody can resume the coroutine any more.
    case wrongThread(coroutine: String, owner: Int32, caller: Int32, ownerHasExited: Bool)
    /// It is not suspended in a switch: it runs further up this stack, as the code outside another
    /// family, or its fiber waits for something else. Also when it is the nearest living ancestor
    /// of the one that was switched to or thrown at; but the end of a child passes it over.
    case notSuspended(coroutine: String)
    /// It would be its own parent.
    case parentIsItself
    /// Its parent would be a descendant of it.
    case parentIsDescendant
    /// Its parent would belong to another thread.
    case parentOnOtherThread(parent: Int32, child: Int32)
    /// It was to leave by a switch from inside `withDeadline`, a ``CancelScope``, a group, `withoutCancellation` or
    /// ``Fiber/withoutSuspension(_:_:)``, all of which would then hold for whoever goes on.
    case insideScope(coroutine: String)
    /// Task-locals can be neither copied nor shared, because this Swift runtime is not one whose
    /// inside is known. The coroutine has not begun.
    case localsUnavailable
    /// The body has caught the exit signal a hundred times and goes on. The coroutine is suspended.
    case refusesToEnd(coroutine: String)
}

extension CoroutineError: CustomStringConvertible {
    /// A sentence that says which rule was broken.
    public var description: String {
        switch self {
        case .wrongThread(let coroutine, let owner, let caller, let hasExited):
            """
            \(coroutine) belongs to thread \(owner), which made it\(hasExited ? " and has exited" : ""), \
            and was used on thread \(caller). A coroutine never leaves its thread.
            """
        case .notSuspended(let coroutine):
            """
            \(coroutine) is not suspended in a switch. It runs further up this stack, or in a fiber \
            that waits for something else.
            """
        case .parentIsItself: "A coroutine cannot be its own parent."
        case .parentIsDescendant: "The parent of a coroutine cannot be one of its descendants."
        case .parentOnOtherThread(let parent, let child):
            """
            A parent on thread \(parent) cannot have a child on thread \(child): a coroutine that \
            ends gives control to its parent, on its own thread.
            """
        case .insideScope(let coroutine):
            """
            \(coroutine) switched inside a cancel scope, a group, or a promise about waiting, which would then hold \
            for whoever goes on. Leave it before the switch.
            """
        case .localsUnavailable:
            "This Swift runtime does not allow task-locals to be copied or shared."
        case .refusesToEnd(let coroutine):
            """
            The body of \(coroutine) catches the error that is to end it, and goes on. Let that \
            error pass.
            """
        }
    }
}
