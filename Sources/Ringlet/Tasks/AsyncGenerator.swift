/// A generator whose body is asynchronous: it may `await` between two elements, and whoever asks for
/// one is suspended meanwhile.
///
///     let lines = AsyncGenerator(of: String.self) { yield in
///         let connection = try await TCPConnection.connect(to: address)
///         defer { … }
///         while let line = try await readLine(from: connection) { try await yield(line) }
///     }
///     for try await line in lines { print(line) }
///
/// As ``Generator``: the body begins at the first element that is asked for; what is sent or thrown in
/// comes out of the pending `yield`; `close()` ends the body with ``GeneratorExit``.
///
/// **Tasks.** The body runs in a task of its own, which is made at the first step: with the task-locals
/// and the priority of whoever made that, and on the worker that this ran on, if it was one. It may be
/// used by any task, and by fibers with the plain forms of its methods; by one at a time: a step while
/// another is under way throws ``GeneratorError/alreadyRunning``. A step takes two hops between tasks and
/// no allocation of its own.
///
/// **Cancellation.** Cancelling a task or fiber while it waits for an element cancels the body's task,
/// for good, as it would the callee of an `await`. The step ends when the body yields or ends.
/// `close()` passes no cancellation on: what the body does at its end is not cut short.
///
/// **Lifetime.** A body that has begun is always brought to its end. `closing(_:)` waits for that at the
/// end of a scope. When the last reference goes, its pending `yield` throws ``GeneratorExit``, and its task
/// runs on until it has ended, on its worker. ``Scheduler/shutdown(deadline:)`` and the end of
/// `Scheduler.run` do the same for all generators that began on the scheduler, and wait for them before
/// anything else is cancelled; one that is in the middle of a step has its task cancelled, as has one that
/// takes longer than ``SchedulerOptions/cleanUpLimit``. One that begins while this goes on, in the clean-up
/// of another, works, and is for those who use it to close. Errors that a body throws at such an end are
/// written to stderr. A body that goes on all the same gets the exit again; after a thousand times that is
/// written, too, and it stays suspended for ever.
public final class AsyncGenerator<Element: Sendable, Sent: Sendable, Return: Sendable>: Sendable {
    let core: AsyncGeneratorCore<Element, Sent, Return>

    /// Makes a generator, suspended before the first line of its body.
    ///
    /// - Parameters:
    ///   - name: Of the body's task, and part of reports and the description.
    ///   - body: What it throws comes out of the call that asked for an element.
    public init(
        name: String? = nil,
        _ body: sending @escaping (_ yield: AsyncYielder<Element, Sent>) async throws -> Return
    ) {
        core = AsyncGeneratorCore(name: name, body: body)
    }

    /// Makes a generator of elements of a type, which receives values of another.
    public convenience init(
        of element: Element.Type, receiving sent: Sent.Type, name: String? = nil,
        _ body: sending @escaping (_ yield: AsyncYielder<Element, Sent>) async throws -> Return
    ) {
        self.init(name: name, body)
    }

    deinit {
        core.endDropped()
    }

    // MARK: Elements

    /// Runs the body to its first `yield`. Nil: it ended before.
    ///
    /// - Throws: What the body threw; ``GeneratorError/alreadyStarted``; and as `send(_:)`.
    @discardableResult
    public func start() async throws -> Element? {
        try await core.step(.start)
    }

    /// Makes the pending `yield` return `value`, and runs the body to its next one. Nil: the body
    /// ended. After the end, nil for ever.
    ///
    /// - Throws: What the body threw, once. ``GeneratorError/notStarted`` and
    ///   ``GeneratorError/alreadyRunning``: nothing has happened, and the generator can be used as
    ///   before.
    @discardableResult
    public func send(_ value: Sent) async throws -> Element? {
        try await core.step(.value, value)
    }

    /// Makes the pending `yield` throw `error`, and runs the body to its next one, whose element is
    /// returned. Nil: the body caught the error and ended. A body that has not begun never runs.
    ///
    /// - Throws: What the body threw, which is `error` if it did not catch it; `error`, if the body has
    ///   ended before; ``GeneratorError/alreadyRunning``.
    @discardableResult
    public func `throw`(_ error: any Error) async throws -> Element? {
        try await core.step(.error(error))
    }

