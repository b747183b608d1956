import Synchronization

/// What the workers of one scheduler share.
final class SchedulerState: Sendable {
    let mask: KernelMask
    let fiberStackSize: Int

    /// Fibers that were spawned and have not ended. Written by any thread.
    private let fibers = Atomic<Int>(0)

    /// Written by whoever shuts the scheduler down, once; read by workers.
    private let shuttingDown = Atomic<Bool>(false)

    private struct Members {
        var workers: [Worker] = []
        var actorExecutors: [WorkerActorExecutor] = []
        weak var scheduler: Scheduler?
    }

    /// Written once, before the workers start.
    private let members = Mutex(Members())

    init(options: SchedulerOptions, mask: KernelMask) {
        self.mask = mask
        fiberStackSize = options.fiberStackSize
    }

    func adopt(_ workers: [Worker]) {
        members.withLock {
            $0.workers = workers
            $0.actorExecutors = workers.map(WorkerActorExecutor.init)
        }
    }

    /// Written once, at the end of the scheduler's creation.
    func belong(to scheduler: Scheduler) {
        members.withLock { $0.scheduler = scheduler }
    }

    var scheduler: Scheduler? { members.withLock { $0.scheduler } }

    var workers: [Worker] { members.withLock { $0.workers } }

    func actorExecutor(of worker: Worker) -> WorkerActorExecutor {
        members.withLock { $0.actorExecutors[worker.index] }
    }

    // MARK: Fibers

    var fiberCount: Int { fibers.load(ordering: .relaxed) }

    @inline(__always)
    func fiberSpawned() {
        fibers.add(1, ordering: .relaxed)
    }

    @inline(__always)
    func fiberFinished() {
        let left = fibers.subtract(1, ordering: .acquiringAndReleasing).newValue
        if left == 0 && isShuttingDown { wakeAll() }
    }

    // MARK: Shutdown

    var isShuttingDown: Bool { shuttingDown.load(ordering: .acquiring) }

    /// True for the call that begins the shutdown.
    func beginShutdown() -> Bool {
        shuttingDown.exchange(true, ordering: .acquiringAndReleasing) == false
    }

    func wakeAll() {
        for worker in workers { worker.inbox.notify() }
    }

    /// Breaks the cycle with the workers, after they have stopped.
    func release() {
        members.withLock { $0.workers = [] }
    }
}
