// MARK: - The results of several, in their order

/// Runs all `bodies` at once, each in a fiber, and returns their values in the order of the bodies. In a fiber.
///
/// It owns what it starts: when one fails, the others are cancelled, and all have ended before this returns.
///
/// - Throws: ``GroupError``; `CancellationError`, or what ``AnyFiber/cancel(throwing:)`` or its relative throws, with
///   all cancelled.
@_disfavoredOverload
@available(*, noasync, message: "in a task, await gather")
public func gather<Success>(
    _ bodies: [@Sendable () throws -> Success], fileID: StaticString = #fileID, line: UInt = #line
) throws -> [Success] {
    try withGroup { group, waiting in
        let children = try bodies.map { body in try group.spawn(fileID: fileID, line: line) { try body() } }
        return try children.map { child in
            try waiting { try child.wait() }
            return try valueInGather(child.outcome!)
        }
    }
}

/// The value of a child that has ended. Its error is the group's to tell, once.
private func valueInGather<Success>(_ outcome: Outcome<Success>) throws -> Success {
    guard case .success(let value) = outcome else { throw CancellationError() }
    return value
}

/// Runs all `bodies` at once, each in a task, and returns their values in the order of the bodies. In a task; as the
/// form for fibers.
///
/// The type of the closures is what `@Sendable () async throws -> Success` says by default. (Where a module is built with
/// `NonisolatedNonsendingByDefault`, an array in a variable has to say `@concurrent`: Swift 6.3 converts arrays of
/// closures at run time only, and traps.)
public func gather<Success: Sendable>(
    _ bodies: [@Sendable @concurrent () async throws -> Success]
) async throws -> [Success] {
    try await withGroup { group in
        let children = try bodies.map { body in try group.spawn { try await body() } }
        var values: [Success] = []
        for child in children { values.append(try valueInGather(await Outcome { try await child.value })) }
        return values
    }
}

/// As the form that takes an array, for bodies that are known when the program is written. In a fiber.
///
///     let pages = try gather({ try fetch("a") }, { try fetch("b") })
@_disfavoredOverload
@available(*, noasync, message: "in a task, await gather")
public func gather<Success>(_ bodies: (@Sendable () throws -> Success)...) throws -> [Success] {
    try gather(bodies)
}

/// As the form that takes an array, for bodies that are known when the program is written. In a task.
public func gather<Success: Sendable>(
    _ bodies: (@Sendable @concurrent () async throws -> Success)...
) async throws -> [Success] {
    try await gather(bodies)
}

// MARK: - Of what others started

/// Waits for fibers or promises that others started, and returns their values in order; asyncio's `gather`. In a fiber
/// or on a plain thread.
///
/// Named for what it does not do: when one fails, this throws that error at once, and the others run on. Cancelling the
/// waiting fiber cancels all of them, as in asyncio; one of them that is cancelled cancels no other. Something given
/// twice gives its value twice.
///
/// - Throws: The first error in time; `CancellationError`, or what ``AnyFiber/interrupt(throwing:)`` throws, with all of
///   them cancelled.
@_disfavoredOverload
@available(*, noasync, message: "in a task, await gatherLeavingOthersRunning")
public func gatherLeavingOthersRunning<Item: Awaitable>(_ items: [Item]) throws -> [Item.Success] {
    let ends = asCompleted(items)
    var isWaiting = true
    do {
        while let item = try ends.next() {
            isWaiting = false
            _ = try item.outcome?.get()
            isWaiting = true
        }
    } catch {
        if isWaiting || FiberRef.current?.mustNotWait == true { for item in items { item.cancel() } }
        throw error
    }
    return try items.map { try $0.outcome!.get() }
}

/// As the form for fibers, in a task.
public func gatherLeavingOthersRunning<Item: Awaitable>(_ items: [Item]) async throws -> [Item.Success] {
    let ends = asCompleted(items)
    var isWaiting = true
    do {
        while let item = try await ends.next() {
            isWaiting = false
            _ = try item.outcome?.get()
            isWaiting = true
        }
    } catch {
        if isWaiting || Task.isCancelled { for item in items { item.cancel() } }
        throw error
    }
    return try items.map { try $0.outcome!.get() }
}

/// Waits for fibers or promises that others started, and returns how each ended; asyncio's `gather` with
/// `return_exceptions`. In a fiber or on a plain thread.
///
/// - Throws: `CancellationError` when the waiting fiber is cancelled, with all of them cancelled.
@_disfavoredOverload
@available(*, noasync, message: "in a task, await gatherOutcomes")
public func gatherOutcomes<Item: Awaitable>(_ items: [Item]) throws -> [Outcome<Item.Success>] {
    do {
        _ = try wait(for: items)
    } catch {
        for item in items { item.cancel() }
        throw error
    }
    return items.map { $0.outcome! }
}

/// As the form for fibers, in a task.
public func gatherOutcomes<Item: Awaitable>(_ items: [Item]) async throws -> [Outcome<Item.Success>] {
    do {
        _ = try await wait(for: items)
    } catch {
        for item in items { item.cancel() }
        throw error
    }
    return items.map { $0.outcome! }
}
