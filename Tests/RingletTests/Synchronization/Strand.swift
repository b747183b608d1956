import Foundation
import RingletTesting
import Synchronization
import Testing

@testable import Ringlet

/// Where a strand runs that a test starts in every way.
enum Colour: String, CaseIterable, Sendable {
    case fiber, task, actor, elsewhere, thread

    /// Those that can be cancelled.
    static let cancellable: [Colour] = [.fiber, .task, .actor, .elsewhere]
}

/// A fiber, a task of a worker, a task in an actor of its own, a task elsewhere, or a plain thread.
struct Strand: Sendable {
    let cancel: @Sendable () -> Void
    let end: @Sendable () async throws -> Void

    /// - Parameters:
    ///   - plain: For fibers and threads.
    ///   - async: The same for tasks.
    init(
        _ colour: Colour, on scheduler: Scheduler, worker: Int = 0,
        _ plain: @escaping @Sendable () throws -> Void,
        async body: @escaping @Sendable () async throws -> Void
    ) {
        switch colour {
        case .fiber:
            let fiber = scheduler.spawn(onWorker: worker, operation: plain)
            cancel = { fiber.cancel() }
            end = { try await fiber.join() }
        case .task, .actor, .elsewhere:
            let task =
                switch colour {
                case .task:
                    Task(executorPreference: scheduler.taskExecutor(ofWorker: worker)) { try await body() }
                case .actor: Task.detached { try await Place().run(body) }
                default: Task.detached { try await body() }
                }
            cancel = { task.cancel() }
            end = { try await task.value }
        case .thread:
            let outcome = Task { try await onThread { try plain() } }
            cancel = {}
            end = { try await outcome.value }
        }
    }

    private actor Place {
        func run(_ body: @Sendable () async throws -> Void) async throws { try await body() }
    }

    /// The error that it ended with, or nil.
    var failure: (any Error)? {
        get async {
            do {
                try await end()
                return nil
            } catch {
                return error
            }
        }
    }
}

/// Runs a scenario in which a strand of `colour` waits until an instant. What runs on a scheduler has the clock of a
/// simulation, under a hundred orders, and has to end at the instant itself; a thread, an actor and a task elsewhere go
/// by the machine's.
func atAnInstant(
    for colour: Colour, _ scenario: @escaping @Sendable (Scheduler, Deadline) async throws -> Void
) async throws {
    guard colour == .fiber || colour == .task else {
        return try await withScheduler { try await scenario($0, .after(.milliseconds(3))) }
    }
    try await forEachSeed(1...100) { _ in
        let scheduler = try #require(Scheduler.current)
        let deadline = Deadline.after(.seconds(3))
        try await scenario(scheduler, deadline)
        #expect(Deadline.now == deadline)
    }
}

/// An element that counts itself, so that a lost or doubled one shows.
final class Parcel: Sendable {
    let alive: Counter
    let number: Int

    init(_ number: Int, _ alive: Counter) {
        self.number = number
        self.alive = alive
        alive.add()
    }

    deinit { alive.add(-1) }
}
