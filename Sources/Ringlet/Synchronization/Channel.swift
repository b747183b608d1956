/// A way for elements from some strands to others, in order, each to one receiver.
///
///     let lines = Channel<String>(capacity: 16)
///     Fiber { for line in lines { print(line) } }
///     try lines.send("hello")
///     lines.close()
///
/// With capacity 0 a send ends when a receiver has taken the element: a rendezvous. With more, a send ends when the element
/// is in the buffer, and waits while that is full. Both sides are served in the order in which they came, and who arrives
/// later cannot overtake. Fibers, tasks and plain threads of any worker and scheduler may use both ends; for one end apart see
/// ``split()``. Any thread.
///
/// Nothing is lost: an element that came to a receiver in the turn in which that was cancelled goes to the next one, or
/// back to the front. A send that throws has sent nothing; one whose element was taken in the turn in which it was
/// cancelled has sent it and does not throw.
public final class Channel<Element: Sendable>: Sendable {
    @usableFromInline let core: ChannelCore

    /// - Parameter capacity: How many elements may be on their way without a receiver; not negative. Memory is taken as
    ///   they come.
    @inlinable
    public init(capacity: Int = 0) {
        precondition(capacity >= 0, "a channel's capacity is not negative")
        core = ChannelCore(ElementType(of: Element.self), capacity: capacity, ended: ChannelError.closed)
    }

    /// How many elements may be on their way without a receiver.
    public var capacity: Int { core.capacity }

    /// How many elements are on their way. Another thread may change it at any time.
    public var count: Int { core.count }

    /// Waiting senders less waiting receivers. O(waiters).
    public var balance: Int { core.balance }

    /// True once nothing more can be sent.
    public var isClosed: Bool { core.isClosed }

    /// Ends the channel: sends throw, those that wait too, and receivers get what is there and then the end.
    public func close() { core.close() }

    // MARK: Sending

    /// Sends without waiting.
    ///
    /// - Returns: False when it would have to wait.
    /// - Throws: ``ChannelError/closed``.
    @inlinable
    public func trySend(_ element: Element) throws -> Bool { try core.trySend(element) }

    /// Sends, and waits for room or a receiver. In a fiber or on a plain thread.
    ///
    /// - Throws: ``ChannelError/closed``; `CancellationError` and ``TimeoutError`` when the wait ends early.
    @available(*, noasync, message: "in a task, await channel.send(_:)")
    @inlinable
    public func send(_ element: Element, deadline: Deadline = .never) throws {
        try core.send(element, "channel.send(_:)", deadline)
    }

    /// Sends, and waits for room or a receiver. In a task.
    ///
    /// - Throws: As the synchronous form.
    @inlinable
    public func send(_ element: Element, deadline: Deadline = .never) async throws {
        try await core.send(element, deadline)
    }

    // MARK: Receiving

    /// Receives without waiting.
    ///
    /// - Returns: Nil when it would have to wait.
    /// - Throws: ``ChannelError/closed`` when nothing more comes.
    @inlinable
    public func tryReceive() throws -> Element? { try core.now(core.takeNow(Element.self)) }

    /// Receives, and waits for an element. In a fiber or on a plain thread.
    ///
    /// - Throws: ``ChannelError/closed`` when nothing more comes; `CancellationError` and ``TimeoutError`` when the wait
    ///   ends early.
    @available(*, noasync, message: "in a task, await channel.receive()")
    @inlinable
    public func receive(deadline: Deadline = .never) throws -> Element {
        try core.receive(Element.self, "channel.receive()", deadline)
    }

    /// Receives, and waits for an element. In a task.
    ///
    /// - Throws: As the synchronous form.
    @inlinable
    public func receive(deadline: Deadline = .never) async throws -> Element {
        try await core.receive(Element.self, deadline)
    }
}

/// What a channel says when it has ended.
public enum ChannelError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The channel is closed: nothing more can be sent, or everything sent has been received.
    case closed

    public var description: String { "the channel is closed" }
}
