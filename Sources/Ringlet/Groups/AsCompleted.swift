// MARK: - One after another, as they end

/// The fibers or promises of `items` in the order in which they end; asyncio's `as_completed`, gevent's `iwait`.
///
///     let ends = asCompleted(fibers)
///     while let fiber = try ends.next() { print(try fiber.join()) }        // in a task: for try await
///
/// It owns nothing and cancels nothing. It may be left half-way and resumed; something given twice comes once.
///
/// - Parameters:
///   - items: What is waited for.
///   - deadline: When it passes, the next step throws ``TimeoutError``.
public func asCompleted<Item: Awaitable>(_ items: [Item], deadline: Deadline = .never) -> AsCompleted<Item> {
    let items = unique(items)
    return AsCompleted(items: items, collector: EndCollector(items), deadline: deadline)
}

/// The same for fibers and promises of different types.
@_disfavoredOverload
public func asCompleted(_ items: [any Awaitable], deadline: Deadline = .never) -> AsCompleted<any Awaitable> {
    let items = unique(items)
    return AsCompleted(items: items, collector: EndCollector(items), deadline: deadline)
}

/// What `asCompleted(_:deadline:)` returns. Steps may be made by several fibers and tasks: each item comes once.
public struct AsCompleted<Item: Sendable>: Sendable {
    fileprivate let items: [Item]
    fileprivate let collector: EndCollector
    fileprivate let deadline: Deadline

    /// Waits for the next one that ends. In a fiber or on a plain thread.
    ///
    /// - Returns: Nil after the last.
    /// - Throws: `CancellationError`; ``TimeoutError``.
    @available(*, noasync, message: "in a task, for try await")
    public func next() throws -> Item? {
        while true {
            if let place = collector.take() { return items[place] }
            if collector.isExhausted { return nil }
            try collector.waitForNext(deadline: deadline)
        }
    }
}

extension AsCompleted: AsyncSequence, AsyncIteratorProtocol {
    public typealias Element = Item

    public func makeAsyncIterator() -> AsCompleted { self }

    /// Waits for the next one that ends. In a task; as the form for fibers.
    public func next() async throws -> Item? {
        while true {
            if let place = collector.take() { return items[place] }
            if collector.isExhausted { return nil }
            try await collector.waitForNext(deadline: deadline)
        }
    }
}
