/// A function that produces values one at a time, from any depth of calls, and is suspended between
/// them.
///
///     let fibonacci = Generator(of: Int.self) { yield in
///         var (a, b) = (0, 1)
///         while true {
///             try yield(a)
///             (a, b) = (b, a + b)
///         }
///     }
///     for number in fibonacci.prefix(10) { print(number) }
///
/// The body begins at the first element that is asked for. It is given a handle, ``Yielder``, which
/// may be passed on to other functions. What is sent with ``send(_:)`` is what the pending `yield`
/// returns:
///
///     let average = Generator(of: Double.self, receiving: Double.self) { yield in
///         var (sum, count) = (0.0, 0.0)
///         while true {
///             sum += try yield(count == 0 ? 0 : sum / count)
///             count += 1
///         }
///     }
///     try average.start()
///     try average.send(10)        // 10
///     try average.send(20)        // 15
///
/// **Threads.** A generator runs on the thread that made it: a call on another thread traps and
/// names both. It needs no scheduler. In a task, do not keep one over an `await` that may change
/// threads. Asking a generator for an element while it is producing one traps.
///
/// **Lifetime.** A suspended body is always unwound, never abandoned: ``close()``, or the end of
/// the last reference, lets the pending `yield` throw an error that ends it. If the last reference
/// goes on another thread, this happens when the owner next starts a generator or coroutine, or
/// exits. A generator that is still referred to when its thread exits keeps its stack for ever.
///
/// **Tasks and fibers.** The body belongs to no task: task-locals of the caller are not visible,
/// and those that it binds are its own. (Where the runtime's word for them is not found at
/// start-up, do not hold a binding over a `yield`.) Inside a fiber, the body may wait like the
/// fiber itself (`Fiber.sleep`, reads and writes): the whole fiber is suspended, in the middle of
/// `next()`. A `yield` inside a task that runs on the generator's own stack (`Task.immediate`)
/// traps.
public final class Generator<Element, Sent, Return> {
    @usableFromInline let core: GeneratorBody<Element, Sent, Return>

    /// Makes a generator, suspended before the first line of its body. Takes no stack until the
    /// first element is asked for.
    ///
    /// - Parameters:
    ///   - name: Part of traps, crash reports and the description.
    ///   - stackSize: In bytes, at least 16 KiB; rounded up to whole pages, committed when touched.
    ///   - body: Runs on the generator's own stack. What it throws comes out of the call that asked
    ///     for an element.
    public init(
        name: String? = nil, stackSize: Int = 256 * 1024,
        _ body: @escaping (_ yield: Yielder<Element, Sent>) throws -> Return
    ) {
        core = GeneratorBody(name: name, stackSize: stackSize, body: body)
    }

    /// Makes a generator of elements of a type, which receives values of another.
    public convenience init(
        of element: Element.Type, receiving sent: Sent.Type,
        name: String? = nil, stackSize: Int = 256 * 1024,
        _ body: @escaping (_ yield: Yielder<Element, Sent>) throws -> Return
    ) {
        self.init(name: name, stackSize: stackSize, body)
    }

    deinit {
        core.handleDropped()
    }

    // MARK: Elements

    /// Runs the body to its first `yield`. Nil: it ended before.
    ///
    /// - Throws: What the body threw; ``GeneratorError/alreadyStarted``; `Errno` when there is no
    ///   memory for a stack, or `stackSize` is below 16 KiB.
    @discardableResult
    @inlinable
    public func start() throws -> Element? {
        try core.requirePending()
        return try unsafe step(nil)
    }

    /// Makes the pending `yield` return `value`, and runs the body to its next one. Nil: the body
    /// ended. After the end, nil for ever. Constant time, no allocation.
    ///
    /// - Throws: What the body threw, once; ``GeneratorError/notStarted``, and the generator can be
    ///   used as before.
    @discardableResult
    @inlinable
    public func send(_ value: Sent) throws -> Element? {
        try core.requireStarted()
        var value: Sent? = value
        return try unsafe withUnsafeMutablePointer(to: &value) { value in
            try unsafe step(UnsafeMutableRawPointer(value))
        }
    }

    /// Resumes the body, and moves the element out of its frame.
    @inlinable
    @inline(__always)
    func step(_ sent: UnsafeMutableRawPointer?) throws -> Element? {
        // The handle holds the core, and the caller holds the handle: nothing is retained here.
        defer { withExtendedLifetime(self) {} }
        let offer = try unsafe GeneratorCore.step(Unmanaged.passUnretained(core), sent)
        guard let offer = unsafe offer else { return nil }
        let place = unsafe offer.assumingMemoryBound(to: Element?.self)
        let element = unsafe place.move()
        unsafe place.initialize(to: nil)
        return element
    }

