import SystemPackage
import Synchronization

/// Workers that run fibers and Swift tasks side by side on io_uring.
///
/// Most programs have one and do not name it:
///
///     try Scheduler.run {
///         let a = Fiber { try fetch("a") }
///         let b = Fiber { try fetch("b") }
///         print(try a.join(), try b.join())
///     }
///
/// A scheduler that is made by `init` runs on threads of its own until ``shutdown(deadline:)``.
/// All members may be used from any thread.
public final class Scheduler: Sendable {
    let state: SchedulerState
    let workers: [Worker]

    /// Threads that were started here; the worker of an inline run has none.
    private let threads: Mutex<[WorkerThread]>

    private let nextWorker = Atomic<Int>(0)

    /// Starts a scheduler on threads of its own.
    ///
    /// - Throws: ``KernelRefusal`` when the kernel gives no ring, `Errno` when a thread cannot start,
    ///   ``SchedulerError`` for an option or an environment variable that means nothing, and in the child
    ///   of a fork.
    public convenience init(_ options: SchedulerOptions = SchedulerOptions()) throws {
        try self.init(options, inlineWorkers: 0)
    }

    /// - Parameters:
    ///   - inlineWorkers: How many of the workers, counted from 0, the caller runs itself.
    ///   - hasGuest: The first of them in a loop of somebody else's.
    ///   - simulation: What stands for the kernel; nobody else is asked then.
    convenience init(
        _ options: SchedulerOptions, inlineWorkers: Int, hasGuest: Bool = false,
        simulation: (any KernelSimulation)? = nil
    ) throws {
        try Fork.check()
        var options = options
        try Environment.checkStackGuards()
        if try Environment.debug() { options.debug = options.debug ?? DebugMode() }
        try options.validate()
        if let signal = options.dumpSignal { try DumpSignal.install(signal) { Self.dumpAll() } }
        let preference = try Environment.kernel() ?? options.kernel
        var kernel = KernelChoice(mask: try Environment.kernelMask())
        kernel.faults = try options.faults ?? Environment.faults()
        kernel.hasGuest = hasGuest
        kernel.simulation = simulation
        if simulation != nil {
            kernel.reason = "asked for"
        } else if preference == .emulated {
            kernel.isEmulated = true
            kernel.reason = "asked for"
        }
        do {
            try self.init(options, inlineWorkers: inlineWorkers, kernel: kernel)
        } catch let refusal as KernelRefusal
            where simulation == nil && preference == .automatic && refusal.leavesEmulation
        {
            kernel.isEmulated = true
            kernel.reason = refusal.description
            try self.init(options, inlineWorkers: inlineWorkers, kernel: kernel)
            StandardError.sayOnce("ringlet: running on the emulated ring; \(refusal)")
        }
    }

    private init(_ options: SchedulerOptions, inlineWorkers: Int, kernel: KernelChoice) throws {
        let state = SchedulerState(options: options, kernel: kernel)
        var workers: [Worker] = []
        var threads: [WorkerThread] = []
        do {
            for index in 0..<options.workers {
                workers.append(try Worker(index: index, shared: state))
            }
            state.adopt(workers)
            try state.watchdog?.start(state)
            for worker in workers.dropFirst(inlineWorkers) {
                threads.append(try WorkerThread(running: worker))
            }
        } catch {
            _ = state.beginShutdown()
            for thread in threads { thread.stopAndJoin() }
            for worker in workers { worker.destroy() }
            throw error
        }
        self.state = state
        self.workers = workers
        self.kernel = workers[0].ring.info(kernel.reason)
        if !self.kernel.emulatedOperations.isEmpty {
            let names = self.kernel.emulatedOperations.joined(separator: ", ")
            StandardError.sayOnce("ringlet: io_uring of this kernel lacks \(names); emulated")
        }
        self.threads = Mutex(threads)
        state.belong(to: self)
    }

    /// The scheduler whose worker runs this thread, if one does.
    public static var current: Scheduler? { CurrentThread.worker?.shared.scheduler }

    /// The number of workers.
    public var workerCount: Int { workers.count }

    /// What worker 0 got of the kernel; the others asked for the same.
    public let kernel: KernelInfo

    /// True when this thread runs one of the scheduler's workers.
    public var isCurrent: Bool {
        CurrentThread.worker.map { $0.shared === state } ?? false
    }

