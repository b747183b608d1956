import Ringlet

/// One run of a main body in a world, from a thread or a task that waits for it.
final class SimulatedRun<Success>: @unchecked Sendable {
    /// Calls what it is given, once, in surroundings of its own.
    typealias Scope = @Sendable (@Sendable () async throws -> Void) async throws -> Void

    private let world: World
    private let scope: Scope
    // Until the main task takes it.
    private var body: (() async throws -> Success)?
    // As in production, it lasts until everything has ended.
    private var scheduler: Scheduler?
    // Written by the main task, and read when the run is over.
    private var outcome: Result<Success, any Error>?

    init(
        _ world: World, inScopeOf scope: @escaping Scope = { try await $0() },
        _ body: sending @escaping () async throws -> Success
    ) {
        self.world = world
        self.scope = scope
        self.body = body
    }

    /// Runs it, and blocks the calling thread.
    func result(_ options: SchedulerOptions) throws -> Success {
        _ = try start(options)
        let end = WorkerAnswer<Bool>()
        world.conclusion.whenOver { end.give(true) }
        _ = end.wait(until: .never)
        return try conclusion()
    }

    /// Runs it, and suspends the calling task, whose cancellation is the main task's.
    func result(_ options: SchedulerOptions) async throws -> Success {
        try Task.checkCancellation()
        let main = try start(options)
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                world.conclusion.whenOver { continuation.resume() }
            }
        } onCancel: {
            main.cancel()
        }
        return try conclusion()
    }

    func outcome(_ options: SchedulerOptions) async -> Result<Success, any Error> {
        do { return .success(try await result(options)) } catch { return .failure(error) }
    }

    /// The main task is made here, so that it has the task-locals of the caller: a test knows its expectations by one.
    private func start(_ options: SchedulerOptions) throws -> Task<Void, Never> {
        let scheduler = try Scheduler(options, simulation: world)
        self.scheduler = scheduler
        let main = Task(name: "main", executorPreference: scheduler.taskExecutor) {
            await self.runBody()
            scheduler.cancelLeftovers()
        }
        world.conclusion.belongs(to: main)
        return main
    }

    private func runBody() async {
        world.begin()
        do {
            try await scope {
                guard let body = self.body else { return }
                self.body = nil
                self.outcome = .success(try await body())
            }
        } catch {
            outcome = .failure(error)
        }
    }

    private func conclusion() throws -> Success {
        if let deadlock = world.conclusion.deadlock { throw deadlock }
        guard let outcome else { fatalError("a run that is over has an outcome") }
        return try outcome.get()
    }
}

/// The body of a main fiber on its way to the worker's thread.
final class FiberBody<Success>: @unchecked Sendable {
    // Written by the caller, taken by the fiber.
    private var body: (() throws -> Success)?

    init(_ body: sending @escaping () throws -> Success) {
        self.body = body
    }

    @Sendable
    func run() throws -> Success {
        guard let body else { fatalError("a main body runs once") }
        self.body = nil
        return try body()
    }
}
