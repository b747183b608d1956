import SystemPackage

/// The end of a pipe to which this process writes what a child reads.
///
/// Errors are as with ``TCPConnection``; `Errno.brokenPipe` when nobody has the other end open any more, without a
/// SIGPIPE. Closing it is how the child learns that nothing more will come, and so does dropping the last reference.
public final class PipeWriter: Sendable {
    let descriptor: Descriptor

    /// Takes ownership of a descriptor whose writes do not wait.
    init(_ raw: Int32) {
        descriptor = Descriptor(raw)
    }

    // A ring's write raises SIGPIPE in the worker's thread, which may be one of the program's. So the ring waits for room,
    // and the write is a call of its own.
    private static let writable: UInt32 = 4 /* POLLOUT */

    private func writeNow(_ buffer: borrowing Buffer, from start: Int, on worker: Worker) throws -> Int {
        let (address, count) = (buffer.address + UInt(start), buffer.count - start)
        return try descriptor.call(on: worker) { raw in
            do throws(Errno) {
                return try PipeCalls.write(raw, from: address, count: count)
            } catch .wouldBlock {
                // Somebody else has written meanwhile.
                return 0
            }
        }
    }

    /// Writes all of the buffer's data. Waits for room in the pipe, of 64 KiB, when there is none.
    ///
    /// When it throws, part of the data may have been written.
    @available(*, noasync, message: "in a task, await write(_:)")
    public func write(_ buffer: borrowing Buffer, deadline: Deadline = .never) throws {
        var written = 0
        while written < buffer.count {
            _ = try descriptor.perform(
                .poll(descriptor.raw, events: Self.writable), "PipeWriter.write(_:)", deadline: deadline)
            written += try writeNow(buffer, from: written, on: Worker.forCurrentTask)
        }
    }

    /// Writes all of the buffer's data. Waits for room in the pipe, of 64 KiB, when there is none.
    ///
    /// When it throws, part of the data may have been written.
    public func write(_ buffer: borrowing Buffer, deadline: Deadline = .never) async throws {
        var written = 0
        while written < buffer.count {
            _ = try await descriptor.perform(
                .poll(descriptor.raw, events: Self.writable), deadline: deadline)
            written += try writeNow(buffer, from: written, on: Worker.forCurrentTask)
        }
    }

    /// Closes the end: the child reads what is left, and then the end of its input. Writes in flight end with
    /// `Errno.badFileDescriptor` first. Not cut short by cancellation.
    ///
    /// - Throws: `Errno.badFileDescriptor` when it is closed already.
    @available(*, noasync, message: "in a task, await close()")
    public func close() throws {
        try descriptor.close("PipeWriter.close()")
    }

    /// Closes the end. As the synchronous form.
    public func close() async throws {
        try await descriptor.close()
    }
}