    /// The worker for new work: the one that runs this thread, or the next in turn.
    var placement: Worker {
        if let worker = CurrentThread.worker, worker.shared === state { return worker }
        let turn = nextWorker.wrappingAdd(1, ordering: .relaxed).oldValue
        return workers[Int(UInt(bitPattern: turn) % UInt(workers.count))]
    }

    // MARK: Spawning

    /// Starts a fiber. Called on one of the workers, the fiber runs there; otherwise workers take
    /// turns.
    ///
    /// After ``shutdown(deadline:)`` the fiber ends with `CancellationError` before it begins. `fileID` and `line`
    /// become its ``AnyFiber/spawnSite``.
    @discardableResult
    public func spawn<Success>(
        name: String? = nil, priority: TaskPriority? = nil, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () throws -> Success
    ) -> Fiber<Success> {
        spawn(name: name, StartTerms(priority, locals), at: PackedSite(fileID, line), operation)
    }

    func spawn<Success>(
        name: String?, _ terms: StartTerms = StartTerms(), at site: PackedSite,
        _ operation: sending @escaping () throws -> Success
    ) -> Fiber<Success> {
        let fiber = Fiber(name: name, on: placement, site: site, operation: operation)
        fiber.start(terms)
        return fiber
    }

    /// Starts a fiber on the worker with the given index, which must be less than ``workerCount``.
    @discardableResult
    public func spawn<Success>(
        onWorker index: Int, name: String? = nil, priority: TaskPriority? = nil, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () throws -> Success
    ) -> Fiber<Success> {
        precondition(workers.indices.contains(index), "there is no worker \(index)")
        let fiber = Fiber(
            name: name, on: workers[index], site: PackedSite(fileID, line), operation: operation)
        fiber.start(StartTerms(priority, locals))
        return fiber
    }

    /// The executor for Swift tasks: of the current worker, or of the next in turn.
    ///
    ///     Task(executorPreference: scheduler.taskExecutor) { … }
    public var taskExecutor: any TaskExecutor { placement }

    /// The executor of the worker with the given index, which must be less than ``workerCount``.
    public func taskExecutor(ofWorker index: Int) -> any TaskExecutor {
        precondition(workers.indices.contains(index), "there is no worker \(index)")
        return workers[index]
    }

    // MARK: Shutdown

    /// Brings every ``AsyncGenerator`` to its end, cancels every fiber, ends every operation, waits until all
    /// have ended, and stops the threads.
    ///
    /// Nothing is cancelled while generators clean up, for ``SchedulerOptions/cleanUpLimit`` and half of the time
    /// until the deadline of the first call at most; what has not ended then is cancelled like all the rest.
    ///
    /// Blocks the calling thread, which must not be one of the workers. Later calls wait for what earlier
    /// ones left.
    ///
    /// - Parameter deadline: When it passes first, what still runs is left running, and its memory is
    ///   leaked rather than freed under the kernel. The workers are then asked what they wait for, which may
    ///   take 20 milliseconds more.
    /// - Returns: What was left. In the child of a fork, nothing, at once: nothing of the scheduler is there.
    @discardableResult
    public func shutdown(deadline: Deadline = .never) -> ShutdownReport {
        if Fork.isChild { return ShutdownReport() }
        precondition(!isCurrent, "Scheduler.shutdown() would wait for the thread it runs on")
        cancelEverything(before: deadline)
        return joinThreads(deadline: deadline)
    }

    /// Begins the shutdown, unless it has begun, and does not wait for its end. Any thread.
    func cancelEverything(before deadline: Deadline = .never) {
        if state.beginShutdown() { requestShutdown(before: deadline) }
    }

    func requestShutdown(before deadline: Deadline = .never) {
        let mustWait = state.generators.endAll { [workers, state] in
            let limit = state.cleanUpLimit(before: deadline)
            for worker in workers { worker.perform { $0.beginShutdown(tasksUntil: limit) } }
        }
        if mustWait { state.generators.giveUp(at: state.cleanUpLimit(before: deadline), on: workers[0]) }
    }

    func joinThreads(deadline: Deadline) -> ShutdownReport {
        let threads = threads.withLock { $0 }
        let stuck = threads.filter { !$0.join(deadline: deadline) }.map(\.worker)
        var report = ShutdownReport()
        report.generators = state.generators.count
        if stuck.isEmpty { return report }
        report.workers = Worker.leftovers(of: stuck)
        report.stuckWorkers = stuck.count
        report.fibers = FiberTally.live(workers)
        return report
    }

    deinit {
        // The last reference may go away on a worker, which cannot wait for itself: the threads end by themselves.
        cancelEverything()
    }
}
