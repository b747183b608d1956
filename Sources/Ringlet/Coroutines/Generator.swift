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
/// With `yield.from` a body hands its caller over to another generator.
///
/// **Threads.** A generator runs on the thread that made it: a call on another thread throws
/// ``GeneratorError/wrongThread(owner:current:)``. It needs no scheduler. In a task, do not keep one
/// over an `await` that may change threads; ``AsyncGenerator`` is for that.
///
/// **Lifetime.** A suspended body is always unwound, never abandoned: ``close()``, or the end of
/// the last reference, lets the pending `yield` throw ``GeneratorExit``, which ends it. If the last
/// reference goes on another thread, this happens when the owner next starts a generator or
/// coroutine, or exits. A body whose last reference is gone and that yields nevertheless gets the
/// error again; after a thousand times that is said on stderr, and its stack is lost. A generator
/// that is still referred to when its thread exits keeps its stack for ever.
///
/// A body that refers to its own generator is part of a cycle until it ends: use ``close()``. And
/// one whose last reference is gone cannot be brought back by its clean-up.
///
/// **What must not be held over a yield.** A lock that is held belongs to the thread, not to the
/// generator: whoever asked for the element and wants it too blocks the thread for ever, or, where
/// the lock is recursive, gets it. C code that calls back into a body which yields is suspended in
/// the middle, and may be entered again by those that go on: it has to be re-entrant. A signal
/// handler must neither yield nor ask for an element.
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
    @inlinable
    public init(
        name: String? = nil, stackSize: Int = 256 * 1024,
        _ body: @escaping (_ yield: Yielder<Element, Sent>) throws -> Return
    ) {
        core = GeneratorBody(name: name, stackSize: stackSize, body: body)
    }

    /// Makes a generator of elements of a type, which receives values of another.
    @inlinable
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
    ///   memory for a stack, or `stackSize` is below 16 KiB; and as ``send(_:)``.
    @discardableResult
    @inlinable
    public func start() throws -> Element? {
        try core.requirePending()
        return try unsafe step(nil)
    }

    /// Makes the pending `yield` return `value`, and runs the body to its next one. Nil: the body
    /// ended. After the end, nil for ever. Constant time, no allocation.
    ///
    /// - Throws: What the body threw, once. ``GeneratorError/notStarted``,
    ///   ``GeneratorError/alreadyRunning`` and ``GeneratorError/wrongThread(owner:current:)``: nothing
    ///   has happened, and the generator can be used as before.
    @discardableResult
    @inlinable
    public func send(_ value: Sent) throws -> Element? {
        try core.requireStarted()
        var value: Sent? = value
        return try unsafe withUnsafeMutablePointer(to: &value) { value in
            try unsafe step(UnsafeMutableRawPointer(value))
        }
    }

    /// Makes the pending `yield` throw `error`, and runs the body to its next one, whose element is
    /// returned. Nil: the body caught the error and ended.
    ///
    /// A body that has not begun never runs; it has ended then, with this error. While the body
    /// delegates, the error is thrown in the innermost one; a ``GeneratorExit`` closes it and those
    /// that wait for it, one after the other from inside, and is thrown in this one last.
    ///
    /// - Throws: What the body threw, which is `error` if it did not catch it; `error`, if the body has
    ///   ended before; and as ``send(_:)``.
    @discardableResult
    public func `throw`(_ error: any Error) throws -> Element? {
        defer { withExtendedLifetime(self) {} }
        return unsafe take(try unsafe core.throwInto(error))
    }

    /// Resumes the body, and moves the element out of its frame.
    @inlinable
    @inline(__always)
    func step(_ sent: UnsafeMutableRawPointer?) throws -> Element? {
        // The handle holds the core, and the caller holds the handle: nothing is retained here.
        defer { withExtendedLifetime(self) {} }
        return unsafe take(try unsafe core.step(sent))
    }

    @inlinable
    @inline(__always)
    func take(_ offer: UnsafeMutableRawPointer?) -> Element? {
        guard let offer = unsafe offer else { return nil }
        let place = unsafe offer.assumingMemoryBound(to: Element?.self)
        let element = unsafe place.move()
        unsafe place.initialize(to: nil)
        return element
    }

    /// Ends the body: its pending `yield` throws ``GeneratorExit``, and the call returns when the body
    /// has ended. A body that has not begun never runs. Closing twice does nothing.
    ///
    /// - Returns: What the body returned, if it caught the exit and did so. Nil otherwise, and when it
    ///   had ended before.
    /// - Throws: What the body threw instead. ``GeneratorError/ignoredExit`` when it yielded: it is
    ///   suspended there, and can go on or be closed again. ``GeneratorError/alreadyRunning`` and
    ///   ``GeneratorError/wrongThread(owner:current:)`` as ``send(_:)``.
    @discardableResult
    public func close() throws -> Return? {
        defer { withExtendedLifetime(self) {} }
        let isLive = !core.hasEnded
        if let ignored = try unsafe core.close() {
            _ = unsafe take(ignored)
            throw GeneratorError.ignoredExit
        }
        return isLive ? core.returned : nil
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
    public var isFinished: Bool { core.hasEnded }

    /// True while the body produces an element, itself or through one that it delegates to.
    public var isRunning: Bool { core.isRunning }

    /// True before the body has begun.
    public var isPending: Bool { core.isPending }

    /// False on other threads than the one that made it.
    @_spi(C)
    public var isOnItsThread: Bool { core.isOnOwnThread }

    /// The generator that the body delegates to; nil when it does not.
    public var delegate: AnyObject? { unsafe core.delegateHandle?.takeUnretainedValue() }
}

extension Generator where Sent == Void {
    /// Makes a generator of elements of a type.
    @inlinable
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

extension Generator: CustomStringConvertible {
    /// The name, and one of pending, suspended, running, ended; and the same of the generator that it
    /// delegates to.
    public var description: String { core.delegationDescription }
}

@available(*, unavailable, message: "a generator never leaves its thread")
extension Generator: Sendable {}
