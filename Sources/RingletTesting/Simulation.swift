public import Ringlet

/// Runs of a program in which the kernel, the clock and chance are simulated: for tests.
///
///     try Simulation.run(seed: 7) {
///         let slow = Fiber { try Fiber.sleep(for: .seconds(3600)) }
///         try slow.join()
///         #expect(Simulation.now == .seconds(3600))       // a millisecond later
///     }
///
/// Time stands while anything can run, and when nothing can it jumps to the next timer. `Deadline`, `Fiber.sleep`,
/// `Scheduler.sleep`, `Task.sleep` and the deadlines of operations go by it, as long as the code runs in the simulation: in its
/// fibers, and in tasks that prefer its executor. The order of what is free in order, above all which of the fibers and jobs that
/// are ready runs next, is decided by the seed, and the same seed decides the same. When nothing can happen any more, the run
/// ends with a `DeadlockError`.
///
/// A simulation has one worker, whose thread is its own. What other threads do is outside: a task without an executor preference,
/// the `MainActor`, a queue of libdispatch.
public enum Simulation {
    // MARK: Running

    /// Runs `body` as the main fiber of a simulation and returns its value. Blocks the thread, for as long as the program
    /// computes.
    ///
    /// - Parameters:
    ///   - seed: Decides the order of everything that is free; nil is first in, first out, as in production.
    ///   - options: Of these, the size of stacks and the faults apply.
    /// - Throws: What `body` throws; `DeadlockError`; `SchedulerError.nestedRun` inside a scheduler, and
    ///   `SchedulerError.invalidOption` for more than one worker.
    @available(*, noasync, message: "in a task, await Simulation.run { }")
    public static func run<Success>(
        seed: UInt64? = nil, _ options: SchedulerOptions = SchedulerOptions(),
        _ body: sending @escaping () throws -> Success
    ) throws -> Success {
        let main = FiberBody(body)
        let run = SimulatedRun(World(seed: seed)) { try await Scheduler.runInFiber("main", main.run) }
        return try run.result(options)
    }

    /// Runs `body` as the main task of a simulation and returns its value. Blocks the thread.
    @available(*, noasync, message: "in a task, await Simulation.run { }")
    public static func run<Success>(
        seed: UInt64? = nil, _ options: SchedulerOptions = SchedulerOptions(),
        _ body: sending @escaping () async throws -> Success
    ) throws -> Success {
        try SimulatedRun(World(seed: seed), body).result(options)
    }

    /// Runs `body` as the main fiber of a simulation, while the calling task is suspended. Cancelling the task cancels the
    /// fiber.
    public static func run<Success>(
        seed: UInt64? = nil, _ options: SchedulerOptions = SchedulerOptions(),
        _ body: sending @escaping () throws -> Success
    ) async throws -> Success {
        let main = FiberBody(body)
        let run = SimulatedRun(World(seed: seed)) { try await Scheduler.runInFiber("main", main.run) }
        return try await run.result(options)
    }

    /// Runs `body` as the main task of a simulation, while the calling task is suspended. Cancelling the task cancels the
    /// main task.
    public static func run<Success>(
        seed: UInt64? = nil, _ options: SchedulerOptions = SchedulerOptions(),
        _ body: sending @escaping () async throws -> Success
    ) async throws -> Success {
        try await SimulatedRun(World(seed: seed), body).result(options)
    }

    // MARK: Inside

    /// How much time has passed in the simulation whose thread this is. Traps outside of one.
    public static var now: Duration { World.required("Simulation.now").elapsed }

    /// The seed of the simulation whose thread this is; nil when it has none. Traps outside of one.
    public static var seed: UInt64? { World.required("Simulation.seed").seed }

    /// The executor of the simulation whose thread this is, for tasks that are to be part of it. Traps outside of one.
    ///
    ///     let task = Task(executorPreference: Simulation.executor) { try await Task.sleep(for: .seconds(60)) }
    public static var executor: any TaskExecutor {
        _ = World.required("Simulation.executor")
        guard let scheduler = Scheduler.current else { fatalError("a simulation has a scheduler while it runs") }
        return scheduler.taskExecutor
    }

    /// Two ends of a connection in the simulation whose thread this is. `TCPListener` and `TCPConnection.connect` work there too,
    /// between each other. Traps outside of one.
    public static func connectedPair() -> (TCPConnection, TCPConnection) {
        let (first, second) = World.required("Simulation.connectedPair()").network.makePair()
        return (TCPConnection(first), TCPConnection(second))
    }

    /// Awaits `body`, which depends on other threads. Meanwhile time stands, and that nothing can run is no deadlock.
    /// Traps outside a simulation.
    ///
    /// When the others come back is their affair: what depends on it is not decided by the seed.
    public static func outside<Success>(_ body: () async throws -> Success) async rethrows -> Success {
        let world = World.required("Simulation.outside")
        world.callsOutside += 1
        defer { world.callsOutside -= 1 }
        return try await body()
    }
}
