import Synchronization

/// What the workers of one scheduler share.
final class SchedulerState: Sendable {
    let kernel: KernelChoice
    let fiberStackSize: Int
    private let cleanUpLimit: Duration
    let cancelsOnInterrupt: Bool

    /// The run of a main body, while one is under way.
    private let run = Mutex<RunEnd?>(nil)

    /// Written by whoever shuts the scheduler down, once; read by workers.
    private let shuttingDown = Atomic<Bool>(false)

    private struct Members {
        /// Emptied when the last worker has ended: workers refer to this object.
        var workers: [Worker] = []
        var running = 0
        weak var scheduler: Scheduler?
    }

    /// Written before the workers start, and as they end.
    private let members = Mutex(Members())

    /// What has to end before the workers are told to.
    let generators = LiveGenerators()

    /// Who is called when descriptors are ready.
    let watchers = Watchers()

    /// Who is told of errors that nobody can catch.
    let unseenErrors = UnseenErrors()

    /// Fibers that failed during the shutdown.
    let lateFailures = LateFailures()

    /// Who waits until nothing is left to do.
    let idleness = Idleness()

    /// Where the options ask for it. A simulation finds deadlocks by itself.
    let deadlocks: DeadlockWatch?

    /// Likewise.
    let watchdog: WatchdogThread?

    /// Likewise. Read in every turn.
    let debug: DebugMode?

    init(options: SchedulerOptions, kernel: KernelChoice) {
        debug = options.debug
        watchdog = options.watchdog.map(WatchdogThread.init)
        deadlocks = options.detectsDeadlocks && kernel.simulation == nil ? DeadlockWatch() : nil
        self.kernel = kernel
        fiberStackSize = options.fiberStackSize
        cleanUpLimit = options.cleanUpLimit
        cancelsOnInterrupt = options.cancelsOnInterrupt
    }

    func adopt(_ workers: [Worker]) {
        members.withLock {
            $0.workers = workers
            $0.running = workers.count
        }
    }

    /// A worker has ended, or never began.
    func workerEnded() {
        let isLast = members.withLock {
            $0.running -= 1
            if $0.running == 0 { $0.workers = [] }
            return $0.running == 0
        }
        guard isLast else { return }
        watchdog?.stop()
        idleness.ended()
        lateFailures.report()
    }

    /// Written once, at the end of the scheduler's creation.
    func belong(to scheduler: Scheduler) {
        members.withLock { $0.scheduler = scheduler }
    }

    var scheduler: Scheduler? { members.withLock { $0.scheduler } }

    var workers: [Worker] { members.withLock { $0.workers } }

    // MARK: Runs

    func runBegins(_ end: RunEnd) { run.withLock { $0 = end } }

    func runEnds() { run.withLock { $0 = nil } }

    /// Ends the run of a main body early. False when none is under way.
    func stopRun() -> Bool {
        guard let end = run.withLock({ $0 }) else { return false }
        end.stop()
        wakeAll()
        return true
    }

    // MARK: Fibers

    /// Fibers that were spawned and have not ended, until the last worker has. See ``FiberTally/live(_:)``.
    var fiberCount: Int { FiberTally.live(workers) }

    /// One has ended during the shutdown. With the last, the workers have nothing left to wait for.
    func fiberFinished() {
        if fiberCount == 0 { wakeAll() }
    }

    // MARK: Shutdown

    var isShuttingDown: Bool { shuttingDown.load(ordering: .acquiring) }

    /// Until when a part of the shutdown that begins now waits for clean-up.
    func cleanUpLimit(before deadline: Deadline) -> Deadline {
        min(.after(cleanUpLimit), .halfway(to: deadline))
    }

    /// True for the call that begins the shutdown.
    func beginShutdown() -> Bool {
        shuttingDown.exchange(true, ordering: .acquiringAndReleasing) == false
    }

    /// From now on a deadlock ends the main body, where the options ask for it.
    func watchForDeadlocks(of main: any MainBody) {
        guard let deadlocks else { return }
        deadlocks.begin(main)
        // Those that sleep already are to look.
        wakeAll()
    }

    func wakeAll() {
        for worker in workers { worker.inbox.notify() }
    }
}