    /// Ends the body: its pending `yield` throws an error that is to be left alone, and the call
    /// returns when the body has ended. In between, further yields throw the same error; a body
    /// that goes on after a thousand of them traps. A body that has not begun never runs. Closing
    /// twice does nothing.
    ///
    /// - Throws: What the body threw instead.
    public func close() throws {
        try core.close()
    }

    // MARK: State

    /// What the body returned; nil while it has not ended, and when it was closed before it could.
    ///
    /// Reading it throws what the body threw. This is how a `for` loop learns of an error, which
    /// for it is just an end. An error that nobody has seen is written to stderr when the generator
    /// goes.
    public var result: Return? {
        get throws { try core.result() }
    }

    /// The name given at creation.
    public var name: String? { core.name }

    /// True once the body has ended, or was closed before it began.
    public var isFinished: Bool { core.state == .ended }
}

extension Generator where Sent == Void {
    /// Makes a generator of elements of a type.
    public convenience init(
        of element: Element.Type, name: String? = nil, stackSize: Int = 256 * 1024,
        _ body: @escaping (_ yield: Yielder<Element, Sent>) throws -> Return
    ) {
        self.init(name: name, stackSize: stackSize, body)
    }

    /// Runs the body to its next `yield`. Nil: it ended. After the end, nil for ever. Constant
    /// time, no allocation after the first.
    ///
    /// - Throws: What the body threw, once; `Errno` when there is no memory for a stack, or
    ///   `stackSize` is below 16 KiB.
    @inlinable
    public func next() throws -> Element? {
        try unsafe step(nil)
    }
}

extension Generator where Sent: ExpressibleByNilLiteral {
    /// Starts the body, or sends nil to its pending `yield`; otherwise as ``send(_:)``.
    @inlinable
    public func next() throws -> Element? {
        core.isPending ? try start() : try send(nil)
    }
}

extension Generator: Sequence where Sent == Void {
    /// The elements that are still to come. An error of the body ends them; see
    /// ``Generator/result``.
    public struct Iterator: IteratorProtocol {
        @usableFromInline let generator: Generator

        @usableFromInline init(_ generator: Generator) { self.generator = generator }

        @inlinable
        public func next() -> Element? {
            do {
                return try generator.next()
            } catch {
                generator.core.keep(error)
                return nil
            }
        }
    }

    /// All iterators of a generator share its progress.
    @inlinable
    public func makeIterator() -> Iterator { Iterator(self) }
}

extension Generator: CustomStringConvertible {
    /// The name, and one of pending, suspended, running, ended.
    public var description: String { core.stateDescription }
}

@available(*, unavailable, message: "a generator never leaves its thread")
extension Generator: Sendable {}

/// The right to yield, given to the body of a ``Generator``.
///
/// It may be passed down and stored. Used while the body does not run, or by a fiber or coroutine
/// that the body did not call, it traps.
public struct Yielder<Element, Sent> {
    @usableFromInline let core: GeneratorCore

    init(_ core: GeneratorCore) { self.core = core }

    /// Hands `element` to the caller and suspends the body. Returns what is sent next.
    ///
    /// The body of another generator may yield here too, if this one's body has asked that for an
    /// element: then both are suspended.
    ///
    /// - Throws: When the generator is closed, an error that unwinds the body: let it pass.
    @discardableResult
    @inlinable
    public func callAsFunction(_ element: Element) throws -> Sent {
        var element: Element? = element
        let sent = try unsafe withUnsafeMutablePointer(to: &element) {
            try unsafe GeneratorCore.yield(
                Unmanaged.passUnretained(core), UnsafeMutableRawPointer($0))
        }
        withExtendedLifetime(self) {}
        if Sent.self == Void.self { return unsafe unsafeBitCast((), to: Sent.self) }
        return unsafe sent.unsafelyUnwrapped.assumingMemoryBound(to: Sent?.self).pointee
            .unsafelyUnwrapped
    }
}

/// How a generator was used wrongly. It can be used as before.
public enum GeneratorError: Error, Hashable, Sendable {
    /// A value was sent before there was a `yield` to return it; use `start()` first.
    case notStarted
    /// `start()` was called for a body that has begun.
    case alreadyStarted
}
