import SystemPackage

// MARK: - Run a main body

extension Scheduler {
    /// Runs `body` as the main fiber of a new scheduler and returns its value.
    ///
    /// Worker 0 runs on the calling thread, so on the main thread the `MainActor` works too; inside a
    /// Swift task, whose thread is only lent, it gets a thread of its own. When the body has ended, what
    /// is left is cancelled and awaited.
    ///
    /// - Throws: What `body` throws; ``KernelRefusal``, ``SchedulerError`` or `Errno` when the
    ///   scheduler cannot start.
    @available(*, noasync, message: "in a task, await Scheduler.run { }")
    public static func run<Success>(
        _ options: SchedulerOptions = SchedulerOptions(),
        _ body: sending @escaping () throws -> Success
    ) throws -> Success {
        let (scheduler, isInline) = try makeForRun(options)
        let main = Fiber(name: "main", on: scheduler.workers[0], operation: body)
        main.start()
        scheduler.finish(isInline: isInline, main)
        return try main.join()
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
        let main = MainTask(body)
        main.start(on: scheduler.workers[0])
        scheduler.finish(isInline: isInline, main)
        return try main.result()
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
        main.start()
        // Cancelling the calling task cancels the main body.
        await withTaskCancellationHandler {
            _ = await main.wait(deadline: .never, isShielded: true) { main.end.add($0) }
        } onCancel: {
            main.cancel()
        }
        await scheduler.shutDownAside()
        return try await main.join()
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
        let main = MainTask(body)
        let task = main.start(on: scheduler.workers[0])
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        await scheduler.shutDownAside()
        return try main.result()
    }

    private static func makeForRun(_ options: SchedulerOptions) throws -> (Scheduler, Bool) {
        guard CurrentThread.worker == nil else { throw SchedulerError.nestedRun }
        let isInline = !CurrentThread.isInTask
        let scheduler = try Scheduler(options, inlineWorkers: isInline ? 1 : 0)
        if isInline {
            do {
                try scheduler.workers[0].begin()
            } catch {
                _ = scheduler.state.beginShutdown()
                scheduler.workers[0].destroy()
                scheduler.requestShutdown()
                _ = scheduler.joinThreads(deadline: .never)
                throw error
            }
        }
        return (scheduler, isInline)
    }

    private static func makeOnThreads(_ options: SchedulerOptions) throws -> Scheduler {
        guard CurrentThread.worker == nil else { throw SchedulerError.nestedRun }
        return try Scheduler(options)
    }

    /// Waits for the main body, then shuts down.
    private func finish(isInline: Bool, _ main: some MainBody) {
        if isInline {
            let worker = workers[0]
            worker.run { main.isFinished }
            _ = state.beginShutdown()
            requestShutdown()
            worker.run { false }
            worker.end()
            _ = joinThreads(deadline: .never)
            state.lateFailures.report()
        } else {
            main.blockUntilFinished()
            shutdown()
        }
    }

    /// `shutdown()` blocks; a task must not.
    private func shutDownAside() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            WorkerThread.runAside {
                self.shutdown()
                continuation.resume()
            }
        }
    }
}

/// The body of `Scheduler.run`: a fiber or a task.
private protocol MainBody: WaitSource {
    var isFinished: Bool { get }

    /// As ``WaitQueue/add(_:)``.
    func queue(_ node: WaitNode) -> Bool
}

extension AnyFiber: MainBody {
    fileprivate func queue(_ node: WaitNode) -> Bool { end.add(node) }
}

extension MainBody {
    /// Blocks a plain thread.
    func blockUntilFinished() {
        let parker = ThreadParker()
        defer { parker.deallocate() }
        if queue(WaitNode(.thread(parker), in: self)) { _ = parker.park(until: .max) }
    }
}

/// An `async` main body and its outcome.
private final class MainTask<Success>: MainBody, @unchecked Sendable {
    private let end = WaitQueue()
    // Written by the task, then announced by `end`.
    private var outcome: Result<Success, any Error>?
    private var body: (() async throws -> Success)?

    init(_ body: sending @escaping () async throws -> Success) {
        self.body = body
    }

    @discardableResult
    func start(on worker: Worker) -> Task<Void, Never> {
        Task(name: "main", executorPreference: worker) {
            let body = self.body!
            self.body = nil
            do {
                self.outcome = .success(try await body())
            } catch {
                self.outcome = .failure(error)
            }
            self.end.complete()
        }
    }

    var isFinished: Bool { end.isComplete }
    func withdraw(_ node: WaitNode) -> Bool { end.withdraw(node) }
    func queue(_ node: WaitNode) -> Bool { end.add(node) }
    func result() throws -> Success { try outcome!.get() }
}
