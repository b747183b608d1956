import Synchronization

// MARK: - The first of several

/// Runs `bodies` in fibers, one after another, until one succeeds, whose value is returned; the losers are cancelled
/// and awaited. In a fiber.
///
/// The next body begins when the one before has failed, or after `delay`; without a delay all begin at once. This is
/// how addresses of a host are tried (RFC 8305, "happy eyeballs"). Of several that succeed at once the one with the
/// lowest index wins.
///
/// - Throws: ``GroupError`` with the errors of all bodies when none succeeds; `CancellationError`, or what
///   ``AnyFiber/cancel(throwing:)`` or its relative throws, with all cancelled.
/// - Precondition: There is at least one body.
@_disfavoredOverload
@available(*, noasync, message: "in a task, await race")
public func race<Success: Sendable>(
    staggeredBy delay: Duration = .zero, _ bodies: [@Sendable () throws -> Success],
    fileID: StaticString = #fileID, line: UInt = #line
) throws -> Success {
    let race = Race<Success>(bodies.count)
    return try race.result {
        try withGroup { group, waiting in
            for (index, body) in bodies.enumerated() {
                let runner = try group.spawn(fileID: fileID, line: line) {
                    race.note(index, Outcome { try body() })
                    if race.hasWinner { group.cancel() }
                }
                if delay > .zero && index + 1 < bodies.count {
                    try waiting {
                        do { try runner.wait(deadline: .after(delay)) } catch is TimeoutError {}
                    }
                }
            }
        }
    }
}

/// As the form for fibers, in a task and of tasks; for the type of the closures see `gather`.
public func race<Success: Sendable>(
    staggeredBy delay: Duration = .zero, _ bodies: [@Sendable @concurrent () async throws -> Success]
) async throws -> Success {
    let race = Race<Success>(bodies.count)
    return try await race.result {
        try await withGroup { group in
            for (index, body) in bodies.enumerated() {
                let ended = Promise<Void>()
                try group.spawn {
                    race.note(index, await Outcome { try await body() })
                    ended.completeIfOpen(.success(()))
                    if race.hasWinner { group.cancel() }
                }
                if delay > .zero && index + 1 < bodies.count {
                    do { try await ended.wait(deadline: .after(delay)) } catch is TimeoutError {}
                }
            }
        }
    }
}

/// As the form that takes an array, for bodies that are known when the program is written. In a fiber.
@_disfavoredOverload
@available(*, noasync, message: "in a task, await race")
public func race<Success: Sendable>(
    staggeredBy delay: Duration = .zero, _ bodies: (@Sendable () throws -> Success)...
) throws -> Success {
    try race(staggeredBy: delay, bodies)
}

/// As the form that takes an array, for bodies that are known when the program is written. In a task.
public func race<Success: Sendable>(
    staggeredBy delay: Duration = .zero, _ bodies: (@Sendable @concurrent () async throws -> Success)...
) async throws -> Success {
    try await race(staggeredBy: delay, bodies)
}

/// How the runners have ended so far.
private final class Race<Success: Sendable>: Sendable {
    private struct State {
        /// The first success in the order of the bodies.
        var winner: (index: Int, value: Success)?
        /// Errors in the order in which they came.
        var errors: [any Error] = []
    }

    private let state = Mutex(State())

    init(_ count: Int) { precondition(count > 0, "a race needs a runner") }

    func note(_ index: Int, _ outcome: Outcome<Success>) {
        state.withLock { state in
            switch outcome {
            case .success(let value): if index < state.winner?.index ?? .max { state.winner = (index, value) }
            case .failure(let error): state.errors.append(error)
            case .cancelled: break
            }
        }
    }

    var hasWinner: Bool { state.withLock { $0.winner != nil } }

    /// What the race comes to, after `run`.
    func result(_ run: () throws -> Void) throws -> Success {
        try run()
        return try end()
    }

    func result(_ run: () async throws -> Void) async throws -> Success {
        try await run()
        return try end()
    }

    private func end() throws -> Success {
        let (winner, errors) = state.withLock { ($0.winner, $0.errors) }
        if let winner { return winner.value }
        throw errors.isEmpty ? CancellationError() : GroupError(errors: errors)
    }
}

extension Outcome {
    /// How `body` ends.
    init(_ body: () throws -> Success) {
        do { self = .success(try body()) } catch { self = Outcome(failure: error) }
    }

    /// How `body` ends.
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = Outcome(failure: error) }
    }
}
