/// What a scheduler has done so far, and what it has in hand: figures for a monitor to read.
///
/// A worker shows its figures at the end of each of its turns, so those of one worker belong together, and are as old as
/// its last turn: of a worker that is stuck, they are of the turn before.
public struct SchedulerCounters: Sendable, Hashable {
    /// In order of the workers' indices.
    public var workers: [Worker] = []

    /// Fibers that were spawned and have not ended, now. A stack that runs functions of C one after another counts as
    /// one fiber, also while it waits for the next.
    public var liveFibers = 0

    /// The figures of one worker. The first group only grows; nothing is ever reset.
    public struct Worker: Sendable, Hashable {
        /// Turns of its loop.
        public var turns: UInt64 = 0
        /// Fibers that have got a stack.
        public var fibersStarted: UInt64 = 0
        /// Fibers whose stack has ended.
        public var fibersEnded: UInt64 = 0
        /// How often a fiber went on after a wait.
        public var resumes: UInt64 = 0
        /// Jobs of Swift tasks and actors.
        public var jobs: UInt64 = 0
        /// Entries that were put into the ring's queue: operations, cancellations, and the worker's own.
        public var submissions: UInt64 = 0
        /// Entries that came back.
        public var completions: UInt64 = 0
        /// Calls into the ring: on io_uring each is one io_uring_enter(2), and the worker makes hardly any other
        /// system call; the emulated ring makes several in each.
        public var enters: UInt64 = 0
        /// How often another thread woke it from a sleep in the kernel.
        public var wakeUps: UInt64 = 0

        /// Operations in flight.
        public var operations = 0
        /// Timers that are set.
        public var timers = 0
        /// Fibers and jobs that can run and have to wait for the next turn.
        public var ready = 0
        /// Stacks that exist, in use or kept for the next fiber.
        public var stacks = 0
        /// Of these, those in use.
        public var stacksInUse = 0
    }

    /// All workers together; of different turns.
    public var total: Worker {
        workers.reduce(into: Worker()) { sum, worker in
            sum.turns += worker.turns
            sum.fibersStarted += worker.fibersStarted
            sum.fibersEnded += worker.fibersEnded
            sum.resumes += worker.resumes
            sum.jobs += worker.jobs
            sum.submissions += worker.submissions
            sum.completions += worker.completions
            sum.enters += worker.enters
            sum.wakeUps += worker.wakeUps
            sum.operations += worker.operations
            sum.timers += worker.timers
            sum.ready += worker.ready
            sum.stacks += worker.stacks
            sum.stacksInUse += worker.stacksInUse
        }
    }
}

extension Scheduler {
    /// What the scheduler has done so far, and has in hand.
    ///
    /// Asks no worker and waits for none: a load for each figure. Any thread, at any time, also after the end; in
    /// the child of a fork, the parent's figures when it forked.
    public var counters: SchedulerCounters {
        SchedulerCounters(workers: workers.map { $0.meter.read() }, liveFibers: FiberTally.live(workers))
    }
}
