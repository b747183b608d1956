/// How a scheduler is made.
public struct SchedulerOptions: Sendable, Hashable {
    /// Threads, each with its own ring: 1 to 1024. Fibers never move from one to another, so programs that
    /// do not ask for parallelism get one worker, and with it freedom from data races between fibers.
    public var workers: Int

    /// Usable bytes of a fiber's stack, at least 16 KiB; rounded up to whole pages. The memory is
    /// reserved, and taken page by page as the fiber touches it.
    public var fiberStackSize: Int

    /// What the rings run on.
    public var kernel: KernelPreference

    /// How long a shutdown waits for ``AsyncGenerator``s to clean up before it cancels them with all the rest, and then for
    /// fibers before it ends the waits of tasks, which they may await; not longer than half of the time until the
    /// shutdown's deadline.
    public var cleanUpLimit: Duration

    /// Whether the first SIGINT during a run, `Scheduler.run` or that of a ``SchedulerRunner``, cancels the main body, so
    /// that it cleans up and the run throws ``InterruptError``. The second one ends the process. Where the program handles
    /// or ignores SIGINT itself, and while another run has it, this changes nothing.
    public var cancelsOnInterrupt: Bool

    /// The program promises that nothing outside the scheduler wakes what waits in it, and gets a ``DeadlockError`` from
    /// `Scheduler.run`, or from that of a ``SchedulerRunner``, when all that is left waits for something that can no longer happen.
    ///
    /// Without the promise that cannot be known, since handles may be used from any thread. It says: no other thread,
    /// and no task of another executor, spawns, cancels, or wakes anything here. What Ringlet itself does elsewhere may
    /// be used, and so may ``Fiber/await(_:)``: while a fiber is in it, no deadlock is found. A main body that is a task
    /// must not await what other executors run. A listener for signals counts as an operation in flight, and what was made
    /// with `holdsScheduler: false` as nothing.
    ///
    /// Costs a look at all fibers before a sleep with no operation and no timer. A scheduler that is made by
    /// ``Scheduler/init(_:)`` has no run that could throw; when its shutdown does not end because of a deadlock, stderr
    /// is told.
    public var detectsDeadlocks = false

    /// Who reports workers that do not come round; nil for nobody.
    public var watchdog: Watchdog?

    /// What is looked at more closely, for development; nil for nothing. The environment variable `RINGLET_DEBUG=1`
    /// sets it to ``DebugMode/init(slowStep:handler:)`` without arguments where it is nil.
    public var debug: DebugMode?

    /// A signal, such as `SIGUSR1`, at which ``Scheduler/dumpAll(deadline:)`` is printed on stderr; nil for none.
    ///
    /// The handler wakes a thread that makes the dump, so this works whatever the process is doing. It is installed for
    /// the process, when the scheduler is made, and stays; a handler that was there before is called as well.
    public var dumpSignal: Int32?

    /// What is to go wrong, for tests. The environment variable `RINGLET_FAULTS` fills it in where it is nil.
    @_spi(Testing) public var faults: KernelFaults?

    /// Options with the defaults for all that is not given. They are checked when a scheduler is made of them.
    public init(
        workers: Int = 1, fiberStackSize: Int = 256 * 1024, kernel: KernelPreference = .automatic,
        cleanUpLimit: Duration = .seconds(30),
        cancelsOnInterrupt: Bool = false
    ) {
        self.workers = workers
        self.fiberStackSize = fiberStackSize
        self.kernel = kernel
        self.cleanUpLimit = cleanUpLimit
        self.cancelsOnInterrupt = cancelsOnInterrupt
    }

    func validate() throws(SchedulerError) {
        guard (1...1024).contains(workers) else {
            throw .invalidOption("\(workers) workers; there can be 1 to 1024")
        }
        guard (16 * 1024...1 << 30).contains(fiberStackSize) else {
            throw .invalidOption("stacks of \(fiberStackSize) bytes; they can have 16 KiB to 1 GiB")
        }
        guard cleanUpLimit >= .zero else {
            throw .invalidOption("a clean-up of \(cleanUpLimit); it cannot be negative")
        }
        if let debug, debug.slowStep < .zero {
            throw .invalidOption("a slow step of \(debug.slowStep); it cannot be negative")
        }
        if let watchdog, watchdog.threshold < .milliseconds(1) || watchdog.threshold > .seconds(86400) {
            throw .invalidOption(
                "a watchdog's threshold of \(watchdog.threshold); it can be a millisecond to a day")
        }
    }
}
