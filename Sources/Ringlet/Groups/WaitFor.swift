// MARK: - Waiting for several, without owning them

/// When `wait(for:until:deadline:)` returns.
public enum WaitCondition: Sendable, Equatable {
    /// One has ended, however.
    case firstCompleted
    /// One has failed or was cancelled; or all have ended.
    case firstFailure
    /// So many have ended, however; or all. At once for none.
    case completed(Int)
    /// All have ended.
    case allCompleted
}

/// What `wait(for:until:deadline:)` found: both in the order of the argument.
public struct WaitResult<Item> {
    /// Those that have ended.
    public let done: [Item]
    /// Those that go on.
    public let pending: [Item]
}

extension WaitResult: Sendable where Item: Sendable {}

/// Waits for several fibers or promises; asyncio's `wait`, gevent's `joinall`. In a fiber or on a plain thread.
///
/// It cancels nothing, and a deadline that passes is no error: what goes on is returned as pending. Something given
/// twice is waited for once. O(n).
///
/// Nor does it look at how they ended: a fiber that failed, and whose outcome nobody asks for, is reported.
///
/// - Throws: `CancellationError` when the waiting fiber is cancelled.
@available(*, noasync, message: "in a task, await wait(for:)")
public func wait<Item: Awaitable>(
    for items: [Item], until condition: WaitCondition = .allCompleted, deadline: Deadline = .never
) throws -> WaitResult<Item> {
    var progress = WaitProgress(unique(items), condition)
    try progress.finish(deadline: deadline)
    return progress.result
}

/// Waits for several fibers or promises. In a task; as the form for fibers.
public func wait<Item: Awaitable>(
    for items: [Item], until condition: WaitCondition = .allCompleted, deadline: Deadline = .never
) async throws -> WaitResult<Item> {
    var progress = WaitProgress(unique(items), condition)
    try await progress.finish(deadline: deadline)
    return progress.result
}

/// Waits for several of different types: fibers with other values, promises, child processes. In a fiber or on a plain
/// thread; as the form for those of one type.
///
///     let ends = try wait(for: [connection, timer, child], until: .firstCompleted)
///     if ends.done.contains(where: { $0 === child }) { … }
@_disfavoredOverload
@available(*, noasync, message: "in a task, await wait(for:)")
public func wait(
    for items: [any Awaitable], until condition: WaitCondition = .allCompleted, deadline: Deadline = .never
) throws -> WaitResult<any Awaitable> {
    var progress = WaitProgress(unique(items), condition)
    try progress.finish(deadline: deadline)
    return progress.result
}

/// Waits for several of different types. In a task; as the form for fibers.
@_disfavoredOverload
public func wait(
    for items: [any Awaitable], until condition: WaitCondition = .allCompleted, deadline: Deadline = .never
) async throws -> WaitResult<any Awaitable> {
    var progress = WaitProgress(unique(items), condition)
    try await progress.finish(deadline: deadline)
    return progress.result
}

private struct WaitProgress<Item> {
    let collector: EndCollector
    private let items: [Item]
    private let awaitables: [any Awaitable]
    private let condition: WaitCondition
    private var left: Int
    /// Decided without looking at how many are left.
    private var isReached = false

    init(_ items: [Item], _ condition: WaitCondition) where Item: Awaitable {
        self.init(items, items, condition)
    }

    init(_ items: [Item], _ condition: WaitCondition) where Item == any Awaitable {
        self.init(items, items, condition)
    }

    /// - Parameter awaitables: The items.
    private init(_ items: [Item], _ awaitables: [any Awaitable], _ condition: WaitCondition) {
        self.items = items
        self.awaitables = awaitables
        self.condition = condition
        left = items.count
        // Those that have ended count at once, whatever their links do. Each is asked once: one that ends meanwhile is
        // the collector's, or counted here, and not both.
        let ends = awaitables.map(\.isSuccess)
        collector = EndCollector(zip(awaitables, ends).filter { $0.1 == nil }.map(\.0))
        for case let isSuccess? in ends { count(isSuccess) }
    }

    private mutating func count(_ isSuccess: Bool) {
        left -= 1
        if condition == .firstFailure && !isSuccess { isReached = true }
    }

    private var isOver: Bool {
        let enough =
            switch condition {
            case .firstCompleted: 1
            case .completed(let count): count
            case .firstFailure, .allCompleted: items.count
            }
        return isReached || left == 0 || items.count - left >= enough
    }

    private mutating func advance() {
        while let place = collector.take() { count(collector.items[place].isSuccess == true) }
    }

    /// Waits until it is over, or the deadline passes.
    mutating func finish(deadline: Deadline) throws {
        while !isOver {
            do { try collector.waitForNext(deadline: deadline) } catch is TimeoutError { return }
            advance()
        }
    }

    mutating func finish(deadline: Deadline) async throws {
        while !isOver {
            do { try await collector.waitForNext(deadline: deadline) } catch is TimeoutError { return }
            advance()
        }
    }

    var result: WaitResult<Item> {
        // Each is asked once, too: one that ends meanwhile is in one of the two.
        let ends = zip(items, awaitables.map { $0.isSuccess != nil })
        return WaitResult(done: ends.filter(\.1).map(\.0), pending: ends.filter { !$0.1 }.map(\.0))
    }
}

/// The same without repetitions.
func unique<Item: AnyObject>(_ items: [Item]) -> [Item] {
    var seen = Set<ObjectIdentifier>()
    return items.filter { seen.insert(ObjectIdentifier($0)).inserted }
}

func unique(_ items: [any Awaitable]) -> [any Awaitable] {
    var seen = Set<ObjectIdentifier>()
    return items.filter { seen.insert(ObjectIdentifier($0)).inserted }
}
