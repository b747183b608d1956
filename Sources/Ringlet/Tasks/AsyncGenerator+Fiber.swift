// The forms for fibers. Each waits in place, in the fiber's own task: to the generator a fiber is a task
// like any other.

extension AsyncGenerator {
    /// As `start()` of a task. Suspends the fiber.
    @available(*, noasync, message: "in a task, await start()")
    @discardableResult
    public func start() throws -> Element? {
        try Fiber.await { try await core.step(.start) }
    }

    /// As `send(_:)` of a task. Suspends the fiber.
    @available(*, noasync, message: "in a task, await send(_:)")
    @discardableResult
    public func send(_ value: Sent) throws -> Element? {
        try Fiber.await { try await core.step(.value, value) }
    }

    /// As `throw(_:)` of a task. Suspends the fiber.
    @available(*, noasync, message: "in a task, await throw(_:)")
    @discardableResult
    public func `throw`(_ error: any Error) throws -> Element? {
        try Fiber.await { try await core.step(.error(error)) }
    }

    /// As `close()` of a task. Suspends the fiber.
    @available(*, noasync, message: "in a task, await close()")
    @discardableResult
    public func close() throws -> Return? {
        try Fiber.await { try await core.close() }
    }
}

extension AsyncGenerator where Sent == Void {
    /// As `next()` of a task. Suspends the fiber.
    @available(*, noasync, message: "in a task, await next()")
    public func next() throws -> Element? {
        try Fiber.await { try await core.step(.nothing, ()) }
    }
}

extension AsyncGenerator where Sent: ExpressibleByNilLiteral {
    /// As `next()` of a task. Suspends the fiber.
    @available(*, noasync, message: "in a task, await next()")
    public func next() throws -> Element? {
        try Fiber.await { try await core.step(.nothing, .some(nil)) }
    }
}
