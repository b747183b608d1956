/// The end of a pipe from which this process reads what a child writes.
///
/// Errors are as with ``TCPConnection``. What the child has written stays in the pipe, 64 KiB of it, also when it has
/// ended; a child that writes more waits for somebody to read. Dropping the last reference closes the end.
public final class PipeReader: Sendable {
    let descriptor: Descriptor

    /// Takes ownership of a descriptor whose reads wait.
    init(_ raw: Int32) {
        descriptor = Descriptor(raw)
    }

    /// Reads what there is, at most the buffer's capacity, and replaces the buffer's data with it.
    ///
    /// - Returns: The number of bytes; 0 when nobody has the other end open any more.
    @available(*, noasync, message: "in a task, await read(into:)")
    @discardableResult
    public func read(into buffer: inout Buffer, deadline: Deadline = .never) throws -> Int {
        let count = try descriptor.perform(
            .read(descriptor.raw, into: buffer.address, count: buffer.capacity, at: nil),
            "PipeReader.read(into:)", deadline: deadline)
        buffer.setCount(Int(count))
        return Int(count)
    }

    /// Reads what there is, at most the buffer's capacity, and replaces the buffer's data with it.
    ///
    /// - Returns: The number of bytes; 0 when nobody has the other end open any more.
    @discardableResult
    public func read(into buffer: inout Buffer, deadline: Deadline = .never) async throws -> Int {
        let count = try await descriptor.perform(
            .read(descriptor.raw, into: buffer.address, count: buffer.capacity, at: nil), deadline: deadline)
        buffer.setCount(Int(count))
        return Int(count)
    }

    // MARK: Everything

    private static let chunk = 64 * 1024

    /// Reads up to the end.
    ///
    /// - Parameters:
    ///   - limit: How many bytes there may be.
    ///   - deadline: When to give up.
    /// - Throws: ``CommandError/outputTooLong(limit:)`` when there are more; what was read is lost then, as with
    ///   every other error.
    @available(*, noasync, message: "in a task, await readToEnd()")
    public func readToEnd(limit: Int = .max, deadline: Deadline = .never) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = Buffer(capacity: Self.chunk)
        while try read(into: &buffer, deadline: deadline) > 0 { try bytes.append(buffer, limit) }
        return bytes
    }

    /// Reads up to the end.
    ///
    /// - Throws: As the synchronous form.
    public func readToEnd(limit: Int = .max, deadline: Deadline = .never) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = Buffer(capacity: Self.chunk)
        while try await read(into: &buffer, deadline: deadline) > 0 { try bytes.append(buffer, limit) }
        return bytes
    }

    // MARK: Ending

    /// Closes the end; a child that writes then gets SIGPIPE, or EPIPE. Reads in flight end with
    /// `Errno.badFileDescriptor` first. Not cut short by cancellation.
    ///
    /// - Throws: `Errno.badFileDescriptor` when it is closed already.
    @available(*, noasync, message: "in a task, await close()")
    public func close() throws {
        try descriptor.close("PipeReader.close()")
    }

    /// Closes the end. As the synchronous form.
    public func close() async throws {
        try await descriptor.close()
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ buffer: borrowing Buffer, _ limit: Int) throws {
        if buffer.count > limit - count { throw CommandError.outputTooLong(limit: limit) }
        append(contentsOf: [UInt8](buffer))
    }
}
