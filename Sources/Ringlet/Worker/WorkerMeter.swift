import Synchronization

/// A worker's counters, where any thread can read them at any time: also when the worker is stuck.
///
/// The worker counts in plain fields, and shows them here at the end of each turn. The version tells a reader whether
/// all that it has read is of one turn: odd while the worker writes. So reading blocks nobody, and costs the worker a
/// store for each figure and turn.
final class WorkerMeter: Sendable {
    private let version = Atomic<UInt64>(0)
    /// In the child of a fork the worker may have been left in the middle of writing.
    private let forks = Fork.count

    private let turns = Atomic<UInt64>(0)
    private let fibersStarted = Atomic<UInt64>(0)
    private let fibersEnded = Atomic<UInt64>(0)
    private let resumes = Atomic<UInt64>(0)
    private let jobs = Atomic<UInt64>(0)
    private let submissions = Atomic<UInt64>(0)
    private let completions = Atomic<UInt64>(0)
    private let enters = Atomic<UInt64>(0)
    private let wakeUps = Atomic<UInt64>(0)
    private let operations = Atomic<Int>(0)
    private let timers = Atomic<Int>(0)
    private let ready = Atomic<Int>(0)
    private let stacks = Atomic<Int>(0)
    private let stacksInUse = Atomic<Int>(0)

    /// Another value after each turn, each beginning of a sleep in the kernel and each end of one; odd during a sleep.
    /// Written by the worker's thread. A value that is even and stays is that of a worker which runs one thing all the
    /// time.
    let pulse = Atomic<UInt64>(0)

    // MARK: The worker's thread

    func show(_ worker: Worker) {
        let next = version.load(ordering: .relaxed) &+ 1
        version.store(next, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
        let counters = worker.counters
        turns.store(counters.turns, ordering: .relaxed)
        resumes.store(counters.fiberResumes, ordering: .relaxed)
        jobs.store(counters.jobs, ordering: .relaxed)
        submissions.store(counters.submissions, ordering: .relaxed)
        completions.store(counters.completions, ordering: .relaxed)
        enters.store(worker.ring.enters, ordering: .relaxed)
        wakeUps.store(counters.wakeUps, ordering: .relaxed)
        operations.store(worker.operations.activeCount, ordering: .relaxed)
        timers.store(worker.timers.count, ordering: .relaxed)
        ready.store(worker.ready.count, ordering: .relaxed)
        if counters.fiberChanges != 0 { showFibers(of: worker) }
        version.store(next &+ 1, ordering: .releasing)
        wakesUp()
    }

    /// Seldom enough to ask the pool.
    @inline(never)
    private func showFibers(of worker: Worker) {
        worker.counters.fiberChanges = 0
        fibersStarted.store(worker.counters.fibersStarted, ordering: .relaxed)
        fibersEnded.store(worker.counters.fibersEnded, ordering: .relaxed)
        let statistics = worker.stacks.statistics
        stacks.store(statistics.mapped, ordering: .relaxed)
        stacksInUse.store(statistics.inUse, ordering: .relaxed)
    }

    /// The worker is about to sleep in the kernel, or leaves its thread to a host.
    @inline(__always)
    func fallsAsleep() { pulse.store(pulse.load(ordering: .relaxed) | 1, ordering: .relaxed) }

    @inline(__always)
    func wakesUp() { pulse.store((pulse.load(ordering: .relaxed) | 1) &+ 1, ordering: .relaxed) }

    // MARK: Any thread

    /// The figures of one turn's end.
    func read() -> SchedulerCounters.Worker {
        while true {
            let isLeft = forks != Fork.count
            let before = version.load(ordering: .acquiring)
            if before & 1 == 1 && !isLeft { continue }
            var worker = SchedulerCounters.Worker()
            worker.turns = turns.load(ordering: .relaxed)
            worker.fibersStarted = fibersStarted.load(ordering: .relaxed)
            worker.fibersEnded = fibersEnded.load(ordering: .relaxed)
            worker.resumes = resumes.load(ordering: .relaxed)
            worker.jobs = jobs.load(ordering: .relaxed)
            worker.submissions = submissions.load(ordering: .relaxed)
            worker.completions = completions.load(ordering: .relaxed)
            worker.enters = enters.load(ordering: .relaxed)
            worker.wakeUps = wakeUps.load(ordering: .relaxed)
            worker.operations = operations.load(ordering: .relaxed)
            worker.timers = timers.load(ordering: .relaxed)
            worker.ready = ready.load(ordering: .relaxed)
            worker.stacks = stacks.load(ordering: .relaxed)
            worker.stacksInUse = stacksInUse.load(ordering: .relaxed)
            atomicMemoryFence(ordering: .acquiring)
            if isLeft || version.load(ordering: .relaxed) == before { return worker }
        }
    }
}
