/// Who is resumed by a completion.
///
/// This is where fibers and tasks differ, and the only place: every payload is a plain word, so
/// storing and taking a waiter costs no reference counting. Whoever is named here stays alive
/// because it is suspended until the completion.
@safe
enum Waiter {
    /// Nobody: the result is dropped.
    case none
    /// A fiber of this worker.
    case fiber(FiberRef)
    /// A task, wherever it runs.
    case task(UnsafeContinuation<Completion, Never>)
    /// A task that runs as a job of this worker.
    case parkedTask(ParkedTask)
    /// A descriptor that is being closed, retained: the operation cancels what was in flight there.
    case closing(Unmanaged<Descriptor>)

    /// A buffered writer, retained: the operation sends for it.
    case writer(Unmanaged<WriteBehind>)

    /// A watcher, retained: the operation polls for it.
    case watcher(Unmanaged<Watcher>)

    static func closing(_ descriptor: Descriptor) -> Waiter {
        unsafe .closing(Unmanaged.passRetained(descriptor))
    }

    static func writer(_ writer: WriteBehind) -> Waiter {
        unsafe .writer(Unmanaged.passRetained(writer))
    }

    /// Whether a shutdown ends the operation when it begins.
    var endsFirst: Bool { if case .watcher = self { true } else { false } }

    /// Whether a shutdown ends the operation once all fibers have ended, who may need it for their clean-up. When neither
    /// holds somebody else ends it, or it must not be ended.
    var endsWithTasks: Bool {
        switch self {
        case .task, .parkedTask, .writer: true
        case .fiber, .closing, .watcher, .none: false
        }
    }

    /// Hands the completion to whoever is no fiber. The job that has become runnable is returned; a continuation makes
    /// its task runnable itself, through the task's executor.
    @inline(__always)
    func resume(with completion: Completion) -> Runnable? {
        switch self {
        case .parkedTask(let task):
            return task.deliver(completion)
        case .task(let continuation):
            unsafe continuation.resume(returning: completion)
            return nil
        case .closing(let descriptor):
            unsafe descriptor.takeRetainedValue().cancelAnswered(completion)
            return nil
        case .writer(let writer):
            unsafe writer.takeRetainedValue().sendEnded(completion)
            return nil
        case .watcher(let watcher):
            unsafe watcher.takeRetainedValue().answered(completion)
            return nil
        case .fiber, .none:
            return nil
        }
    }
}

/// A waiter as an operation's slot holds it: an address, with the case in its low bits.
///
/// Slots are then 32 bytes, which makes finding one a shift.
struct PackedWaiter: BitwiseCopyable {
    private let word: UInt

    private enum Case: UInt {
        case parkedTask, task, closing, writer, fiber, none, watcher
    }

    static let none = PackedWaiter(.none, 0)

    @inline(__always)
    private init(_ kind: Case, _ address: UInt) {
        assert(address & IntrusiveLink.tagMask == 0)
        word = address | kind.rawValue
    }

    @inline(__always)
    init(_ waiter: Waiter) {
        switch waiter {
        case .fiber(let fiber): self.init(.fiber, fiber.address)
        case .none: self = .none
        case .task(let continuation): self.init(.task, unsafe unsafeBitCast(continuation, to: UInt.self))
        case .parkedTask(let task): self.init(.parkedTask, task.address)
        case .closing(let descriptor): self.init(.closing, UInt(bitPattern: unsafe descriptor.toOpaque()))
        case .writer(let writer): self.init(.writer, UInt(bitPattern: unsafe writer.toOpaque()))
        case .watcher(let watcher): self.init(.watcher, UInt(bitPattern: unsafe watcher.toOpaque()))
        }
    }

    @inline(__always)
    private var address: UInt { word & ~IntrusiveLink.tagMask }

    /// The two that most operations have, without a table of jumps.
    @inline(__always)
    var fiber: FiberRef? { has(.fiber) ? FiberRef(address: address) : nil }
    @inline(__always)
    var parkedTask: ParkedTask? { has(.parkedTask) ? ParkedTask(address: address) : nil }

    @inline(__always)
    private func has(_ kind: Case) -> Bool { word & IntrusiveLink.tagMask == kind.rawValue }

    var waiter: Waiter {
        guard let kind = Case(rawValue: word & IntrusiveLink.tagMask) else {
            preconditionFailure("a waiter's word was overwritten")
        }
        switch kind {
        case .fiber: return .fiber(FiberRef(address: address))
        case .none: return .none
        case .task: return unsafe .task(unsafeBitCast(address, to: UnsafeContinuation<Completion, Never>.self))
        case .parkedTask: return .parkedTask(ParkedTask(address: address))
        case .closing: return unsafe .closing(.fromOpaque(Self.object(at: address)))
        case .writer: return unsafe .writer(.fromOpaque(Self.object(at: address)))
        case .watcher: return unsafe .watcher(.fromOpaque(Self.object(at: address)))
        }
    }

    private static func object(at address: UInt) -> UnsafeRawPointer {
        unsafe UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped
    }
}

/// How a wait ended.
struct Completion: BitwiseCopyable, Sendable {
    /// As in a completion queue entry: a count or descriptor, or a negative errno.
    var result: Int32
    /// Why the operation was asked to end early, when it was.
    var reason: CancelReason = .none

    @inline(__always)
    init(_ result: Int32, _ reason: CancelReason = .none) {
        self.result = result
        self.reason = reason
    }

    /// -ECANCELED with a reason.
    static func cancelled(_ reason: CancelReason) -> Completion {
        Completion(-125, reason)
    }
}

/// Why an operation was asked to end early. The kernel says ECANCELED in every case; the slot
/// remembers which.
enum CancelReason: UInt8, BitwiseCopyable, Sendable {
    case none
    /// The fiber or task was cancelled.
    case user
    /// The operation's own deadline passed.
    case deadline
    /// The scheduler is shutting down.
    case shutdown
    /// This is the child of a fork, and the scheduler is the parent's.
    case fork
}
