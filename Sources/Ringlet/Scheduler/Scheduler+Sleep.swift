import SystemPackage

// MARK: - Sleeping, in both colours

extension Scheduler {
    /// Suspends the current fiber for at least `duration`; the same as ``Fiber/sleep(for:)``.
    ///
    /// - Parameters:
    ///   - duration: At least so long.
    ///   - holdsScheduler: False for a sleep that `waitUntilIdle(deadline:)` does not wait for.
    /// - Throws: `CancellationError`; `Errno.invalidArgument` when `duration` is negative.
    @available(*, noasync, message: "in a task, await Scheduler.sleep(for:)")
    public static func sleep(for duration: Duration, holdsScheduler: Bool = true) throws {
        if duration < .zero { throw Errno.invalidArgument }
        try Fiber.sleep(until: .after(duration), holdsScheduler: holdsScheduler)
    }

    /// Suspends the current task for at least `duration`.
    ///
    /// See `sleep(until:)` for how it differs from `Task.sleep`.
    ///
    /// - Throws: `CancellationError`; `Errno.invalidArgument` when `duration` is negative.
    public static func sleep(for duration: Duration, holdsScheduler: Bool = true) async throws {
        if duration < .zero { throw Errno.invalidArgument }
        try await sleep(until: .after(duration), holdsScheduler: holdsScheduler)
    }

    /// Suspends the current fiber until `deadline`; the same as ``Fiber/sleep(until:)``.
    ///
    /// - Throws: `CancellationError`.
    @available(*, noasync, message: "in a task, await Scheduler.sleep(until:)")
    public static func sleep(until deadline: Deadline, holdsScheduler: Bool = true) throws {
        try Fiber.sleep(until: deadline, holdsScheduler: holdsScheduler)
    }

    /// Suspends the current task until `deadline`; for ever, that is until it is cancelled, with
    /// ``Deadline/never``.
    ///
    /// In a task that prefers a worker, outside any actor, a sleep is one timer of the worker and no
    /// allocation; `Task.sleep` makes a second task for each. In an actor it allocates, and any other
    /// task is served by a background scheduler. A shutdown of the worker's scheduler ends the sleep, as it
    /// ends operations, where one of `Task.sleep` goes on elsewhere.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, before or during the sleep, and when the
    ///   scheduler shuts down.
    public static func sleep(until deadline: Deadline, holdsScheduler: Bool = true) async throws {
        let completion = try await Worker.forCurrentTask.sleep(until: deadline, holds: holdsScheduler)
        if completion.result < 0 { throw CancellationError() }
    }
}

// MARK: - Checkpoints, in both colours

extension Scheduler {
    /// Lets everything else that is ready run first, unless the current fiber was cancelled; the same as
    /// ``Fiber/yield()``. For long computations, and for what waits only sometimes; trio's `checkpoint`.
    ///
    /// - Throws: `CancellationError` when the fiber was cancelled, before or meanwhile.
    @available(*, noasync, message: "in a task, await Scheduler.checkpoint()")
    public static func checkpoint() throws { try Fiber.yield() }

    /// Lets everything else that is ready run first, unless the current task was cancelled.
    ///
    /// `Task.yield()` alone is no cancellation point, and `Task.checkCancellation()` alone lets nobody run.
    ///
    /// - Throws: `CancellationError` when the task was cancelled, before or meanwhile, or the scheduler shuts down.
    public static func checkpoint() async throws {
        try checkTask()
        await Task.yield()
        try checkTask()
    }

    private static func checkTask() throws {
        try Fork.check()
        try Task.checkCancellation()
        if CurrentThread.worker?.refusesTasks == true { throw CancellationError() }
    }
}