    /// Ends the body: its pending `yield` throws ``GeneratorExit``, and the call returns when the body
    /// has ended. A body that has not begun never runs. Closing twice does nothing. For the end of a scope there is
    /// `closing(_:)`.
    ///
    /// - Returns: What the body returned, if it caught the exit and did so. Nil otherwise, and when it
    ///   had ended before.
    /// - Throws: What the body threw instead. ``GeneratorError/ignoredExit`` when it yielded: it is
    ///   suspended there, and can go on or be closed again. ``GeneratorError/alreadyRunning``.
    @discardableResult
    public func close() async throws -> Return? {
        try await core.close()
    }

    // MARK: State

    /// What the body returned; nil while it has not ended, and when it was closed before it could.
    /// Reading it throws what the body threw.
    public var result: Return? {
        get throws { try core.result() }
    }

    /// The name given at creation.
    public var name: String? { core.name }

    /// True before the body has begun.
    public var isPending: Bool { core.state == .pending }

    /// True while the body produces an element, or comes to its end.
    public var isRunning: Bool { core.state == .running }

    /// True once the body has ended, or was closed before it began.
    public var isFinished: Bool { core.state == .ended }
}

extension AsyncGenerator: CustomStringConvertible {
    /// The name, and one of pending, suspended, running, ended.
    public var description: String { "\(core.label) (\(core.state))" }
}

extension AsyncGenerator where Sent == Void {
    /// Makes a generator of elements of a type.
    public convenience init(
        of element: Element.Type, name: String? = nil,
        _ body: sending @escaping (_ yield: AsyncYielder<Element, Sent>) async throws -> Return
    ) {
        self.init(name: name, body)
    }

    /// Runs the body to its next `yield`. Nil: it ended. After the end, nil for ever.
    ///
    /// - Throws: What the body threw, once; ``GeneratorError/alreadyRunning``.
    public func next() async throws -> Element? {
        try await core.step(.nothing, ())
    }
}

extension AsyncGenerator where Sent: ExpressibleByNilLiteral {
    /// Starts the body, or sends nil to its pending `yield`; otherwise as `send(_:)`.
    public func next() async throws -> Element? {
        try await core.step(.nothing, .some(nil))
    }
}

extension AsyncGenerator: AsyncSequence where Sent == Void {
    /// The elements that are still to come.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let generator: AsyncGenerator

        /// The next element; nil at the end.
        public func next() async throws -> Element? { try await generator.next() }
    }

    /// All iterators of a generator share its progress.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(generator: self) }
}

/// The right to yield, given to the body of an ``AsyncGenerator``. It may be passed on, also to child
/// tasks of the body.
public struct AsyncYielder<Element: Sendable, Sent: Sendable>: Sendable {
    let core: AsyncGeneratorState<Element, Sent>

    /// Hands `element` to whoever asked for it, and waits to be asked again. Returns what is sent next.
    ///
    /// - Throws: What is thrown into the generator; when it is closed, ``GeneratorExit``, which ends the
    ///   body: let it pass. ``GeneratorError/notRunning`` while nobody has asked for an element, and in a task that the
    ///   body leaves behind when it ends.
    @discardableResult
    public func callAsFunction(_ element: Element) async throws -> Sent {
        try await core.yield(element)
    }
}

extension AsyncYielder where Sent == Void {
    /// Yields the elements of a sequence. An error that is thrown into the generator is thrown here.
    ///
    /// Only elements are passed on. The sequence, which may be another generator, is told of no error and is not closed.
    public func from<Elements: AsyncSequence>(_ elements: Elements) async throws
    where Elements.Element == Element {
        for try await element in elements { try await self(element) }
    }

    /// Yields the elements of a sequence.
    public func from(_ elements: some Sequence<Element>) async throws {
        for element in elements { try await self(element) }
    }
}
