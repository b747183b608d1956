// MARK: - Opening a group

/// Runs `body` with a group, and waits for all that it starts there. In a fiber.
///
/// - Returns: What `body` returns. A body without a value that is cut short by ``Group/cancel()`` just ends.
/// - Throws: ``GroupError`` when the body or a child failed; `CancellationError` when the calling fiber, or a scope
///   that it is in, was cancelled, or when ``Group/cancel()`` left the body without a value.
@discardableResult
@_disfavoredOverload
@available(*, noasync, message: "in a task, await withGroup")
public func withGroup<Result>(_ body: (Group) throws -> Result) throws -> Result {
    let fiber = try FiberRef.require("withGroup")
    // The wait for the children cannot be refused.
    try fiber.requireMayWait()
    let group = Group(on: fiber.withOwner { $0.worker })
    var result: Result?
    var failure: (any Error)?
    do {
        result = try group.scope.run(asBodyOf: group) { _ in try body(group) }
    } catch {
        failure = error
    }
    if !group.bodyEnded(failure) {
        let completion = group.wait("withGroup", deadline: .never) { group.addToEnd($0) }
        if completion.result < 0 {
            failure = failure ?? completion.error(.never)
            group.cancel()
            fiber.shielded { _ = group.wait("withGroup", deadline: .never) { group.addToEnd($0) } }
        }
    }
    return try group.outcome(result, failure)
}

/// Runs `body` with a group, and waits for all that it starts there. In a task.
///
/// As the form for fibers; the body runs in a child task, on the calling task's worker if it has one.
@discardableResult
public func withGroup<Result>(_ body: @escaping (Group) async throws -> Result) async throws -> Result {
    let group = Group(on: try Worker.forCurrentTask)
    var result: Result?
    var failure: (any Error)?
    do {
        result = try await group.scope.run(asBodyOf: group) { _ in try await body(group) }
    } catch {
        failure = error
    }
    if !group.bodyEnded(failure) {
        let completion = await group.wait(deadline: .never) { group.addToEnd($0) }
        if completion.result < 0 {
            failure = failure ?? completion.error(.never)
            group.cancel()
            _ = await group.wait(deadline: .never, isShielded: true) { group.addToEnd($0) }
        }
    }
    return try group.outcome(result, failure)
}

/// Runs `body`, whose waits are the library's own, with a group. In a fiber.
///
/// - Parameter body: Makes its waits by its second argument: what cuts one short is no failure of the body, and is thrown
///   as it is.
func withGroup<Result>(
    _ body: (_ group: Group, _ waiting: (() throws -> Void) throws -> Void) throws -> Result
) throws -> Result {
    var cut: (any Error)?
    do {
        return try withGroup { group in
            try body(group) { wait in
                do {
                    try wait()
                } catch {
                    cut = error
                    throw CancellationError()
                }
            }
        }
    } catch is CancellationError {
        throw cut ?? CancellationError()
    }
}

// MARK: - One child

/// Runs `child` in a fiber beside `body`, and waits for its end; gevent's `with spawn(…)`. In a fiber.
///
/// When `body` fails, the child is cancelled with the same error.
///
/// - Throws: What `body` throws, else what the child throws.
@discardableResult
@_disfavoredOverload
@available(*, noasync, message: "in a task, use withGroup")
public func withChild<Success, Result>(
    name: String? = nil, fileID: StaticString = #fileID, line: UInt = #line,
    _ child: sending @escaping () throws -> Success,
    _ body: (Fiber<Success>) throws -> Result
) throws -> Result {
    let fiber = try FiberRef.require("withChild")
    let child = Fiber(
        name: name, on: fiber.withOwner { $0.worker }, site: PackedSite(fileID, line), operation: child)
    do {
        return try withGroup { group in
            try group.begin(child)
            do {
                return try body(child)
            } catch {
                child.cancel(throwing: error)
                throw error
            }
        }
    } catch let error as GroupError {
        throw error.errors[0]
    }
}
