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
    var progress = WaitProgress(items, condition)
    while !progress.isOver {
        do {
            try progress.collector.waitForNext(deadline: deadline)
        } catch is TimeoutError {
            break
        }
        progress.advance()
    }
    return progress.result
}

/// Waits for several fibers or promises. In a task; as the form for fibers.
public func wait<Item: Awaitable>(
    for items: [Item], until condition: WaitCondition = .allCompleted, deadline: Deadline = .never
) async throws -> WaitResult<Item> {
    var progress = WaitProgress(items, condition)
    while !progress.isOver {
        do {
            try await progress.collector.waitForNext(deadline: deadline)
        } catch is TimeoutError {
            break
        }
        progress.advance()
    }
    return progress.result
}

private struct WaitProgress<Item: Awaitable> {
    let collector: EndCollector<Item>
    private let items: [Item]
    private let condition: WaitCondition
    private var left: Int
    /// Decided without looking at how many are left.
    private var isReached = false

    init(_ items: [Item], _ condition: WaitCondition) {
        self.items = unique(items)
        self.condition = condition
        left = self.items.count
        // Those that have ended count at once, whatever their links do. Each is asked once: one that ends meanwhile is
        // the collector's, or counted here, and not both.
        let ends = self.items.map(\.isSuccess)
        collector = EndCollector(zip(self.items, ends).filter { $0.1 == nil }.map(\.0))
        for case let isSuccess? in ends { count(isSuccess) }
    }

    private mutating func count(_ isSuccess: Bool) {
        left -= 1
        if condition == .firstFailure && !isSuccess { isReached = true }
    }

    var isOver: Bool {
        let enough =
            switch condition {
            case .firstCompleted: 1
            case .completed(let count): count
            case .firstFailure, .allCompleted: items.count
            }
        return isReached || left == 0 || items.count - left >= enough
    }

    mutating func advance() {
        while let item = collector.take() { count(item.isSuccess == true) }
    }

    var result: WaitResult<Item> {
        // Each is asked once, too: one that ends meanwhile is in one of the two.
        let ends = zip(items, items.map { $0.isSuccess != nil })
        return WaitResult(done: ends.filter(\.1).map(\.0), pending: ends.filter { !$0.1 }.map(\.0))
    }
}

/// The same without repetitions.
func unique<Item: AnyObject>(_ items: [Item]) -> [Item] {
    var seen = Set<ObjectIdentifier>()
    return items.filter { seen.insert(ObjectIdentifier($0)).inserted }
}
