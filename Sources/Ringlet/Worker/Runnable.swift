/// Something the worker can run, or do when a timer is due: an address with its kind in the low bits.
///
/// A plain word, so that the run queue, the injection queue and the timers hold all kinds alike
/// without reference counting. Conversions live with the things themselves: fibers in `Coroutines/`,
/// jobs in `Tasks/`.
struct Runnable: BitwiseCopyable, Equatable {
    enum Kind: UInt8 {
        /// A Swift job that prefers the worker as its task executor.
        case job
        /// A Swift job of an actor whose serial executor is the worker's.
        case actorJob
        /// A Swift job that the runtime scheduled for an instant; it prefers no executor.
        case scheduledJob
        /// A fiber that was spawned and has not begun: an ``AnyFiber``, retained.
        case newFiber
        /// A parked fiber that was woken, or that yielded.
        case fiber
        /// A ``Message``, retained.
        case message
        /// Timers only: the deadline of the operation whose token is in the upper bits.
        case operationDeadline
        /// Timers only: a fiber's sleep is over.
        case sleepingFiber
        /// Timers only: the sleep of a task that is parked is over.
        case sleepingTask
        /// Timers only: the sleep of a task that waits by continuation is over.
        case sleepingContinuation
        /// Timers only: the wait of a ``WaitNode`` that is kept is over.
        case nodeDeadline
        /// Timers only: a task's wait by continuation is over; a retained ``Message``.
        case timedMessage
        /// Timers only: a close is to ask once more for what the worker has in flight; a retained ``Message``.
        case repeatedCancel
        /// A ``Callback``, retained: to be made, or to be given its timer; or the timer.
        case callback
    }

    let word: UInt

    @inline(__always)
    init(word: UInt) { self.word = word }

    @inline(__always)
    init(address: UInt, kind: Kind) {
        assert(address & IntrusiveLink.tagMask == 0)
        word = address | UInt(kind.rawValue)
    }

    @inline(__always)
    init(_ fiber: FiberRef) { self.init(address: fiber.address, kind: .fiber) }

    /// The operation's identity is 56 bits, so it fits beside the kind.
    @inline(__always)
    init(deadlineOf token: OperationToken) {
        word = UInt(token.userData) &<< 4 | UInt(Kind.operationDeadline.rawValue)
    }

    @inline(__always)
    var kind: Kind {
        guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: word & IntrusiveLink.tagMask))
        else { preconditionFailure("a runnable's word was overwritten") }
        return kind
    }

    @inline(__always)
    var isFiber: Bool { word & IntrusiveLink.tagMask == UInt(Kind.fiber.rawValue) }

    @inline(__always)
    var address: UInt { word & ~IntrusiveLink.tagMask }

    @inline(__always)
    var operation: OperationToken { OperationToken(userData: UInt64(word &>> 4)) }
}
