import Synchronization

/// Runs main bodies one after the other on one scheduler, which is made at the first.
///
///     try SchedulerRunner.with { runner in
///         let cache = try runner.run { try Cache.load() }
///         for request in requests { try runner.run { try cache.serve(request) } }
///     }
///
/// `Scheduler.run(_:_:)` is the form for a single body. Here the workers have threads of their own,
/// for the life of the runner: what one body leaves behind goes on, between the runs too, until `close()` cancels and
/// awaits it. Each body sees the task-locals of the code that calls `run`.
///
/// All members may be used from any thread; one body runs at a time. A runner that is dropped unclosed shuts its scheduler
/// down without waiting for it.
public final class SchedulerRunner: Sendable {
    private enum Phase {
        /// With the scheduler, once it was made.
        case idle(Scheduler?)
        case running(Scheduler?)
        case closed
    }

    private let options: SchedulerOptions
    private let phase = Mutex(Phase.idle(nil))

    /// Makes nothing yet: what is wrong with `options` comes out at the first run.
    public init(_ options: SchedulerOptions = SchedulerOptions()) {
        self.options = options
    }

    /// The scheduler; nil before the first run and after the close.
    public var scheduler: Scheduler? {
        phase.withLock { phase in
            switch phase {
            case .idle(let scheduler), .running(let scheduler): scheduler
            case .closed: nil
            }
        }
    }

    // MARK: Running

    /// Runs `body` as a fiber of worker 0 and returns its value, while the calling thread is blocked. The main thread
    /// serves the `MainActor` meanwhile.
    ///
    /// - Throws: What `body` throws; what ``Scheduler/init(_:)`` throws, at the first run; ``SchedulerError/closed`` after
    ///   the close or a shutdown of the scheduler, ``SchedulerError/nestedRun`` inside a scheduler,
    ///   ``SchedulerError/runInProgress`` while another thread runs a body, and ``SchedulerError/stopped`` after ``Scheduler/stop()``.
    @available(*, noasync, message: "in a task, await runner.run { }")
    public func run<Success>(_ body: sending @escaping () throws -> Success) throws -> Success {
        let scheduler = try begin()
        return try block(MainRun(Fiber(name: "main", on: scheduler.workers[0], operation: body), on: scheduler), scheduler)
    }

    /// Runs `body` as a task on worker 0. As the form for a fiber.
    @available(*, noasync, message: "in a task, await runner.run { }")
    public func run<Success>(_ body: sending @escaping () async throws -> Success) throws -> Success {
        let scheduler = try begin()
        return try block(MainRun(MainTask(on: scheduler.workers[0], body), on: scheduler), scheduler)
    }

    /// Runs `body` as a fiber of worker 0, while the calling task is suspended. Cancelling that cancels the fiber.
    public func run<Success>(_ body: sending @escaping () throws -> Success) async throws -> Success {
        try Task.checkCancellation()
        let scheduler = try begin()
        return try await suspend(
            MainRun(Fiber(name: "main", on: scheduler.workers[0], operation: body), on: scheduler), scheduler)
    }

    /// Runs `body` as a task on worker 0, while the calling task is suspended. Cancelling that cancels it.
    public func run<Success>(_ body: sending @escaping () async throws -> Success) async throws -> Success {
        try Task.checkCancellation()
        let scheduler = try begin()
        return try await suspend(MainRun(MainTask(on: scheduler.workers[0], body), on: scheduler), scheduler)
    }

    private func block<Main>(_ run: MainRun<Main>, _ scheduler: Scheduler) throws -> Main.Success {
        run.end.block()
        return try end(run, scheduler).get()
    }

    private func suspend<Main>(_ run: MainRun<Main>, _ scheduler: Scheduler) async throws -> Main.Success {
        await run.wait()
        return try end(run, scheduler).get()
    }

    private func begin() throws -> Scheduler {
        guard !CurrentThread.mustNotBlock else { throw SchedulerError.nestedRun }
        let scheduler = try phase.withLock { phase in
            switch phase {
            case .idle(let scheduler):
                if scheduler?.state.isShuttingDown == true { throw SchedulerError.closed }
                phase = .running(scheduler)
                return scheduler
            case .running: throw SchedulerError.runInProgress
            case .closed: throw SchedulerError.closed
            }
        }
        if let scheduler { return scheduler }
        do {
            let scheduler = try Scheduler(options)
            phase.withLock { $0 = .running(scheduler) }
            return scheduler
        } catch {
            phase.withLock { $0 = .idle(nil) }
            throw error
        }
    }

    private func end<Main>(_ run: MainRun<Main>, _ scheduler: Scheduler) -> MainRun<Main>.Outcome {
        let outcome = run.finish()
        phase.withLock { $0 = .idle(scheduler) }
        return outcome
    }

    // MARK: Closing

    /// Cancels what the bodies left behind, waits until it has ended, and stops the threads. Blocks the calling thread. A
    /// second close does nothing.
    ///
    /// - Throws: ``SchedulerError/runInProgress`` while a body runs; ``SchedulerError/nestedRun`` on a worker of the scheduler.
    @available(*, noasync, message: "in a task, await runner.close()")
    public func close() throws { try takeScheduler()?.shutdown() }

    /// Cancels what the bodies left behind and awaits its end. As the synchronous form.
    public func close() async throws { try await takeScheduler()?.shutDownAside() }

    private func takeScheduler() throws -> Scheduler? {
        try phase.withLock { phase in
            switch phase {
            case .idle(let scheduler):
                if scheduler?.isCurrent == true { throw SchedulerError.nestedRun }
                phase = .closed
                return scheduler
            case .running: throw SchedulerError.runInProgress
            case .closed: return nil
            }
        }
    }

    /// Gives `body` a runner and closes it afterwards, also when `body` throws.
    @available(*, noasync, message: "in a task, await SchedulerRunner.with { }")
    public static func with<Success>(
        _ options: SchedulerOptions = SchedulerOptions(), _ body: (SchedulerRunner) throws -> Success
    ) throws -> Success {
        let runner = SchedulerRunner(options)
        let outcome = Result { try body(runner) }
        try runner.close()
        return try outcome.get()
    }

    /// Gives `body` a runner and closes it afterwards, also when `body` throws.
    public static func with<Success>(
        _ options: SchedulerOptions = SchedulerOptions(), _ body: (SchedulerRunner) async throws -> Success
    ) async throws -> Success {
        let runner = SchedulerRunner(options)
        let outcome: Result<Success, any Error>
        do { outcome = .success(try await body(runner)) } catch { outcome = .failure(error) }
        try await runner.close()
        return try outcome.get()
    }
}
