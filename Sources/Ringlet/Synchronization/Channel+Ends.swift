import Synchronization

extension Channel {
    /// The two ends, each for one side. The channel ends for receivers when the last sender is closed, and for senders when
    /// the last receiver is; an end that is dropped is closed. Any thread.
    ///
    /// Call it once; the channel itself should not be used any more.
    public func split() -> (sender: Sender, receiver: Receiver) { (Sender(self), Receiver(self)) }

    /// The end of a channel that sends.
    public final class Sender: Sendable {
        private let channel: Channel
        /// Written by whoever closes the end.
        private let closed = Atomic<Bool>(false)

        fileprivate init(_ channel: Channel) {
            self.channel = channel
            channel.core.addEnd(sending: true)
        }

        /// Another sender of the same channel, which is closed apart.
        ///
        /// - Throws: ``ChannelError/closed`` when this one is.
        public func clone() throws -> Sender { Sender(try open()) }

        /// Closes this end. With the last sender, receivers get what is there and then the end.
        public func close() {
            if !closed.exchange(true, ordering: .relaxed) { channel.core.removeEnd(sending: true) }
        }

        deinit { close() }

        /// As ``Channel/trySend(_:)``.
        @inlinable
        public func trySend(_ element: Element) throws -> Bool { try open().trySend(element) }

        /// As `Channel.send(_:deadline:)`.
        @available(*, noasync, message: "in a task, await sender.send(_:)")
        @inlinable
        public func send(_ element: Element, deadline: Deadline = .never) throws {
            try open().send(element, deadline: deadline)
        }

        /// As `Channel.send(_:deadline:)`.
        @inlinable
        public func send(_ element: Element, deadline: Deadline = .never) async throws {
            try await open().send(element, deadline: deadline)
        }

        @usableFromInline
        func open() throws -> Channel {
            if closed.load(ordering: .relaxed) { throw ChannelError.closed }
            return channel
        }
    }

    /// The end of a channel that receives.
    public final class Receiver: Sendable {
        private let channel: Channel
        /// Written by whoever closes the end.
        private let closed = Atomic<Bool>(false)

        fileprivate init(_ channel: Channel) {
            self.channel = channel
            channel.core.addEnd(sending: false)
        }

        /// Another receiver of the same channel, which is closed apart.
        ///
        /// - Throws: ``ChannelError/closed`` when this one is.
        public func clone() throws -> Receiver { Receiver(try open()) }

        /// Closes this end. With the last receiver, what is on its way is dropped, and sends throw.
        public func close() {
            if !closed.exchange(true, ordering: .relaxed) { channel.core.removeEnd(sending: false) }
        }

        deinit { close() }

        /// As ``Channel/tryReceive()``.
        @inlinable
        public func tryReceive() throws -> Element? { try open().tryReceive() }

        /// As `Channel.receive(deadline:)`.
        @available(*, noasync, message: "in a task, await receiver.receive()")
        @inlinable
        public func receive(deadline: Deadline = .never) throws -> Element {
            try open().receive(deadline: deadline)
        }

        /// As `Channel.receive(deadline:)`.
        @inlinable
        public func receive(deadline: Deadline = .never) async throws -> Element {
            try await open().receive(deadline: deadline)
        }

        @usableFromInline
        func open() throws -> Channel {
            if closed.load(ordering: .relaxed) { throw ChannelError.closed }
            return channel
        }
    }
}

// MARK: - Iteration

extension Channel: Sequence, AsyncSequence {
    /// In a fiber or on a plain thread, the elements up to the end. A cancelled fiber's loop ends, too; its next wait
    /// throws.
    public struct Iterator: IteratorProtocol {
        @usableFromInline let channel: Channel

        @usableFromInline init(_ channel: Channel) { self.channel = channel }

        @inlinable
        public func next() -> Element? { try? channel.receive() }
    }

    /// In a task, the elements up to the end.
    public struct AsyncIterator: AsyncIteratorProtocol {
        @usableFromInline let channel: Channel

        @usableFromInline init(_ channel: Channel) { self.channel = channel }

        /// - Throws: `CancellationError`.
        @inlinable
        public func next() async throws -> Element? {
            do {
                return try await channel.receive()
            } catch ChannelError.closed {
                return nil
            }
        }
    }

    /// All iterators take from the same elements.
    @inlinable
    public func makeIterator() -> Iterator { Iterator(self) }

    /// All iterators take from the same elements.
    @inlinable
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}

extension Channel.Receiver: Sequence, AsyncSequence {
    // They hold the receiver, which may be a temporary value that nothing else keeps open.

    /// As the channel's. Closing the receiver ends it.
    public struct Iterator: IteratorProtocol {
        @usableFromInline let receiver: Channel.Receiver

        @usableFromInline init(_ receiver: Channel.Receiver) { self.receiver = receiver }

        @inlinable
        public func next() -> Element? { try? receiver.receive() }
    }

    /// As the channel's. Closing the receiver ends it.
    public struct AsyncIterator: AsyncIteratorProtocol {
        @usableFromInline let receiver: Channel.Receiver

        @usableFromInline init(_ receiver: Channel.Receiver) { self.receiver = receiver }

        /// - Throws: `CancellationError`.
        @inlinable
        public func next() async throws -> Element? {
            do {
                return try await receiver.receive()
            } catch ChannelError.closed {
                return nil
            }
        }
    }

    /// All iterators take from the same elements.
    @inlinable
    public func makeIterator() -> Iterator { Iterator(self) }

    /// All iterators take from the same elements.
    @inlinable
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}
