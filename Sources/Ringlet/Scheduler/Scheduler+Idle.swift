// MARK: - Waiting until nothing is left to do, in both colours

extension Scheduler {
    /// Waits until the scheduler has nothing left to do: no fiber and no job is ready, no operation is in flight, no
    /// timer is outstanding, on any worker.
    ///
    /// What was made with `holdsScheduler: false` is not waited for, and neither is what waits for the caller or for ever:
    /// a fiber that waits for one of those, or for an event that nobody can cause any more, holds nothing up. What
    /// threads outside the scheduler may still ask for is not known here, nor a task's wait in code that is not
    /// Ringlet's.
    ///
    /// Called in a fiber it suspends the fiber; called on a plain thread it blocks the thread, which must not be one
    /// of the workers. Returns when all workers have ended, too.
    ///
    /// - Throws: `CancellationError`; ``TimeoutError``.
    @available(*, noasync, message: "in a task, await scheduler.waitUntilIdle()")
    public func waitUntilIdle(deadline: Deadline = .never) throws {
        try Fork.check()
        let wait = beginIdleWait()
        let limit = FiberRef.current == nil ? nil : end(wait, at: deadline)
        let completion = wait.wait("scheduler.waitUntilIdle()", deadline: limit == nil ? deadline : .never)
        try finish(wait, limit, completion, deadline)
    }

    /// Waits until the scheduler has nothing left to do. As the synchronous form.
    ///
    /// - Throws: `CancellationError`; ``TimeoutError``.
    public func waitUntilIdle(deadline: Deadline = .never) async throws {
        try Fork.check()
        let wait = beginIdleWait()
        let limit = end(wait, at: deadline)
        let completion = await wait.wait(deadline: .never)
        try finish(wait, limit, completion, deadline)
    }

    private func beginIdleWait() -> Occurrence {
        let wait = Occurrence("the scheduler to be idle")
        state.idleness.add(wait)
        let workers = state.workers
        for worker in workers { worker.inbox.notify() }
        if workers.isEmpty { state.idleness.ended() }
        return wait
    }

    /// A limit of the wait itself would be a timer that holds what is waited for.
    private func end(_ wait: Occurrence, at deadline: Deadline) -> Callback? {
        deadline == .never ? nil : at(deadline, holdsScheduler: false) { wait.happen() }
    }

    private func finish(
        _ wait: Occurrence, _ limit: Callback?, _ completion: Completion, _ deadline: Deadline
    ) throws {
        limit?.cancel()
        if !state.idleness.remove(wait) { return }
        if completion.result < 0 || completion.isRefused { throw completion.refusal(deadline) }
        throw TimeoutError(deadline: deadline)
    }
}
