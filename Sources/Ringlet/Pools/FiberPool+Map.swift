// MARK: - Many elements, in both colours

extension FiberPool {
    // MARK: One call

    /// Runs `operation` in a fiber of the pool and returns its value or throws its error.
    ///
    /// Within a fiber of this pool, or what it has started, no place is waited for, since the one that it has would
    /// never come free: a fiber runs `operation` itself, and for a task a fiber outside the places does. So this never
    /// deadlocks.
    ///
    /// - Throws: What `operation` throws; `CancellationError`. A caller that is cancelled cancels the fiber.
    @available(*, noasync, message: "in a task, await apply(_:)")
    public func apply<Success>(_ operation: sending @escaping () throws -> Success) throws -> Success {
        if AnyFiber.current != nil, Membership.isIn(self) { return try operation() }
        let fiber = Membership.isIn(self) ? spawnAnywhere(operation: operation) : try spawn(operation: operation)
        do {
            return try fiber.join()
        } catch {
            fiber.cancel()
            throw error
        }
    }

    /// Runs `operation` in a fiber of the pool and returns its value or throws its error.
    ///
    /// As the synchronous form.
    public func apply<Success>(_ operation: sending @escaping () throws -> Success) async throws -> Success {
        let fiber = Membership.isIn(self) ? spawnAnywhere(operation: operation) : try await spawn(operation: operation)
        do {
            return try await fiber.join()
        } catch {
            fiber.cancel()
            throw error
        }
    }

    // MARK: All results at once

    /// Runs `transform` for each element in a fiber of the pool and returns the results in the order of the elements.
    ///
    /// Called in a fiber it suspends the fiber, on a plain thread it blocks the thread. In a task use `try await`.
    /// Within a fiber of this pool elements that find no place are computed one by one.
    ///
    /// - Throws: The error of the first element, in order, that has one; or `CancellationError`. The other fibers have
    ///   been cancelled and have ended by then.
    @available(*, noasync, message: "in a task, await map(_:_:)")
    public func map<Elements: Sequence, Output: Sendable>(
        _ elements: sending Elements, _ transform: @escaping @Sendable (Elements.Element) throws -> Output
    ) throws -> [Output] where Elements.Element: Sendable {
        // The wait for what is left over cannot be refused.
        try FiberRef.current?.requireMayWait()
        let feed = PoolFeed(.ofSource, in: self, bound: nil, Self.source(Self.pull(elements), transform))
        do {
            var outputs: [Output] = []
            while let output = try feed.next("FiberPool.map") { outputs.append(output) }
            return outputs
        } catch {
            feed.stop()
            let wait = {
                _ = feed.leftovers.source?.waitForEnd(deadline: .never)
                for fiber in feed.leftovers.others { _ = fiber.waitForEnd(deadline: .never) }
            }
            if let fiber = FiberRef.current { fiber.shielded(wait) } else { wait() }
            throw error
        }
    }

    /// Runs `transform` for each element in a fiber of the pool and returns the results in the order of the elements.
    ///
    /// As the synchronous form.
    public func map<Elements: Sequence, Output: Sendable>(
        _ elements: sending Elements, _ transform: @escaping @Sendable (Elements.Element) throws -> Output
    ) async throws -> [Output] where Elements.Element: Sendable {
        let feed = PoolFeed(.ofSource, in: self, bound: nil, Self.source(Self.pull(elements), transform))
        do {
            var outputs: [Output] = []
            while let output = try await feed.next() { outputs.append(output) }
            return outputs
        } catch {
            feed.stop()
            if let source = feed.leftovers.source { await source.waitForEndShielded() }
            for fiber in feed.leftovers.others { await fiber.waitForEndShielded() }
            throw error
        }
    }

    // MARK: One result after the other

    /// The results of `transform` for each element, in the order of the elements, as they are asked for.
    ///
    ///     let pages = try pool.mapOrdered(urls, bound: 20) { try fetch($0) }
    ///     while let page = try pages.next() { … }             // in a fiber
    ///     for try await page in pages { … }                   // in a task
    ///
    /// Nothing starts before the first is asked for. What fails throws at its place, and the next call goes on
    /// behind it. See ``Results``.
    ///
    /// - Parameters:
    ///   - elements: A sequence, such as a ``Generator``. It is iterated on another fiber.
    ///   - bound: How many elements may have been begun and not been taken as results; nil for no bound.
    ///   - transform: Runs in a fiber of the pool for each element.
    /// - Throws: ``FiberPoolError/invalidBound(_:)`` below 1.
    public func mapOrdered<Elements: Sequence, Output: Sendable>(
        _ elements: sending Elements, bound: Int? = nil,
        _ transform: @escaping @Sendable (Elements.Element) throws -> Output
    ) throws(FiberPoolError) -> Results<Output> where Elements.Element: Sendable {
        try results(.ofSource, bound, Self.pull(elements), transform)
    }

    /// The results of `transform` for each element, in the order in which they come, as they are asked for.
    ///
    /// As ``mapOrdered(_:bound:_:)`` in all else. An error of the source comes after all results.
    public func mapUnordered<Elements: Sequence, Output: Sendable>(
        _ elements: sending Elements, bound: Int? = nil,
        _ transform: @escaping @Sendable (Elements.Element) throws -> Output
    ) throws(FiberPoolError) -> Results<Output> where Elements.Element: Sendable {
        try results(.ofCompletion, bound, Self.pull(elements), transform)
    }

    private static func pull<Elements: Sequence>(
        _ elements: sending Elements
    ) -> sending () throws -> Elements.Element? {
        var iterator = elements.makeIterator()
        return { iterator.next() }
    }
}
