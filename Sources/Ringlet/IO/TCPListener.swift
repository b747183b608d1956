/// A socket that waits for TCP connections.
///
/// Errors are as with ``TCPConnection``.
public final class TCPListener: Sendable {
    let descriptor: Descriptor

    /// Where the listener listens, with the port that the kernel chose if none was asked for.
    public let address: SocketAddress

    /// Binds and listens. Does not wait; any thread.
    ///
    /// - Parameters:
    ///   - address: What to bind to; port 0 lets the kernel choose.
    ///   - backlog: Connections that the kernel keeps until they are accepted.
    ///   - sharesPort: Whether several listeners may have the same port, over which the kernel then
    ///     spreads connections (SO_REUSEPORT).
    /// - Throws: `Errno`, such as `.addressInUse`.
    public init(on address: SocketAddress, backlog: Int32 = 1024, sharesPort: Bool = false) throws {
        let raw = try SocketCalls.makeStream(address)
        descriptor = Descriptor(raw)
        try SocketCalls.setReuseAddress(raw)
        if sharesPort { try SocketCalls.setReusePort(raw) }
        try SocketCalls.bind(raw, to: address)
        try SocketCalls.listen(raw, backlog: backlog)
        self.address = try SocketCalls.localAddress(of: raw)
    }

    /// Waits for a connection. In a fiber. Several may wait at once.
    ///
    /// - Throws: `CancellationError`; ``TimeoutError``; `Errno.badFileDescriptor` when the listener is closed; what accept(2)
    ///   says, as `Errno.tooManyOpenFiles`, after which the connection still waits for the next call.
    @available(*, noasync, message: "in a task, await accept()")
    public func accept(deadline: Deadline = .never) throws -> TCPConnection {
        TCPConnection(
            try descriptor.perform(
                .accept(descriptor.raw), "TCPListener.accept()", deadline: deadline))
    }

    /// Waits for a connection. In a task; as the form for fibers.
    public func accept(deadline: Deadline = .never) async throws -> TCPConnection {
        TCPConnection(try await descriptor.perform(.accept(descriptor.raw), deadline: deadline))
    }

    /// Stops listening. Accepts in flight end with `Errno.badFileDescriptor`. In a fiber, which waits for their ends.
    ///
    /// - Throws: `Errno.badFileDescriptor` when it was closed before.
    @available(*, noasync, message: "in a task, await close()")
    public func close() throws {
        try descriptor.close("TCPListener.close()")
    }

    /// Stops listening. In a task; as the form for fibers.
    public func close() async throws {
        try await descriptor.close()
    }
}
