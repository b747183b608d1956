extension Queue {
    // MARK: What is done

    /// Elements that were put, less those that ``taskDone()`` was called for. Another thread may change it at any time.
    public var unfinished: Int { core.unfinished }

    /// Says that one element is done with that was got. Any thread, also after a shutdown.
    ///
    /// - Throws: ``QueueError/nothingUnfinished`` when all elements are.
    public func taskDone() throws {
        if !core.finishOne() { throw QueueError.nothingUnfinished }
    }

    /// Waits until all elements are done with that were put. In a fiber or on a plain thread.
    ///
    /// - Throws: `CancellationError` and ``TimeoutError`` when the wait ends early. An end that came in the same turn is told.
    @available(*, noasync, message: "in a task, await queue.join()")
    public func join(deadline: Deadline = .never) throws {
        if core.unfinished == 0 { return }
        try core.wait("queue.join()", deadline: deadline) { core.enqueueJoiner($0) }.orThrow(deadline)
    }

    /// Waits until all elements are done with that were put. In a task.
    ///
    /// - Throws: As the synchronous form.
    public func join(deadline: Deadline = .never) async throws {
        if core.unfinished == 0 { return }
        try await core.wait(deadline: deadline) { core.enqueueJoiner($0) }.orThrow(deadline)
    }

    // MARK: The end

    /// Ends the queue: puts throw ``QueueError/shutDown``, those that wait too, and getters get what is there and then the
    /// same error. Does not wait. Any thread.
    ///
    /// - Parameter immediately: What is in the queue is dropped, and counts as done. `join(deadline:)` then waits only
    ///   for elements that somebody has got. It may follow a shutdown that was not immediate.
    public func shutdown(immediately: Bool = false) {
        if immediately { core.abandon() } else { core.close() }
    }
}

// MARK: - Iteration

extension Queue: Sequence, AsyncSequence {
    /// In a fiber or on a plain thread, the elements up to the shutdown. A cancelled fiber's loop ends, too; its next wait
    /// throws.
    public struct Iterator: IteratorProtocol {
        @usableFromInline let queue: Queue

        @usableFromInline init(_ queue: Queue) { self.queue = queue }

        @inlinable
        public func next() -> Element? { try? queue.get() }
    }

    /// In a task, the elements up to the shutdown.
    public struct AsyncIterator: AsyncIteratorProtocol {
        @usableFromInline let queue: Queue

        @usableFromInline init(_ queue: Queue) { self.queue = queue }

        /// - Throws: `CancellationError`.
        @inlinable
        public func next() async throws -> Element? {
            do {
                return try await queue.get()
            } catch QueueError.shutDown {
                return nil
            }
        }
    }

    /// All iterators get from the same elements.
    @inlinable
    public func makeIterator() -> Iterator { Iterator(self) }

    /// All iterators get from the same elements.
    @inlinable
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}
