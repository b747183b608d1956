import CContext
import SystemPackage

/// What this thread is to the scheduler.
enum CurrentThread {
    /// True on the thread that runs `worker`.
    @inline(__always)
    static func runs(_ worker: Worker) -> Bool {
        unsafe cctx_current_thread().pointee.worker == Unmanaged.passUnretained(worker).toOpaque()
    }

    /// The worker that this thread runs, if it runs one.
    static var worker: Worker? {
        guard let address = unsafe cctx_current_thread().pointee.worker else { return nil }
        return unsafe Unmanaged<Worker>.fromOpaque(address).takeUnretainedValue()
    }

    /// For a fiber that is made here.
    @inline(__always)
    static func nextFiberID() -> UInt64 {
        guard let address = unsafe cctx_current_thread().pointee.worker else { return FiberIDs.single() }
        return unsafe Unmanaged<Worker>.fromOpaque(address)._withUnsafeGuaranteedRef { $0.fiberIDs.next() }
    }

    /// True where a wait that blocks the thread would keep a worker from its turns: on a worker's thread, and on one that
    /// has a worker as a guest.
    static var mustNotBlock: Bool {
        unsafe cctx_current_thread().pointee.worker != nil || cctx_current_thread().pointee.guest != nil
    }

    /// Between two turns of its worker, the thread is its host's again: what it is given comes as from any other thread.
    static func pause() {
        unsafe cctx_current_thread().pointee.guest = cctx_current_thread().pointee.worker
        unsafe cctx_current_thread().pointee.worker = nil
    }

    /// Ends a pause. False when the thread is not in a pause of `worker`.
    static func resume(_ worker: Worker) -> Bool {
        let address = unsafe Unmanaged.passUnretained(worker).toOpaque()
        guard unsafe cctx_current_thread().pointee.guest == address else { return false }
        unsafe cctx_current_thread().pointee.guest = nil
        unsafe cctx_current_thread().pointee.worker = address
        return true
    }

    /// True inside a Swift task, whose thread is only lent to it.
    static var isInTask: Bool { unsafe withUnsafeCurrentTask { unsafe $0 != nil } }

    /// Cancels the task that this code is part of.
    static func cancelTask() { unsafe withUnsafeCurrentTask { unsafe $0?.cancel() } }

    /// Tells the fiber, task or plain thread that this code belongs to from every other one, as long as it lives. What a
    /// fiber awaits in place is part of the fiber, and so is the body of a scope or group part of its task.
    static var strand: UInt {
        if let fiber = FiberRef.current, let task = unsafe fiber.record.pointee.task {
            return UInt(bitPattern: task)
        }
        if let task = unsafe cctx_host_current_task() { return unsafe TaskPart.strand(of: task) }
        return UInt(bitPattern: unsafe cctx_current_thread()) | 1
    }

    /// Makes this thread the one of `worker` until ``leave()``.
    static func enter(_ worker: Worker) throws(Errno) {
        let error = cctx_thread_prepare()
        guard error == 0 else { throw Errno(rawValue: -error) }
        cctx_host_find_access_head()
        cctx_watch_forks()
        unsafe cctx_current_thread().pointee.worker = Unmanaged.passUnretained(worker).toOpaque()
    }

    /// Called by fork.c in the child of a fork that this thread made: what runs here is no worker.
    static func forked(_ worker: UnsafeRawPointer) {
        unsafe Unmanaged<Worker>.fromOpaque(worker)._withUnsafeGuaranteedRef { $0.stopInChild() }
    }

    static func leave() {
        unsafe cctx_current_thread().pointee.worker = nil
        cctx_thread_release()
        cctx_raw_look_at_thread()
    }
}

@c(cctx_worker_forked)
func workerForked(_ worker: UnsafeRawPointer) {
    unsafe CurrentThread.forked(worker)
}
