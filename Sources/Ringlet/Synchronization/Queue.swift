/// Elements that wait for who gets them: in order of arrival, the newest first, or by priority.
///
///     let jobs = Queue<Job>(capacity: 100)
///     Fiber {
///         for job in jobs {
///             run(job)
///             try jobs.taskDone()
///         }
///     }
///     try jobs.put(job)
///     try jobs.join()          // until everything that was put is done
///     jobs.shutdown()
///
/// A queue is a ``Channel`` with a buffer, whose elements may come in another order, and which knows what is done. Both
/// sides are served in the order in which they came, and who arrives later cannot overtake: an element that is put while
/// somebody waits for one goes to who has waited longest, whatever the order of the queue. Fibers, tasks and plain threads
/// of any worker and scheduler may use it. Any thread.
///
/// Nothing is lost: an element that came in the turn in which its getter was cancelled goes to the next one, or back to
/// where the next `get` finds it. A `put` that throws has put nothing.
public final class Queue<Element: Sendable>: Sendable {
    @usableFromInline let core: ChannelCore

    /// - Parameters:
    ///   - order: Which element is got first.
    ///   - capacity: How many elements the queue holds before a `put` waits; at least 1. Without one a `put` never does.
    ///     Memory is taken as elements come.
    @inlinable
    public init(_ order: Order = .firstInFirstOut, capacity: Int = .max) {
        precondition(capacity > 0, "a queue has a capacity of at least 1; without a buffer it is a Channel")
        core = ChannelCore(
            ElementType(of: Element.self, precedes: order.precedes), capacity: capacity, order: order.kind,
            ended: QueueError.shutDown)
    }

    /// Begins with `elements`, which are put in their order. Traps when they are more than the capacity.
    @inlinable
    public convenience init(
        _ elements: some Sequence<Element>, _ order: Order = .firstInFirstOut, capacity: Int = .max
    ) {
        self.init(order, capacity: capacity)
        for element in elements {
            let isPut = (try? tryPut(element)) ?? false
            precondition(isPut, "a queue begins with more elements than its capacity")
        }
    }

    /// Which element of a ``Queue`` is got first.
    public struct Order: Sendable {
        @usableFromInline let kind: ElementStore.Order
        @usableFromInline let precedes: (@Sendable (Element, Element) -> Bool)?

        @usableFromInline
        init(kind: ElementStore.Order, precedes: (@Sendable (Element, Element) -> Bool)?) {
            self.kind = kind
            self.precedes = precedes
        }

        /// The one that has been in the queue longest. O(1).
        public static var firstInFirstOut: Order { Order(kind: .firstInFirstOut, precedes: nil) }

        /// The one that was put last: a stack. O(1).
        public static var lastInFirstOut: Order { Order(kind: .lastInFirstOut, precedes: nil) }

        /// The one that precedes all others; of equals, which was put first. O(log count).
        ///
        /// - Parameter areInIncreasingOrder: A strict weak order. It is called with the queue's own lock held, on whatever
        ///   thread puts or gets: it must neither wait nor use the queue.
        @inlinable
        public static func priority(
            by areInIncreasingOrder: @escaping @Sendable (Element, Element) -> Bool
        ) -> Order { Order(kind: .priority, precedes: areInIncreasingOrder) }
    }

    // MARK: Asked from outside

    /// How many elements the queue holds before a `put` waits.
    public var capacity: Int { core.capacity }

    /// How many elements are in the queue. Another thread may change it at any time. More than the capacity after a getter
    /// was cancelled that had its element already.
    public var count: Int { core.count }

    /// True when there is no element. Another thread may change it at any time.
    public var isEmpty: Bool { count == 0 }

    /// True when a `put` would wait. Another thread may change it at any time.
    public var isFull: Bool { count >= capacity }

    /// Waiting putters less waiting getters. O(waiters).
    public var balance: Int { core.balance }

