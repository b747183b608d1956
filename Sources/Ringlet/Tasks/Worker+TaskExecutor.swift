/// The worker as the executor of tasks that prefer it.
///
/// Not also a serial executor: an object that is both costs 50 to 110 ns more at every hop.
extension Worker: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        enqueue(Runnable(UnownedJob(job), kind: .job))
    }

    @inline(__always)
    func runJob(_ runnable: Runnable) {
        // The identity that the task prefers: with another one the runtime would enqueue it again.
        isRunningOwnJob = true
        unsafe runnable.job.runSynchronously(on: asUnownedTaskExecutor())
        isRunningOwnJob = false
        // The job may have been that of a fiber which came back from an await in place.
        FiberHost.finishEnded()
    }

    /// The same on a thread that is not the worker's, after its end.
    @inline(never)
    func runJobElsewhere(_ runnable: Runnable) {
        unsafe runnable.job.runSynchronously(on: asUnownedTaskExecutor())
    }

    @inline(never)
    func runActorJob(_ runnable: Runnable) {
        unsafe runnable.job.runSynchronously(
            isolatedTo: actorExecutor.asUnownedSerialExecutor(),
            taskExecutor: asUnownedTaskExecutor())
    }
}

/// Actors whose jobs run on one worker.
///
///     actor Counter {
///         let scheduler: Scheduler
///         nonisolated var unownedExecutor: UnownedSerialExecutor { scheduler.actorExecutor }
///     }
final class WorkerActorExecutor: SerialExecutor {
    /// The worker owns its executor; an actor keeps both alive through the scheduler.
    private unowned let worker: Worker

    init(worker: Worker) {
        self.worker = worker
    }

    func enqueue(_ job: consuming ExecutorJob) {
        worker.enqueue(Runnable(UnownedJob(job), kind: .actorJob))
    }

    /// True while one of the executor's jobs runs; a fiber of the same thread is not isolated, since
    /// it may suspend in the middle of what an actor takes for one step.
    func isIsolatingCurrentContext() -> Bool? {
        CurrentThread.runs(worker) && FiberRef.current == nil
    }

    func checkIsolated() {
        precondition(
            isIsolatingCurrentContext() == true,
            "this code must run on an actor of worker \(worker.index), outside any fiber")
    }
}

extension Scheduler {
    /// The executor for actors that run on worker 0. The actor must keep the scheduler alive.
    public var actorExecutor: UnownedSerialExecutor {
        unsafe workers[0].actorExecutor.asUnownedSerialExecutor()
    }
}

extension Runnable {
    /// A job is its own address, 16-byte aligned, with two words for its executor at offset 16.
    @inline(__always)
    init(_ job: UnownedJob, kind: Kind) {
        self.init(address: unsafe unsafeBitCast(job, to: UInt.self), kind: kind)
    }

    @inline(__always)
    var job: UnownedJob { unsafe unsafeBitCast(address, to: UnownedJob.self) }
}
