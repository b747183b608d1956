import SystemPackage

// MARK: - Run a main body

extension Scheduler {
    /// Runs `body` as the main fiber of a new scheduler and returns its value.
    ///
    /// Worker 0 runs on the calling thread, so on the main thread the `MainActor` works too; inside a
    /// Swift task, whose thread is only lent, it gets a thread of its own. When the body has ended, the
    /// fibers that are left are cancelled and awaited. Of tasks that are left, which are Swift's, only the
    /// waits in Ringlet end, with `CancellationError`: start in a group what is to be awaited.
    ///
    /// - Throws: What `body` throws; ``KernelRefusal``, ``SchedulerError`` or `Errno` when the scheduler cannot start;
    ///   ``SchedulerError/stopped`` after ``stop()``; ``InterruptError`` with
    ///   ``SchedulerOptions/cancelsOnInterrupt``.
    @available(*, noasync, message: "in a task, await Scheduler.run { }")
    public static func run<Success>(
        _ options: SchedulerOptions = SchedulerOptions(),
        _ body: sending @escaping () throws -> Success
    ) throws -> Success {
        let (scheduler, isInline) = try makeForRun(options)
        let main = Fiber(name: "main", on: scheduler.workers[0], operation: body)
        return try scheduler.finish(MainRun(main, on: scheduler), isInline: isInline)
    }

    /// Runs `body` as the main task of a new scheduler and returns its value.
    ///
    /// As ``run(_:_:)-(_,()->Success)``, for an `async` body.
    @available(*, noasync, message: "in a task, await Scheduler.run { }")
    public static func run<Success>(
        _ options: SchedulerOptions = SchedulerOptions(),
        _ body: sending @escaping () async throws -> Success
    ) throws -> Success {
        let (scheduler, isInline) = try makeForRun(options)
        let main = MainTask(on: scheduler.workers[0], body)
        return try scheduler.finish(MainRun(main, on: scheduler), isInline: isInline)
    }

    /// Runs `body` as the main fiber of a new scheduler, while the calling task is suspended.
    ///
    /// All workers get threads of their own.
    public static func run<Success>(
        _ options: SchedulerOptions = SchedulerOptions(),
        _ body: sending @escaping () throws -> Success
    ) async throws -> Success {
        try Task.checkCancellation()
        let scheduler = try makeOnThreads(options)
        let main = Fiber(name: "main", on: scheduler.workers[0], operation: body)
        return try await scheduler.finish(MainRun(main, on: scheduler))
    }

    /// Runs `body` as the main task of a new scheduler, while the calling task is suspended.
    ///
    /// All workers get threads of their own. Cancelling the calling task cancels the main task.
    public static func run<Success>(
        _ options: SchedulerOptions = SchedulerOptions(),
        _ body: sending @escaping () async throws -> Success
    ) async throws -> Success {
        try Task.checkCancellation()
        let scheduler = try makeOnThreads(options)
        let main = MainTask(on: scheduler.workers[0], body)
        return try await scheduler.finish(MainRun(main, on: scheduler))
    }

    private static func makeForRun(_ options: SchedulerOptions) throws -> (Scheduler, Bool) {
        guard !CurrentThread.mustNotBlock else { throw SchedulerError.nestedRun }
        if CurrentThread.isInTask { return (try Scheduler(options), false) }
        return (try makeInline(options), true)
    }

    /// A scheduler whose worker 0 is the calling thread.
    static func makeInline(_ options: SchedulerOptions, asGuest: Bool = false) throws -> Scheduler {
        let scheduler = try Scheduler(options, inlineWorkers: 1, hasGuest: asGuest)
        do {
            try scheduler.workers[0].begin()
        } catch {
            _ = scheduler.state.beginShutdown()
            scheduler.workers[0].destroy()
            scheduler.requestShutdown()
            _ = scheduler.joinThreads(deadline: .never)
            throw error
        }
        return scheduler
    }

    /// Cancels what is left, runs worker 0 on the calling thread until that has ended, and leaves the thread.
    func endInline() {
        _ = state.beginShutdown()
        requestShutdown()
        workers[0].run { false }
        workers[0].end()
        _ = joinThreads(deadline: .never)
    }

    private static func makeOnThreads(_ options: SchedulerOptions) throws -> Scheduler {
        guard !CurrentThread.mustNotBlock else { throw SchedulerError.nestedRun }
        return try Scheduler(options)
    }

    /// Waits for the main body, then shuts down.
    private func finish<Main>(_ run: MainRun<Main>, isInline: Bool) throws -> Main.Success {
        let outcome: MainRun<Main>.Outcome
        if isInline {
            let worker = workers[0]
            worker.run { run.end.hasCome }
            outcome = run.finish()
            endInline()
        } else {
            run.end.block()
            outcome = run.finish()
            shutdown()
        }
        return try outcome.get()
    }

    /// The same, from a task. Cancelling it cancels the main body.
    private func finish<Main>(_ run: MainRun<Main>) async throws -> Main.Success {
        await run.wait()
        let outcome = run.finish()
        await shutDownAside()
        return try outcome.get()
    }

    // MARK: Stopping

    /// Ends the run that is under way, although its main body has not ended, after the present turns of the workers: it throws
    /// ``SchedulerError/stopped``. `Scheduler.run` then cancels and awaits the body with everything else, and a
    /// ``SchedulerRunner`` leaves it running. Any thread.
    ///
    /// - Returns: False when no run is under way, and nothing happens.
    @discardableResult
    public func stop() -> Bool { state.stopRun() }

    /// `shutdown()` blocks; a task must not.
    func shutDownAside() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            WorkerThread.runAside({ self.shutdown() }, then: { continuation.resume() })
        }
    }
}
