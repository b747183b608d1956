import Synchronization

/// Something that ends once, with an outcome that anybody may wait for: a ``Fiber``, a ``Promise``.
///
/// All members may be used from any thread. Waiting never ends what is waited for.
public protocol Awaitable<Success>: AnyObject, Sendable {
    associatedtype Success

    /// Nil until the end.
    var outcome: Outcome<Success>? { get }

    /// Nil until the end; then, whether there is a value. Unlike ``outcome`` it shows no error, and a failure that nobody
    /// else looks at is still reported.
    var isSuccess: Bool? { get }

    /// Asks for an early end; see ``AnyFiber/cancel()``. False when it has ended already.
    @discardableResult
    func cancel() -> Bool

    /// Waits for the end, whatever it is. In a fiber or on a plain thread.
    ///
    /// - Throws: `CancellationError` when the *waiting* fiber is cancelled; ``TimeoutError``.
    @available(*, noasync, message: "in a task, await it")
    func wait(deadline: Deadline) throws

    /// Waits for the end, whatever it is. In a task.
    ///
    /// - Throws: `CancellationError` when the *waiting* task is cancelled; ``TimeoutError``.
    func wait(deadline: Deadline) async throws

    /// Has `body` called once, at the end; if that was already, soon.
    ///
    /// Calls come in the order in which they were asked for, on a worker, in no fiber: they must not wait. To do more,
    /// start a fiber in one. What a call brings to its end has its own calls made after that one.
    ///
    /// - Parameters:
    ///   - condition: Only for an end of this kind.
    ///   - body: Is given what has ended.
    /// - Returns: With which the call can be taken back. It may be dropped.
    @discardableResult
    func onEnd(_ condition: EndCondition, _ body: @escaping @Sendable (Self) -> Void) -> Link
}

extension Awaitable {
    public var isSuccess: Bool? { outcome?.isSuccess }

    /// Waits for the end, whatever it is, without a limit.
    @available(*, noasync, message: "in a task, await it")
    public func wait() throws { try wait(deadline: .never) }

    /// Waits for the end, whatever it is, without a limit.
    public func wait() async throws { try await wait(deadline: .never) }

    /// Has `body` called once, at the end, of whatever kind.
    @discardableResult
    public func onEnd(_ body: @escaping @Sendable (Self) -> Void) -> Link { onEnd(.any, body) }
}

/// Which ends somebody wants to hear of.
public enum EndCondition: Sendable {
    case any
    /// The body returned.
    case success
    /// It threw, or was cancelled.
    case failure

    /// Who is told of a failure, and asked for it, has seen it.
    func holds(for item: some Awaitable) -> Bool {
        switch self {
        case .any: true
        case .success: item.isSuccess == true
        case .failure: item.outcome?.isSuccess == false
        }
    }
}

/// A call that was asked for with ``Awaitable/onEnd(_:_:)``.
public final class Link: Sendable {
    private let right: CallOnce
    private let node: WaitNode
    private weak let source: (any WaitSource)?

    fileprivate init(_ right: CallOnce, _ node: WaitNode, in source: any WaitSource) {
        self.right = right
        self.node = node
        self.source = source
    }

    /// Takes the call back. False when it was made, or taken back, already. Any thread. O(1).
    @discardableResult
    public func remove() -> Bool {
        guard right.take() else { return false }
        _ = source?.withdraw(node)
        return true
    }
}

/// The right to make a call, or to take it back: whoever takes it first has it.
private final class CallOnce: Sendable {
    private let taken = Atomic<Bool>(false)
    func take() -> Bool { !taken.exchange(true, ordering: .acquiringAndReleasing) }
}

// MARK: - For those who conform

/// An awaitable whose end is a ``WaitQueue``.
protocol QueuedEnd: WaitSource, Awaitable {
    /// As ``WaitQueue/add(_:)``.
    func addToEnd(_ node: WaitNode) -> Bool
    /// Who makes the calls of those that do not end between two steps of a worker.
    var endWorker: Worker { get }
    /// The queue is this object's. Otherwise it may be dropped before the end, and a call that is to come keeps it.
    static var ownsEnd: Bool { get }
}

extension QueuedEnd {
    static var ownsEnd: Bool { true }
}

extension QueuedEnd {
    @discardableResult
    public func onEnd(_ condition: EndCondition, _ body: @escaping @Sendable (Self) -> Void) -> Link {
        let right = CallOnce()
        // The list owns the node, and what ends owns the list: the node must not keep it. It is there when it ends.
        let keeper = Self.ownsEnd ? nil : self
        let node = WaitNode(callback: { [unowned self, keeper] _ in
            defer { withExtendedLifetime(keeper) {} }
            // In the middle of a fiber, a task or a foreign thread it would be somebody else's stack. And a call inside
            // another one, which has ended this, would be on top of a chain of any length.
            if let worker = CurrentThread.worker, !worker.isInEndCall, !CurrentThread.isInTask {
                call(condition, right, body, on: worker)
            } else {
                callSoon(condition, right, body)
            }
        })
        if !addToEnd(node) { callSoon(condition, right, body) }
        return Link(right, node, in: self)
    }

    private func callSoon(
        _ condition: EndCondition, _ right: CallOnce, _ body: @escaping @Sendable (Self) -> Void
    ) {
        endWorker.enqueue(Message.runnable { [self] in call(condition, right, body, on: $0) })
    }

    private func call(
        _ condition: EndCondition, _ right: CallOnce, _ body: @Sendable (Self) -> Void, on worker: Worker
    ) {
        guard condition.holds(for: self) && right.take() else { return }
        worker.isInEndCall = true
        defer { worker.isInEndCall = false }
        body(self)
    }
}
