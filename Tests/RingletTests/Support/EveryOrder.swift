import RingletTesting

@testable import Ringlet

/// Runs a scenario on a real scheduler, where what became ready first runs first, and in simulations under a hundred orders.
func inEveryOrder(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await Scheduler.run { try body() }
    try await forEachSeed(1...100) { _ in try body() }
}

/// The same with a task as the main body.
func inEveryOrder(_ body: @escaping @Sendable () async throws -> Void) async throws {
    try await Scheduler.run { try await body() }
    try await forEachSeed(1...100) { _ in try await body() }
}
