/// Work on its way to a thread of a pool, and who waits for it.
///
/// It runs as the body of a task that is made where the work is submitted, so task-locals and priority are those of
/// the place, and the work can ask `Task.isCancelled`. The job itself is that task's executor: what the
/// runtime hands over to be run is what a thread is to be found for.
final class BlockingJob<Success>: TaskExecutor, @unchecked Sendable {
    /// What becomes of work that has begun, when its waiter is cancelled.
    enum Patience: Sendable {
        /// The waiter waits for its end.
        case waits
        /// The waiter goes on; the outcome is dropped.
        case abandons
        /// Nothing: others may wait for it. Nor does a queued job leave its queue.
        case shares
    }

    let ticket: CrewTicket
    private let crew: ThreadCrew
    private let patience: Patience
    private let phase = WorkPhase()
    private let end = WaitQueue()
    private let forks = Fork.count

    // Belongs to whoever ends the phase of waiting.
    private var work: (() throws -> Success)?

    // Written by the thread or by who refuses the job, before the end is announced; read after it.
    private var outcome: Result<Success, any Error>?
    private var wasInVain = false

    // Written where the job is submitted, before a thread is found for it.
    private var job: UnownedJob?

    // Written where the job is submitted, before anybody waits.
    private var task: Task<Void, Never>?

    init(
        name: String?, _ patience: Patience, on crew: ThreadCrew, ancestors: [CrewTicket],
        work: sending @escaping () throws -> Success
    ) {
        ticket = CrewTicket(name: name, of: crew, ancestors: ancestors)
        self.crew = crew
        self.patience = patience
        self.work = work
    }

    /// Once.
    func submit() {
        task = Task(name: ticket.name, executorPreference: self) { self.perform() }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        precondition(self.job == nil, "a pool's task has one job")
        self.job = UnownedJob(job)
        crew.submit(self)
    }

    /// The task's body.
    func perform() {
        guard phase.begins() else { return }
        outcome = Result {
            try Lineage.$tickets.withValue([ticket] + ticket.ancestors) { [work] in
                try unsafe work.unsafelyUnwrapped()
            }
        }
        work = nil
        wasInVain = phase.ends()
    }

    // MARK: Ending early

    /// Takes work back that has not begun. False when it has.
    private func withdraw() -> Bool {
        guard phase.isWithdrawn() else { return false }
        work = nil
        return true
    }

    /// On behalf of everybody: work that has not begun does not begin, and other work can see that it is of no use.
    func cancel() {
        task?.cancel()
        if withdraw() {
            outcome = .failure(CancellationError())
            end.complete()
        }
    }

    /// The waiter has been cancelled. True when it need not wait.
    private func waiterLeaves() -> Bool {
        if patience == .shares { return true }
        task?.cancel()
        if withdraw() || patience == .abandons { return true }
        // Work that has ended is about to be announced, and its error must not be lost.
        return !phase.isInVain() && phase.wasWithdrawn
    }
}

extension BlockingJob: CrewWork {
    func run() {
        unsafe job.unsafelyUnwrapped.runSynchronously(on: asUnownedTaskExecutor())
    }

    func announce() {
        if phase.wasWithdrawn { return }
        end.complete(wasInVain ? .cancelled(.user) : Completion(0))
    }

    func refuse(_ reason: CrewRefusal) {
        if phase.isRefused() {
            work = nil
            outcome = .failure(error(reason))
            end.complete()
        }
        // So that the task ends.
        run()
    }

    private func error(_ reason: CrewRefusal) -> any Error {
        switch reason {
        case .closed: ThreadPoolError.shutDown(pool: crew.terms.name)
        case .dropped: CancellationError()
        case .noThread(let error): ThreadPoolError.noThread(error)
        }
    }
}

// MARK: - Waiting

extension BlockingJob: WaitSource {
    func withdraw(_ node: WaitNode) -> Bool {
        waiterLeaves() && end.withdraw(node)
    }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        let name = ticket.name.map { " '\($0)'" } ?? ""
        return WaitDescription("work\(name) on a thread of pool '\(crew.terms.name)'", .thread)
    }

    var isFinished: Bool { end.isComplete }

    /// What anybody may wait for is there: no cancellation stands in the way.
    private var needsNoWait: Bool { patience == .shares && isFinished }

    /// From a fiber or a plain thread.
    func wait(_ call: StaticString, deadline: Deadline) throws -> Success {
        // It is done in the parent.
        if forks != Fork.count && !isFinished { throw SchedulerError.forkedChild }
        if needsNoWait { return try value(Completion(0), deadline) }
        let completion =
            if Fork.isChild {
                end.blockInChild(in: self, deadline: deadline)
            } else {
                wait(call, deadline: deadline) { end.add($0) }
            }
        return try value(completion, deadline)
    }

    /// From a task.
    func wait(deadline: Deadline) async throws -> Success {
        if needsNoWait { return try value(Completion(0), deadline) }
        var completion = await wait(deadline: deadline) { end.add($0) }
        // Cancelled after the work was submitted and before the wait began.
        if completion.result < 0, !waiterLeaves() {
            _ = await wait(deadline: .never, isShielded: true) { end.add($0) }
            completion = .cancelled(.user)
        }
        return try value(completion, deadline)
    }

    private func value(_ completion: Completion, _ deadline: Deadline) throws -> Success {
        if completion.result == 0 { return try unsafe outcome.unsafelyUnwrapped.get() }
        // An error that the work ended with is not lost in favour of one that says less.
        if patience == .waits, end.isComplete, case .failure(let error) = outcome { throw error }
        throw completion.refusal(deadline)
    }
}

/// Which work of pools the current code is part of.
enum Lineage {
    @TaskLocal static var tickets: [CrewTicket] = []

    /// Without what has ended.
    static var current: [CrewTicket] { tickets.filter(\.isRunning) }
}
