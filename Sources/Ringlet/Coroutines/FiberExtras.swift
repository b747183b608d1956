import Synchronization

/// What most fibers never need, made at its first use.
final class FiberExtras: @unchecked Sendable {
    /// What any thread may change.
    struct Shared {
        /// What the fiber's waits throw once it is cancelled; nil for `CancellationError`. Written once.
        var cancellationError: (any Error)?
        /// Set when the fiber got another name than at its creation, or none.
        var newName: String??
        /// Interrupts that were requested and not withdrawn.
        var interruptCount = 0
    }

    let shared = Mutex(Shared())

    // The worker thread's.

    /// Thrown by the next wait, once.
    var interrupt: (any Error)?
    /// The innermost scope that the fiber is in.
    var scope: FiberScopePlace?
    /// The closure that the body wants awaited in the host task.
    var pendingAwait: (() async -> Void)?
    /// The task that the body waits for, where that is cancelled by a scope.
    var awaited: Task<Void, Never>?
}

extension AnyFiber {
    /// The extras, made if need be. Any thread.
    var madeExtras: FiberExtras { extras.load() ?? extras.storeIfNil(FiberExtras()) }

    /// Nil for most fibers. Any thread.
    var existingExtras: FiberExtras? { extras.load() }

    /// Takes the closure that the body wants awaited.
    func takePendingAwait() -> () async -> Void {
        let extras = madeExtras
        defer { extras.pendingAwait = nil }
        return unsafe extras.pendingAwait.unsafelyUnwrapped
    }
}
