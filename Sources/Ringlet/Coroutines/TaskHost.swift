import CContext

/// The Swift half of a task's wait that bypasses the continuation; the C half is in task_wait.c.
enum TaskHost {
    /// Suspends the current task until what it waits for, which has been started, is over.
    ///
    /// Only in a job of `worker` that prefers it as its executor, outside any actor: the worker will
    /// run the task as such a job again.
    @inline(__always)
    nonisolated(nonsending)
    static func wait(_ kind: FiberRef.WaitKind, _ token: UInt64, of worker: Worker) async
        -> Completion
    {
        await suspend(kind, token, of: worker)
        let outcome = unsafe cctx_current_host_thread().pointee.outcome
        return unsafe Completion(
            outcome.result, unsafeBitCast(outcome.reason, to: CancelReason.self))
    }

    /// The same, where the outcome comes by another way. With ``FiberRef/WaitKind/none`` cancellation does not end the
    /// wait.
    @inline(__always)
    nonisolated(nonsending)
    static func suspend(_ kind: FiberRef.WaitKind, _ token: UInt64, of worker: Worker) async {
        await unsafe waitInC(
            Unmanaged.passUnretained(worker).toOpaque(), token, kind.rawValue)
        precondition(
            unsafe cctx_current_host_thread().pointee.outcome.task == cctx_host_current_task(),
            "a task came back from a wait that was not its own")
    }
}

/// A task that is parked by ``TaskHost``.
@safe
struct ParkedTask: BitwiseCopyable {
    private let task: UnsafeMutableRawPointer

    /// The task that runs on this thread.
    @inline(__always)
    static var current: ParkedTask {
        unsafe ParkedTask(task: cctx_host_current_task().unsafelyUnwrapped)
    }

    private init(task: UnsafeMutableRawPointer) {
        unsafe self.task = task
    }

    /// The task's address, 16-byte aligned, and back.
    @inline(__always)
    var address: UInt { UInt(bitPattern: unsafe task) }

    @inline(__always)
    init(address: UInt) {
        unsafe task = UnsafeMutableRawPointer(bitPattern: address).unsafelyUnwrapped
    }

    /// Stores how its wait ended; the job that continues it is returned.
    @inline(__always)
    func deliver(_ completion: Completion) -> Runnable {
        unsafe cctx_task_deliver(task, completion.result, completion.reason.rawValue)
        return runnable
    }

    /// The job that continues the task.
    @inline(__always)
    var runnable: Runnable { Runnable(address: address, kind: .job) }
}

@_silgen_name("cctx_task_wait")
nonisolated(nonsending)
private func waitInC(_ worker: UnsafeRawPointer, _ token: UInt64, _ kind: UInt8) async

/// Called by task_wait.c when a task is cancelled in its wait. Any thread; must not block.
@c(cctx_wait_cancelled)
func waitCancelled(_ worker: UnsafeRawPointer, _ token: UInt64, _ kind: UInt8) {
    let worker = unsafe Unmanaged<Worker>.fromOpaque(worker).takeUnretainedValue()
    switch FiberRef.WaitKind(rawValue: kind) {
    case .timer: worker.perform { $0.endSleep(TimerToken(bits: token), reason: .user) }
    case .operation: worker.perform { $0.cancel(OperationToken(userData: token), reason: .user) }
    case .node: worker.perform { $0.interruptTask(OperationToken(userData: token)) }
    case .none?, nil: break
    }
}
