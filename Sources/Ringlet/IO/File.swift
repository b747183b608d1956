public import SystemPackage

/// An open regular file, read and written at offsets.
///
/// Every operation has two forms of one name: plain in a fiber, awaited in a task. There is no file position;
/// any number of operations may be under way. Errors are as with ``TCPConnection``. Dropping the last
/// reference closes the file; `close()` also reports errors.
public final class File: Sendable {
    let descriptor: Descriptor

    private init(_ raw: Int32) {
        descriptor = Descriptor(raw)
    }

    // MARK: Opening

    /// Opens the file at `path`.
    ///
    /// - Throws: `Errno`, such as `.noSuchFileOrDirectory`; `.isDirectory` when a directory is
    ///   opened for writing. A directory that is opened for reading fails at the first read.
    @available(*, noasync, message: "in a task, await File.open(_:_:)")
    public static func open(
        _ path: FilePath, _ mode: FileDescriptor.AccessMode = .readOnly,
        options: FileDescriptor.OpenOptions = [],
        permissions: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]
    ) throws -> File {
        let name = Buffer(path: path)
        let completion = try FiberRef.require("File.open(_:_:)").perform(
            .open(name, mode, options, permissions), deadline: .never)
        return File(try completion.get())
    }

    /// Opens the file at `path`.
    ///
    /// - Throws: `Errno`, such as `.noSuchFileOrDirectory`; `.isDirectory` when a directory is
    ///   opened for writing. A directory that is opened for reading fails at the first read.
    public static func open(
        _ path: FilePath, _ mode: FileDescriptor.AccessMode = .readOnly,
        options: FileDescriptor.OpenOptions = [],
        permissions: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]
    ) async throws -> File {
        let name = Buffer(path: path)
        let completion = try await Worker.forCurrentTask.perform(
            .open(name, mode, options, permissions), deadline: .never)
        return File(try completion.get())
    }

    // MARK: Reading

    /// Reads at most the buffer's capacity from `offset` on, and replaces the buffer's data with it.
    ///
    /// - Returns: The number of bytes; 0 at the end of the file.
    @available(*, noasync, message: "in a task, await read(into:at:)")
    @discardableResult
    public func read(into buffer: inout Buffer, at offset: UInt64, deadline: Deadline = .never) throws
        -> Int
    {
        try Self.check(offset, buffer.capacity)
        let count = try descriptor.perform(
            .read(descriptor.raw, into: buffer.address, count: buffer.capacity, at: offset),
            "File.read(into:at:)", deadline: deadline)
        buffer.setCount(Int(count))
        return Int(count)
    }

    /// Reads at most the buffer's capacity from `offset` on, and replaces the buffer's data with it.
    ///
    /// - Returns: The number of bytes; 0 at the end of the file.
    @discardableResult
    public func read(into buffer: inout Buffer, at offset: UInt64, deadline: Deadline = .never)
        async throws -> Int
    {
        try Self.check(offset, buffer.capacity)
        let count = try await descriptor.perform(
            .read(descriptor.raw, into: buffer.address, count: buffer.capacity, at: offset),
            deadline: deadline)
        buffer.setCount(Int(count))
        return Int(count)
    }

    // MARK: Writing

    /// Writes all of the buffer's data from `offset` on.
    ///
    /// When it throws, part of the data may have been written. On io_uring a write to a terminal that has room for a
    /// part of it stops the worker until the rest has been read: give such writes to a ``ThreadPool``.
    @available(*, noasync, message: "in a task, await write(_:at:)")
    public func write(_ buffer: borrowing Buffer, at offset: UInt64, deadline: Deadline = .never) throws
    {
        try Self.check(offset, buffer.count)
        var written = 0
        while written < buffer.count {
            let count = try descriptor.perform(
                .write(
                    descriptor.raw, from: buffer.address + UInt(written),
                    count: buffer.count - written, at: offset + UInt64(written)),
                "File.write(_:at:)", deadline: deadline)
            written = buffer.end(ofTaking: count, from: written)
        }
    }

    /// Writes all of the buffer's data from `offset` on.
    ///
    /// When it throws, part of the data may have been written. On io_uring a write to a terminal that has room for a
    /// part of it stops the worker until the rest has been read: give such writes to a ``ThreadPool``.
    public func write(_ buffer: borrowing Buffer, at offset: UInt64, deadline: Deadline = .never)
        async throws
    {
        try Self.check(offset, buffer.count)
        var written = 0
        while written < buffer.count {
            let count = try await descriptor.perform(
                .write(
                    descriptor.raw, from: buffer.address + UInt(written),
                    count: buffer.count - written, at: offset + UInt64(written)),
                deadline: deadline)
            written = buffer.end(ofTaking: count, from: written)
        }
    }

    /// The kernel's offsets are signed: those beyond its range mean something else to it, or nothing.
    private static func check(_ offset: UInt64, _ count: Int) throws {
        if offset > UInt64(Int64.max) - UInt64(count) { throw Errno.invalidArgument }
    }

    // MARK: Syncing and closing

    /// Waits until everything written has reached the device (fsync(2)).
    ///
    /// - Parameter dataOnly: Whether metadata that is not needed to read the data back may wait (fdatasync(2)).
    @available(*, noasync, message: "in a task, await sync()")
    public func sync(dataOnly: Bool = false) throws {
        _ = try descriptor.perform(
            .sync(descriptor.raw, dataOnly: dataOnly), "File.sync()", deadline: .never)
    }

    /// Waits until everything written has reached the device (fsync(2)).
    ///
    /// - Parameter dataOnly: Whether metadata that is not needed to read the data back may wait (fdatasync(2)).
    public func sync(dataOnly: Bool = false) async throws {
        _ = try await descriptor.perform(.sync(descriptor.raw, dataOnly: dataOnly), deadline: .never)
    }

    /// Closes the file. Operations in flight end with `Errno.badFileDescriptor` first.
    @available(*, noasync, message: "in a task, await close()")
    public func close() throws {
        try descriptor.close("File.close()")
    }

    /// Closes the file. Operations in flight end with `Errno.badFileDescriptor` first.
    public func close() async throws {
        try await descriptor.close()
    }
}

extension Request {
    fileprivate static func open(
        _ name: borrowing Buffer, _ mode: FileDescriptor.AccessMode,
        _ options: FileDescriptor.OpenOptions, _ permissions: FilePermissions
    ) -> Request {
        .open(
            path: name.address,
            flags: mode.rawValue | options.union(.closeOnExec).rawValue,
            mode: UInt32(permissions.rawValue))
    }
}

extension Completion {
    fileprivate func get() throws -> Int32 {
        if result >= 0 { return result }
        throw error(.never)
    }
}
