import Foundation
import RingletTesting

@testable import Ringlet

/// A simulation has its own kernel: where the suite runs once more for the sake of another one, a few orders are enough.
private let orders: ClosedRange<UInt64> = {
    let environment = ProcessInfo.processInfo.environment
    let isForKernel = environment["RINGLET_KERNEL"] != nil || environment["RINGLET_KERNEL_MASK"] != nil
    return 1...(isForKernel ? 5 : 100)
}()

/// Runs a scenario on a real scheduler, where what became ready first runs first, and in simulations under a hundred orders.
func inEveryOrder(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await Scheduler.run { try body() }
    try await forEachSeed(orders) { _ in try body() }
}

/// The same with a task as the main body.
func inEveryOrder(_ body: @escaping @Sendable () async throws -> Void) async throws {
    try await Scheduler.run { try await body() }
    try await forEachSeed(orders) { _ in try await body() }
}

// MARK: - Parts of such a scenario, in a task

/// Starts a task on the workers of the calling one. A plain `Task { }` would run outside a simulation.
func taskHere<Success: Sendable>(
    _ body: @escaping @Sendable () async throws -> Success
) -> Task<Success, any Error> {
    Task(executorPreference: Scheduler.current?.taskExecutor, operation: body)
}

/// Lets other tasks and fibers run until `condition` holds; as `yieldUntil`, in a task.
func yieldTaskUntil(_ what: String, _ condition: () -> Bool) async throws {
    let limit = Deadline.after(patience)
    while !condition() {
        if limit.hasPassed { throw WaitedTooLong(what: what) }
        await Task.yield()
    }
}
