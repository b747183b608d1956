extension FiberPool {
    /// Results that the fibers of a pool compute, for one consumer that asks for one after the other.
    ///
    /// Made by ``FiberPool/mapOrdered(_:bound:_:)`` and its relatives. A fiber, or a plain thread, calls `next()` until
    /// it is nil; a task may also iterate with `for try await`. What is under way is cancelled when the consumer is
    /// cancelled in `next()`, when it calls ``stop()``, and when the last reference goes. One consumer at a time: a
    /// second iteration goes on where the first one is.
    public final class Results<Output: Sendable>: AsyncSequence, Sendable {
        private let feed: PoolFeed<Output>

        init(_ feed: PoolFeed<Output>) { self.feed = feed }

        deinit { feed.stop() }

        /// The next result; nil after the last, and after ``stop()``.
        ///
        /// - Throws: What the element's computation threw, after which the next call goes on with the next element; what
        ///   the source threw, as the last; `CancellationError`.
        @available(*, noasync, message: "in a task, await next()")
        public func next() throws -> Output? { try feed.next("FiberPool.Results.next()") }

        /// The next result; nil after the last, and after ``stop()``.
        ///
        /// As the synchronous form.
        public func next() async throws -> Output? { try await feed.next() }

        /// Cancels what is under way and starts nothing more. Any thread.
        public func stop() { feed.stop() }

        public func makeAsyncIterator() -> Iterator { Iterator(results: self) }

        /// Iterates in a task.
        public struct Iterator: AsyncIteratorProtocol {
            let results: Results

            public mutating func next() async throws -> Output? { try await results.next() }

            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws -> Output? {
                try await results.next()
            }
        }
    }
}

// MARK: - Sources

extension FiberPool {
    /// The same as ``mapOrdered(_:bound:_:)``, for a source that can fail or wait: `pulling` is called in a fiber for
    /// one element after the other, until it returns nil. What it throws comes behind the results of what it gave
    /// before.
    public func mapOrdered<Element: Sendable, Output: Sendable>(
        pulling: sending @escaping () throws -> Element?, bound: Int? = nil,
        _ transform: @escaping @Sendable (Element) throws -> Output
    ) throws(FiberPoolError) -> Results<Output> {
        try results(.ofSource, bound, pulling, transform)
    }

    /// The same as ``mapUnordered(_:bound:_:)``, for a source that can fail or wait: `pulling` is called in a fiber
    /// for one element after the other, until it returns nil. What it throws comes after all results.
    public func mapUnordered<Element: Sendable, Output: Sendable>(
        pulling: sending @escaping () throws -> Element?, bound: Int? = nil,
        _ transform: @escaping @Sendable (Element) throws -> Output
    ) throws(FiberPoolError) -> Results<Output> {
        try results(.ofCompletion, bound, pulling, transform)
    }

    func results<Element: Sendable, Output: Sendable>(
        _ order: PoolFeed<Output>.Order, _ bound: Int?, _ pull: sending @escaping () throws -> Element?,
        _ transform: @escaping @Sendable (Element) throws -> Output
    ) throws(FiberPoolError) -> Results<Output> {
        if let bound, bound < 1 { throw .invalidBound(bound) }
        return Results(PoolFeed(order, in: self, bound: bound, Self.source(pull, transform)))
    }

    /// One element after the other as something to compute.
    static func source<Element: Sendable, Output: Sendable>(
        _ pull: sending @escaping () throws -> Element?,
        _ transform: @escaping @Sendable (Element) throws -> Output
    ) -> sending PoolFeed<Output>.Source {
        {
            guard let element = try pull() else { return nil }
            return { try transform(element) }
        }
    }
}
