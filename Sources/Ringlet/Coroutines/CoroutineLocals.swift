import CContext

/// Which task-locals the body of a coroutine sees, beside those that it binds itself.
///
/// Chosen when the coroutine is made, and not changed later: a body that has begun may hold bindings of its own, which
/// stand on what it saw then.
public enum CoroutineLocals: Hashable, Sendable {
    /// None: each has its default. The body belongs to no task.
    case empty
    /// Those that were bound where the coroutine was made, for ever. The body has a current task of
    /// its own, which is never cancelled and cannot be awaited; it costs what making a task costs.
    case copied
    /// Those that are bound where it was resumed last, so that they may change at each switch; and
    /// the current task is that of the code that resumes it, with its cancellation.
    ///
    /// The body must not hold a binding of its own over a switch: bindings end in the order in
    /// which they began only if nobody else goes on in between. The runtime cannot tell.
    case shared
}

extension CoroutineCore {
    /// The task that holds the copies; nil where the runtime is not the one that we know.
    static func copyLocals() -> UnsafeMutableRawPointer? {
        guard cctx_host_layout_is_known() else { return nil }
        let emptyType = unsafe unsafeBitCast(Void.self as Any.Type, to: UnsafeRawPointer.self)
        return unsafe cctx_host_copy_locals(emptyType)
    }

    /// Gives a body that is about to begin what it is to see.
    final func prepareLocals() throws(CoroutineError) {
        switch locals {
        case .empty: break
        case .copied:
            guard let ownTask = unsafe ownTask, cctx_host_has_slot() else {
                throw .localsUnavailable
            }
            unsafe record?.pointee.task = ownTask
        case .shared:
            guard cctx_host_has_slot(),
                unsafe cctx_current_raw_thread().pointee.locals_slot != nil
            else { throw .localsUnavailable }
        }
    }

    /// Before the body is suspended by its own wish. A suspension in the middle of a job that began on this stack would
    /// let the job's task go on elsewhere; one inside a scope would leave others in it.
    @inline(__always)
    final func requireMayLeave() throws(CoroutineError) {
        if cctx_raw_is_in_task() { requireOwnTask() }
        if unsafe cctx_raw_is_bound(record.unsafelyUnwrapped) { throw .insideScope(coroutine: label) }
    }

    @inline(never)
    private final func requireOwnTask() {
        let current = unsafe cctx_host_current_task()
        // Of one that shares, the record holds its resumer's task, which is the body's as well.
        let own = unsafe locals == .shared ? record?.pointee.task : ownTask
        if unsafe current != own { requireNoTask("Coroutine.switch()") }
    }

    /// Ends the task that held the copies. Any thread.
    static func endTask(_ task: UnsafeMutableRawPointer) {
        unsafe unsafeBitCast(task, to: UnownedJob.self)
            .runSynchronously(on: LocalsExecutor.shared.asUnownedSerialExecutor())
    }
}

/// Where tasks end that have held copies and never ran.
private final class LocalsExecutor: SerialExecutor {
    static let shared = LocalsExecutor()

    func enqueue(_ job: UnownedJob) {
        unsafe job.runSynchronously(on: asUnownedSerialExecutor())
    }
}
