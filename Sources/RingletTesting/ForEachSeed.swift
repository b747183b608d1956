public import Ringlet

/// Runs `body` in simulations, as the main fiber, once with each seed; stops at the first that fails.
///
///     try forEachSeed(1...100) { seed in
///         let order = Journal()
///         let fibers = (0..<3).map { number in Fiber { order.note(number) } }
///         for fiber in fibers { try fiber.join() }
///         #expect(Set(order.all) == [0, 1, 2])
///     }
///
/// A seed fails when `body` throws, in a `DeadlockError`, or when Swift Testing records an issue in it, as `#expect` does. Then the
/// seed is printed, and added to the issue. With the environment variable `RINGLET_SEED` only that seed runs, whatever `seeds` says:
///
///     RINGLET_SEED=7 swift test --filter theTest
///
/// - Throws: What `body` throws with the first seed that fails; as `Simulation.run` besides.
@available(*, noasync, message: "in a task, await forEachSeed { }")
public func forEachSeed(
    _ seeds: ClosedRange<UInt64> = 1...100, _ options: SchedulerOptions = SchedulerOptions(),
    _ body: @escaping @Sendable (_ seed: UInt64) throws -> Void
) throws {
    for seed in try Seeds.wanted(seeds) {
        let trial = Trial(seed: seed)
        let run = SimulatedRun(World(seed: seed), inScopeOf: trial.noteIssues) {
            try await Scheduler.runInFiber("main") { try body(seed) }
        }
        guard try trial.passes(Result { try run.result(options) }) else { return }
    }
}

/// Runs `body` in simulations, as the main task, once with each seed; stops at the first that fails. Blocks the thread.
@available(*, noasync, message: "in a task, await forEachSeed { }")
public func forEachSeed(
    _ seeds: ClosedRange<UInt64> = 1...100, _ options: SchedulerOptions = SchedulerOptions(),
    _ body: @escaping @Sendable (_ seed: UInt64) async throws -> Void
) throws {
    for seed in try Seeds.wanted(seeds) {
        let trial = Trial(seed: seed)
        let run = SimulatedRun(World(seed: seed), inScopeOf: trial.noteIssues) { try await body(seed) }
        guard try trial.passes(Result { try run.result(options) }) else { return }
    }
}

/// Runs `body` in simulations, as the main fiber, once with each seed, while the calling task is suspended; stops at the
/// first that fails.
public func forEachSeed(
    _ seeds: ClosedRange<UInt64> = 1...100, _ options: SchedulerOptions = SchedulerOptions(),
    _ body: @escaping @Sendable (_ seed: UInt64) throws -> Void
) async throws {
    for seed in try Seeds.wanted(seeds) {
        let trial = Trial(seed: seed)
        let run = SimulatedRun(World(seed: seed), inScopeOf: trial.noteIssues) {
            try await Scheduler.runInFiber("main") { try body(seed) }
        }
        guard try trial.passes(await run.outcome(options)) else { return }
    }
}

/// Runs `body` in simulations, as the main task, once with each seed, while the calling task is suspended; stops at the
/// first that fails.
public func forEachSeed(
    _ seeds: ClosedRange<UInt64> = 1...100, _ options: SchedulerOptions = SchedulerOptions(),
    _ body: @escaping @Sendable (_ seed: UInt64) async throws -> Void
) async throws {
    for seed in try Seeds.wanted(seeds) {
        let trial = Trial(seed: seed)
        let run = SimulatedRun(World(seed: seed), inScopeOf: trial.noteIssues) { try await body(seed) }
        guard try trial.passes(await run.outcome(options)) else { return }
    }
}
