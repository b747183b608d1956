/// Writes to a connection behind the caller's back: a write copies its bytes and returns, and the
/// worker sends them with its next call into the kernel.
///
///     var writer = BufferedWriter(connection)
///     while try connection.read(into: &buffer) > 0 {
///         try writer.write(buffer)
///     }
///     try writer.close()
///
/// One send is in flight at a time; what is written meanwhile is collected and sent as one. Memory is
/// bounded: two buffers of the writer's capacity. A write that finds no room waits for it, and takes
/// all of its bytes or none.
///
/// **Errors come late.** When a send fails, the next write, flush or close throws what it failed with,
/// and so does every one after it. What was accepted and not yet sent is lost then; how much of it the
/// other side has got is not known. Only a flush that returns says that the kernel has taken
/// everything, and nothing says that the other side has read it.
///
/// A deadline or a cancellation ends a wait, not a send: what was accepted is still sent. A call that
/// has nothing to wait for looks at neither.
///
/// A writer that is dropped without a close waits for nothing and reports nothing. What was accepted
/// is sent all the same, unless the connection is closed or the scheduler shuts down before. Then, if
/// nobody else refers to the connection, it is closed.
///
/// Use the connection for reading only as long as there is a writer, and give it one writer.
public struct BufferedWriter: ~Copyable, Sendable {
    /// Where the bytes go.
    public let connection: TCPConnection

    private let behind: WriteBehind

    /// A writer with nothing to send.
    ///
    /// - Parameters:
    ///   - connection: Where the bytes go. The writer keeps it open until everything is sent.
    ///   - capacity: Bytes that can wait while a send is in flight. A larger write waits until
    ///     everything before it is sent, and is then sent from the caller's buffer, as by
    ///     ``TCPConnection``.
    public init(_ connection: TCPConnection, capacity: Int = 16 * 1024) {
        self.connection = connection
        behind = WriteBehind(connection.descriptor, capacity: capacity)
    }

    deinit {
        behind.abandon()
    }

    // MARK: Writing

    /// Accepts all of the buffer's data for sending. Waits when there is no room.
    ///
    /// - Throws: The error of an earlier write. When the wait for room ends early, `CancellationError`
    ///   or ``TimeoutError``; then none of the data was accepted.
    @available(*, noasync, message: "in a task, await write(_:)")
    public mutating func write(_ buffer: borrowing Buffer, deadline: Deadline = .never) throws {
        _ = try FiberRef.require("BufferedWriter.write(_:)")
        if buffer.count > behind.capacity {
            try flush(deadline: deadline)
            return try connection.write(buffer, deadline: deadline)
        }
        while let room = try behind.accept(buffer, deadline: deadline) {
            try room.wait(deadline: deadline)
        }
    }

    /// Accepts all of the buffer's data for sending. Waits when there is no room.
    ///
    /// - Throws: The error of an earlier write. When the wait for room ends early, `CancellationError`
    ///   or ``TimeoutError``; then none of the data was accepted.
    public mutating func write(_ buffer: borrowing Buffer, deadline: Deadline = .never) async throws
    {
        if buffer.count > behind.capacity {
            try await flush(deadline: deadline)
            return try await connection.write(buffer, deadline: deadline)
        }
        while let room = try behind.accept(buffer, deadline: deadline) {
            try await room.wait(deadline: deadline)
        }
    }

    /// Waits until the kernel has taken everything.
    ///
    /// - Throws: The error of an earlier write; `CancellationError` or ``TimeoutError``.
    @available(*, noasync, message: "in a task, await flush()")
    public mutating func flush(deadline: Deadline = .never) throws {
        _ = try FiberRef.require("BufferedWriter.flush()")
        while let progress = try behind.unsent(deadline: deadline) {
            try progress.wait(deadline: deadline)
        }
    }

    /// Waits until the kernel has taken everything.
    ///
    /// - Throws: The error of an earlier write; `CancellationError` or ``TimeoutError``.
    public mutating func flush(deadline: Deadline = .never) async throws {
        while let progress = try behind.unsent(deadline: deadline) {
            try await progress.wait(deadline: deadline)
        }
    }

    // MARK: Ending

    /// Flushes, and closes the connection, also when the flush fails; what is not sent then is lost.
    ///
    /// - Parameter deadline: Bounds the flush.
    /// - Throws: What the flush threw, or else the close.
    @available(*, noasync, message: "in a task, await close()")
    public consuming func close(deadline: Deadline = .never) throws {
        do {
            try flush(deadline: deadline)
        } catch {
            try? connection.close()
            throw error
        }
        try connection.close()
    }

    /// Flushes, and closes the connection, also when the flush fails; what is not sent then is lost.
    ///
    /// - Parameter deadline: Bounds the flush.
    /// - Throws: What the flush threw, or else the close.
    public consuming func close(deadline: Deadline = .never) async throws {
        do {
            try await flush(deadline: deadline)
        } catch {
            try? await connection.close()
            throw error
        }
        try await connection.close()
    }
}