    /// True once the queue was shut down.
    public var isShutDown: Bool { core.isClosed }

    // MARK: Putting

    /// Puts without waiting.
    ///
    /// - Returns: False when it would have to wait.
    /// - Throws: ``QueueError/shutDown``.
    @inlinable
    public func tryPut(_ element: Element) throws -> Bool { try core.trySend(element) }

    /// Puts, and waits for room. In a fiber or on a plain thread.
    ///
    /// - Throws: ``QueueError/shutDown``; `CancellationError` and ``TimeoutError`` when the wait ends early. Nothing was put
    ///   then.
    @available(*, noasync, message: "in a task, await queue.put(_:)")
    @inlinable
    public func put(_ element: Element, deadline: Deadline = .never) throws {
        try core.send(element, "queue.put(_:)", deadline)
    }

    /// Puts, and waits for room. In a task.
    ///
    /// - Throws: As the synchronous form.
    @inlinable
    public func put(_ element: Element, deadline: Deadline = .never) async throws {
        try await core.send(element, deadline)
    }

    // MARK: Getting

    /// Gets an element without waiting.
    ///
    /// - Returns: Nil when it would have to wait.
    /// - Throws: ``QueueError/shutDown`` when nothing more comes.
    @inlinable
    public func tryGet() throws -> Element? { try core.now(core.takeNow(Element.self)) }

    /// Gets an element, and waits for one. In a fiber or on a plain thread.
    ///
    /// - Throws: ``QueueError/shutDown`` when nothing more comes; `CancellationError` and ``TimeoutError`` when the wait ends
    ///   early.
    @available(*, noasync, message: "in a task, await queue.get()")
    @inlinable
    public func get(deadline: Deadline = .never) throws -> Element {
        try core.receive(Element.self, "queue.get()", deadline)
    }

    /// Gets an element, and waits for one. In a task.
    ///
    /// - Throws: As the synchronous form.
    @inlinable
    public func get(deadline: Deadline = .never) async throws -> Element {
        try await core.receive(Element.self, deadline)
    }

    // MARK: Looking

    /// The element that is got next, which stays in the queue. Never waits.
    ///
    /// - Returns: Nil when there is none yet.
    /// - Throws: ``QueueError/shutDown`` when none comes any more.
    public func tryPeek() throws -> Element? { try core.now(core.look(Element.self)) }

    /// The element that is got next, which stays in the queue; waits for one that no getter has waited for. In a fiber or
    /// on a plain thread.
    ///
    /// - Throws: As `get(deadline:)`.
    @available(*, noasync, message: "in a task, await queue.peek()")
    public func peek(deadline: Deadline = .never) throws -> Element {
        while true {
            if let element = try tryPeek() { return element }
            let completion = core.wait("queue.peek()", deadline: deadline) { core.enqueueWatcher($0) }
            if !completion.isTaken { throw completion.refusal(deadline) }
        }
    }

    /// The element that is got next, which stays in the queue; waits for one that no getter has waited for. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func peek(deadline: Deadline = .never) async throws -> Element {
        while true {
            if let element = try tryPeek() { return element }
            let completion = await core.wait(deadline: deadline) { core.enqueueWatcher($0) }
            if !completion.isTaken { throw completion.refusal(deadline) }
        }
    }
}

extension Queue.Order where Element: Comparable {
    /// The smallest; of equals, which was put first. O(log count). As in ``priority(by:)``, `<` must neither wait nor use
    /// the queue.
    @inlinable
    public static var priority: Self { priority { $0 < $1 } }
}

/// What a queue refuses.
public enum QueueError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The queue was shut down: nothing more can be put, or nothing more can be got.
    case shutDown
    /// ``Queue/taskDone()`` was called more often than elements were put.
    case nothingUnfinished

    public var description: String {
        switch self {
        case .shutDown: "the queue was shut down"
        case .nothingUnfinished: "taskDone() was called more often than elements were put into the queue"
        }
    }
}
