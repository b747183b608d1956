// MARK: - Bounding a part of a fiber or task

/// Runs `body`, all of whose waits end when `deadline` passes. In a fiber.
///
/// asyncio's `timeout_at` and `wait_for`, gevent's `Timeout`. Inside, the waits throw `CancellationError`; at this
/// boundary it becomes a ``TimeoutError`` whose `scope` is this one. A body that cleans up first is waited for, and
/// one that returns a value all the same has it returned. Of nested deadlines that pass together the outermost is told.
///
/// A deadline that has passed already, as of a time of 0 or less, does not keep the body from beginning, which may have
/// something to clean up: its first wait throws. A join of what has ended is no wait, and gives the value.
///
/// For a default instead of an error: `CancelScope(deadline:).run { … } ?? value`.
///
/// - Throws: What `body` throws; ``TimeoutError`` when it ended because `deadline` passed; `CancellationError` when it
///   ended because the scope was cancelled otherwise.
@discardableResult
@_disfavoredOverload
@available(*, noasync, message: "in a task, await withDeadline")
public func withDeadline<Result>(
    _ deadline: Deadline, _ body: (CancelScope) throws -> Result
) throws -> Result {
    let scope = CancelScope(deadline: deadline)
    guard let result = try scope.run(body) else { throw scope.endError }
    return result
}

/// Runs `body`, all of whose waits end when `deadline` passes. In a task.
///
/// As the form for fibers; the body runs in a child task, on the calling task's worker if it has one.
@discardableResult
public func withDeadline<Result>(
    _ deadline: Deadline, _ body: @escaping (CancelScope) async throws -> Result
) async throws -> Result {
    let scope = CancelScope(deadline: deadline)
    guard let result = try await scope.run(body) else { throw scope.endError }
    return result
}

extension CancelScope {
    /// What a boundary throws that has no value to return.
    fileprivate var endError: any Error {
        hasExpired ? TimeoutError(deadline: deadline, scope: self) : CancellationError()
    }
}

// MARK: - Shielding

/// Runs `body` so that its waits are not cut short by what is cancelled outside: for clean-up that must finish. In a
/// fiber.
///
/// Nests, up to 255 times. A ``CancelScope`` that is entered inside works as always.
@discardableResult
@_disfavoredOverload
@available(*, noasync, message: "in a task, await withoutCancellation")
public func withoutCancellation<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let fiber = FiberRef.current else {
        // Every wait in it throws.
        if Fork.isChild { return try body() }
        FiberRef.trapOutside("withoutCancellation")
    }
    return try fiber.shielded(body)
}
