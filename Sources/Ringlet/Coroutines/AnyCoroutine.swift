/// A coroutine without the type of its values: what every one can be asked.
///
/// Coroutines are made by ``Coroutine``. For the thread that made it, where a member does not say
/// otherwise.
public class AnyCoroutine {
    @usableFromInline let core: CoroutineCore

    @usableFromInline
    init(_ core: CoroutineCore) {
        self.core = core
        unsafe core.handle = Unmanaged.passUnretained(self)
    }

    deinit {
        unsafe core.handle = nil
        core.handleDropped()
    }

    /// The innermost coroutine that this code runs in, whatever the type of its values; nil outside
    /// coroutines, and while a body is unwound because nobody refers to its coroutine any more.
    public static var innermost: AnyCoroutine? {
        unsafe CoroutineCore.running?.handle?.takeUnretainedValue()
    }

    /// The name given at creation. Any thread.
    public final var name: String? { core.name }

    /// What it does. Any thread; on other threads than its own, whether that still exists.
    public final var state: CoroutineState {
        guard core.isOnOwnThread else { return core.thread.hasExited ? .lost : .elsewhere }
        return switch core.state {
        case .pending: .pending
        case .suspended: .suspended
        case .running: CoroutineCore.running === core ? .running : .waiting
        case .ended: .ended
        }
    }

    /// True once the body has ended, or was closed before it began.
    public final var isFinished: Bool { core.state == .ended }
}

extension AnyCoroutine: CustomStringConvertible {
    /// The name and the state. Any thread.
    public var description: String { "\(core.label) (\(state))" }
}

@available(*, unavailable, message: "a coroutine never leaves its thread")
extension AnyCoroutine: Sendable {}

/// What a coroutine does.
public enum CoroutineState: Hashable, Sendable {
    /// Not begun.
    case pending
    /// The code that asks runs in it.
    case running
    /// It has resumed something else, such as a coroutine of another family, and waits for it; or
    /// it is part of a fiber that waits.
    case waiting
    /// In a switch, which returns when somebody switches to it.
    case suspended
    /// The body has ended, or never will begin.
    case ended
    /// It belongs to another thread, the only one that can say more.
    case elsewhere
    /// It belongs to a thread that has exited.
    case lost
}
