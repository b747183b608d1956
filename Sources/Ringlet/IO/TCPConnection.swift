import SystemPackage

/// A TCP connection.
///
/// Every operation has two forms of one name: plain in a fiber, awaited in a task. One read and one write may be
/// under way at a time; the order of several of the same kind is the kernel's. Dropping the last
/// reference closes the connection; `close()` also reports errors and ends what is in flight.
///
/// Errors, for all operations: `Errno` for what the kernel said; `CancellationError` when the fiber or task
/// was cancelled; ``TimeoutError`` when the deadline passed; `Errno.badFileDescriptor` when the connection
/// is closed, also while the operation waits. A cancelled operation whose bytes have already moved
/// succeeds.
public final class TCPConnection: Sendable {
    let descriptor: Descriptor

    /// Takes ownership of a connected socket.
    package init(_ raw: Int32) {
        descriptor = Descriptor(raw)
        // Fails only on what is not TCP, which then does not need it.
        try? SocketCalls.setNoDelay(raw)
    }

    // MARK: Connecting

    /// Connects to `address`.
    @available(*, noasync, message: "in a task, await TCPConnection.connect(to:)")
    public static func connect(to address: SocketAddress, deadline: Deadline = .never) throws
        -> TCPConnection
    {
        let connection = TCPConnection(try SocketCalls.makeStream(address))
        let encoded = Buffer(copying: address.encoded)
        _ = try connection.descriptor.perform(
            .connect(connection.descriptor.raw, to: encoded.address, length: encoded.count),
            "TCPConnection.connect(to:)", deadline: deadline)
        return connection
    }

    /// Connects to `address`.
    public static func connect(to address: SocketAddress, deadline: Deadline = .never) async throws
        -> TCPConnection
    {
        let connection = TCPConnection(try SocketCalls.makeStream(address))
        let encoded = Buffer(copying: address.encoded)
        _ = try await connection.descriptor.perform(
            .connect(connection.descriptor.raw, to: encoded.address, length: encoded.count),
            deadline: deadline)
        return connection
    }

    /// The address of the other side.
    public var peerAddress: SocketAddress {
        get throws { try SocketCalls.peerAddress(of: descriptor.raw) }
    }

    // MARK: Reading

    /// Reads what there is, at most the buffer's capacity, and replaces the buffer's data with it.
    ///
    /// - Returns: The number of bytes; 0 when the other side has finished sending.
    @available(*, noasync, message: "in a task, await read(into:)")
    @discardableResult
    public func read(into buffer: inout Buffer, deadline: Deadline = .never) throws -> Int {
        let count = try descriptor.perform(
            .receive(descriptor.raw, into: buffer.address, count: buffer.capacity),
            "TCPConnection.read(into:)", deadline: deadline)
        buffer.setCount(Int(count))
        return Int(count)
    }

    /// Reads what there is, at most the buffer's capacity, and replaces the buffer's data with it.
    ///
    /// - Returns: The number of bytes; 0 when the other side has finished sending.
    @discardableResult
    public func read(into buffer: inout Buffer, deadline: Deadline = .never) async throws -> Int {
        let count = try await descriptor.perform(
            .receive(descriptor.raw, into: buffer.address, count: buffer.capacity),
            deadline: deadline)
        buffer.setCount(Int(count))
        return Int(count)
    }

    // MARK: Writing

    /// Writes all of the buffer's data.
    ///
    /// When it throws, part of the data may have been sent.
    @available(*, noasync, message: "in a task, await write(_:)")
    public func write(_ buffer: borrowing Buffer, deadline: Deadline = .never) throws {
        // Sent as a whole, as a rule: the loop for what is left is elsewhere.
        guard buffer.count > 0 else { return }
        let sent = try descriptor.perform(
            request(sending: buffer), "TCPConnection.write(_:)", deadline: deadline)
        let end = buffer.end(ofTaking: sent, from: 0)
        if end < buffer.count { try writeRest(of: buffer, after: end, deadline) }
    }

    @inline(never)
    private func writeRest(of buffer: borrowing Buffer, after start: Int, _ deadline: Deadline) throws {
        var sent = start
        while sent < buffer.count {
            let count = try descriptor.perform(
                request(sending: buffer, from: sent), "TCPConnection.write(_:)", deadline: deadline)
            sent = buffer.end(ofTaking: count, from: sent)
        }
    }

    /// Writes all of the buffer's data.
    ///
    /// When it throws, part of the data may have been sent.
    public func write(_ buffer: borrowing Buffer, deadline: Deadline = .never) async throws {
        var sent = 0
        while sent < buffer.count {
            let count = try await descriptor.perform(request(sending: buffer, from: sent), deadline: deadline)
            sent = buffer.end(ofTaking: count, from: sent)
        }
    }

    @inline(__always)
    private func request(sending buffer: borrowing Buffer, from start: Int = 0) -> Request {
        .send(descriptor.raw, from: buffer.address + UInt(start), count: buffer.count - start)
    }

    // MARK: Ending

    /// Tells the other side that nothing more will be written; reading goes on.
    @available(*, noasync, message: "in a task, await finishWriting()")
    public func finishWriting() throws {
        _ = try descriptor.perform(
            .shutdown(descriptor.raw, how: 1), "TCPConnection.finishWriting()", deadline: .never)
    }

    /// Tells the other side that nothing more will be written; reading goes on.
    public func finishWriting() async throws {
        _ = try await descriptor.perform(.shutdown(descriptor.raw, how: 1), deadline: .never)
    }

    /// Closes the connection. Operations in flight end with `Errno.badFileDescriptor` first. Not cut
    /// short by cancellation.
    ///
    /// - Throws: `Errno.badFileDescriptor` when it is closed already.
    @available(*, noasync, message: "in a task, await close()")
    public func close() throws {
        try descriptor.close("TCPConnection.close()")
    }

    /// Closes the connection. Operations in flight end with `Errno.badFileDescriptor` first. Not cut
    /// short by cancellation.
    ///
    /// - Throws: `Errno.badFileDescriptor` when it is closed already.
    public func close() async throws {
        try await descriptor.close()
    }
}
