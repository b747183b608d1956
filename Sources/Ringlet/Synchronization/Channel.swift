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
    let core: ChannelCore

    /// - Parameter capacity: How many elements may be on their way without a receiver; not negative. Memory is taken as
    ///   they come.
    public init(capacity: Int = 0) {
        core = ChannelCore(of: Element.self, capacity: capacity)
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
    public func trySend(_ element: Element) throws -> Bool {
        switch core.beginSend() {
        case .go(let transfer):
            transfer.put(element)
            core.endSend(transfer)
            return true
        case .wait: return false
        case .closed: throw ChannelError.closed
        }
    }

    /// Sends, and waits for room or a receiver. In a fiber or on a plain thread.
    ///
    /// - Throws: ``ChannelError/closed``; `CancellationError` and ``TimeoutError`` when the wait ends early.
    @available(*, noasync, message: "in a task, await channel.send(_:)")
    public func send(_ element: Element, deadline: Deadline = .never) throws {
        while true {
            if try trySend(element) {
                // It went to who waited, who goes on first: a rendezvous is not over before that.
                if capacity == 0 { FiberRef.current?.letOthersRun() }
                return
            }
            var queued: WaitNode?
            let completion = core.wait("channel.send(_:)", deadline: deadline) { node in
                guard core.enqueueSender(node, with: element) else { return false }
                queued = node
                return true
            }
            if try core.sent(by: queued, completion, deadline) { return }
        }
    }

    /// Sends, and waits for room or a receiver. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func send(_ element: Element, deadline: Deadline = .never) async throws {
        while true {
            if try trySend(element) { return }
            var queued: WaitNode?
            let completion = await core.wait(deadline: deadline) { node in
                guard core.enqueueSender(node, with: element) else { return false }
                queued = node
                return true
            }
            if try core.sent(by: queued, completion, deadline) { return }
        }
    }

    // MARK: Receiving

    /// Receives without waiting.
    ///
    /// - Returns: Nil when it would have to wait.
    /// - Throws: ``ChannelError/closed`` when nothing more comes.
    public func tryReceive() throws -> Element? {
        switch core.beginReceive() {
        case .go(let transfer):
            let element = transfer.take(Element.self)
            core.endReceive(transfer)
            return element
        case .wait: return nil
        case .closed: throw ChannelError.closed
        }
    }

    /// Receives, and waits for an element. In a fiber or on a plain thread.
    ///
    /// - Throws: ``ChannelError/closed`` when nothing more comes; `CancellationError` and ``TimeoutError`` when the wait
    ///   ends early.
    @available(*, noasync, message: "in a task, await channel.receive()")
    public func receive(deadline: Deadline = .never) throws -> Element {
        while true {
            switch core.beginReceive() {
            case .go(let transfer):
                let element = transfer.take(Element.self)
                core.endReceive(transfer)
                return element
            case .closed: throw ChannelError.closed
            case .wait: break
            }
            var queued: WaitNode?
            let completion = core.wait("channel.receive()", deadline: deadline) { node in
                guard core.enqueueReceiver(node) else { return false }
                queued = node
                return true
            }
            if let queued = try core.filled(queued, completion, deadline) {
                return queued.take(Element.self)
            }
        }
    }

    /// Receives, and waits for an element. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func receive(deadline: Deadline = .never) async throws -> Element {
        while true {
            switch core.beginReceive() {
            case .go(let transfer):
                let element = transfer.take(Element.self)
                core.endReceive(transfer)
                return element
            case .closed: throw ChannelError.closed
            case .wait: break
            }
            var queued: WaitNode?
            let completion = await core.wait(deadline: deadline) { node in
                guard core.enqueueReceiver(node) else { return false }
                queued = node
                return true
            }
            if let queued = try core.filled(queued, completion, deadline) {
                return queued.take(Element.self)
            }
        }
    }
}

extension ChannelCore {
    /// After a sender's wait: whether its element was sent; false when it has not waited.
    fileprivate func sent(by queued: WaitNode?, _ completion: Completion, _ deadline: Deadline) throws -> Bool {
        guard let queued else {
            if completion.isTaken { return false }
            throw completion.refusal(deadline)
        }
        if completion.result == 0 { return true }
        // Still in its room: the sender was taken back, or woken by the close.
        discard(of: queued)
        throw completion.result > 0 ? ChannelError.closed : completion.refusal(deadline)
    }

    /// After a receiver's wait: the node with its element; nil when it has not waited.
    fileprivate func filled(_ queued: WaitNode?, _ completion: Completion, _ deadline: Deadline) throws
        -> WaitNode?
    {
        if let queued, completion.result == 0 {
            if completion.isTaken { return queued }
            giveBack(from: queued)
        }
        if completion.result > 0 { throw ChannelError.closed }
        if completion.isTaken { return nil }
        throw completion.refusal(deadline)
    }
}

/// What a channel says when it has ended.
public enum ChannelError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The channel is closed: nothing more can be sent, or everything sent has been received.
    case closed

    public var description: String { "the channel is closed" }
}
