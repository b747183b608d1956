import Synchronization

// MARK: - Work on a thread, in both colours

extension ThreadPool {
    /// Runs `work`, which may block, on a thread of the pool and returns its value or throws its error.
    ///
    /// Called in a fiber it suspends the fiber, on a plain thread it blocks the thread. In a task use
    /// `try await`. The work sees the task-locals of the caller. It is in no fiber and on no worker: what needs a fiber
    /// to suspend traps there.
    ///
    /// Work that has begun cannot be stopped, but it can ask `Task.isCancelled`. When the caller is cancelled, work
    /// that has not begun does not begin, and other work is waited for; then its error is thrown, or
    /// `CancellationError` in place of its value. What must not be lost with the value must be kept by the work.
    ///
    /// - Parameters:
    ///   - name: Part of the pool's report, and the name of the work's task.
    ///   - abandonOnCancel: A cancelled caller does not wait: it gets `CancellationError` at once, what the work
    ///     ends with is dropped, and its thread then serves others.
    ///   - work: Called once, or not at all.
    /// - Throws: What `work` throws; `CancellationError`; ``ThreadPoolError``.
    @available(*, noasync, message: "in a task, await run(name:abandonOnCancel:_:)")
    public func run<Success>(
        name: String? = nil, abandonOnCancel: Bool = false, _ work: sending @escaping () throws -> Success
    ) throws -> Success {
        if let fiber = FiberRef.current {
            if fiber.mustNotWait { throw Completion.cancelled(.user).error(.never) }
        } else if let thread = CrewThread.current, thread.crew === crew {
            if terms.isClosed.load(ordering: .relaxed) { throw ThreadPoolError.shutDown(pool: self.name) }
            return try work()
        }
        return try job(name, abandonOnCancel ? .abandons : .waits, work)
            .wait("ThreadPool.run", deadline: .never)
    }

    /// Runs `work`, which may block, on a thread of the pool and returns its value or throws its error.
    ///
    /// As the synchronous form. A task that has been cancelled runs nothing.
    public func run<Success>(
        name: String? = nil, abandonOnCancel: Bool = false, _ work: sending @escaping () throws -> Success
    ) async throws -> Success {
        try Task.checkCancellation()
        return try await job(name, abandonOnCancel ? .abandons : .waits, work).wait(deadline: .never)
    }

    /// Has `work` run on a thread of the pool, and does not wait for it.
    ///
    /// Called anywhere. A pool that has been shut down refuses with an error from `ThreadPoolJob.join(deadline:)`.
    @discardableResult
    public func spawn<Success>(
        name: String? = nil, _ work: sending @escaping () throws -> Success
    ) -> ThreadPoolJob<Success> {
        ThreadPoolJob(job: job(name, .shares, work))
    }

    func job<Success>(
        _ name: String?, _ patience: BlockingJob<Success>.Patience, _ work: sending @escaping () throws -> Success
    ) -> BlockingJob<Success> {
        let job = BlockingJob(name: name, patience, on: crew, ancestors: Lineage.current, work: work)
        job.submit()
        return job
    }
}

/// Work that a pool has been given: to be waited for by anybody, any number of times. Dropping it stops nothing.
///
/// Made by ``ThreadPool/spawn(name:_:)``. All members may be used from any thread.
public struct ThreadPoolJob<Success>: Sendable {
    let job: BlockingJob<Success>

    /// True once the work has ended, or it is settled that it will not begin.
    public var isFinished: Bool { job.isFinished }

    /// Work that has not begun does not begin, and whoever waits for it gets `CancellationError`. Other work
    /// goes on, and finds `Task.isCancelled` true.
    public func cancel() { job.cancel() }

    /// Waits for the end and returns the work's value or throws its error.
    ///
    /// Called in a fiber it suspends the fiber, on a plain thread it blocks the thread. On a thread of the same pool it
    /// waits for work that may have no thread: use `ThreadPool.run(name:abandonOnCancel:_:)` there.
    ///
    /// - Throws: What the work threw; `CancellationError` when the work was cancelled before it began, or when the
    ///   waiting fiber is cancelled, which leaves the work alone; ``TimeoutError``; ``ThreadPoolError``.
    @available(*, noasync, message: "in a task, await join(deadline:)")
    public func join(deadline: Deadline = .never) throws -> Success {
        try job.wait("ThreadPoolJob.join", deadline: deadline)
    }

    /// Waits for the end and returns the work's value or throws its error.
    ///
    /// As the synchronous form.
    public func join(deadline: Deadline = .never) async throws -> Success {
        try await job.wait(deadline: deadline)
    }
}
