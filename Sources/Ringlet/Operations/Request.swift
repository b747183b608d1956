import CUring

/// One submission to the kernel, before it has a slot.
///
/// Trivial on purpose: it is built in registers and written to the queue at once. Memory that it
/// points to must stay valid and untouched until the operation's terminal completion.
struct Request: BitwiseCopyable {
    var opcode: UInt8
    var descriptor: Int32
    var address: UInt64
    var length: UInt32
    var offset: UInt64
    var flags: UInt32

    @inline(__always)
    init(
        _ opcode: Int, descriptor: Int32, address: UInt = 0, length: Int = 0, offset: UInt64 = 0,
        flags: UInt32 = 0
    ) {
        self.opcode = UInt8(truncatingIfNeeded: opcode)
        self.descriptor = descriptor
        self.address = UInt64(address)
        // A Buffer has at most `Buffer.largestCapacity` bytes, so the length fits.
        self.length = UInt32(truncatingIfNeeded: length)
        self.offset = offset
        self.flags = flags
    }

    /// A read at `offset`, or at the file's own position when it is nil.
    @inline(__always)
    static func read(_ descriptor: Int32, into address: UInt, count: Int, at offset: UInt64?) -> Request {
        Request(
            CURING_OP_READ, descriptor: descriptor, address: address, length: count,
            offset: offset ?? .max)
    }

    @inline(__always)
    static func write(_ descriptor: Int32, from address: UInt, count: Int, at offset: UInt64?) -> Request {
        Request(
            CURING_OP_WRITE, descriptor: descriptor, address: address, length: count,
            offset: offset ?? .max)
    }

    @inline(__always)
    static func receive(_ descriptor: Int32, into address: UInt, count: Int) -> Request {
        Request(CURING_OP_RECV, descriptor: descriptor, address: address, length: count)
    }

    /// A send of the whole: MSG_WAITALL lets the kernel retry short sends by itself (5.19), and
    /// MSG_NOSIGNAL turns a SIGPIPE into EPIPE.
    @inline(__always)
    static func send(_ descriptor: Int32, from address: UInt, count: Int) -> Request {
        Request(
            CURING_OP_SEND, descriptor: descriptor, address: address, length: count,
            flags: MessageFlags.waitAll | MessageFlags.noSignal)
    }

    /// The same, but over by the time the call that submits it returns, even if it has sent less or
    /// nothing (EAGAIN).
    static func sendAtOnce(_ descriptor: Int32, from address: UInt, count: Int) -> Request {
        Request(
            CURING_OP_SEND, descriptor: descriptor, address: address, length: count,
            flags: MessageFlags.waitAll | MessageFlags.noSignal | MessageFlags.doNotWait)
    }

    static func accept(_ descriptor: Int32) -> Request {
        Request(CURING_OP_ACCEPT, descriptor: descriptor, flags: MessageFlags.closeOnExec)
    }

    static func connect(_ descriptor: Int32, to address: UInt, length: Int) -> Request {
        // For this opcode the address length travels in the offset.
        Request(CURING_OP_CONNECT, descriptor: descriptor, address: address, offset: UInt64(length))
    }

    static func shutdown(_ descriptor: Int32, how: Int32) -> Request {
        Request(CURING_OP_SHUTDOWN, descriptor: descriptor, length: Int(how))
    }

    /// openat(2) relative to the working directory; `path` is a C string.
    static func open(path: UInt, flags: Int32, mode: UInt32) -> Request {
        Request(
            CURING_OP_OPENAT, descriptor: -100 /* AT_FDCWD */, address: path, length: Int(mode),
            flags: UInt32(bitPattern: flags))
    }

    static func sync(_ descriptor: Int32, dataOnly: Bool) -> Request {
        Request(CURING_OP_FSYNC, descriptor: descriptor, flags: dataOnly ? 1 /* FSYNC_DATASYNC */ : 0)
    }

    static func close(_ descriptor: Int32) -> Request {
        Request(CURING_OP_CLOSE, descriptor: descriptor)
    }

    /// Completes once when `descriptor` is readable.
    static func pollReadable(_ descriptor: Int32) -> Request { poll(descriptor, events: 1 /* POLLIN */) }

    /// Completes each time something makes `descriptor` readable, or once more, until it is cancelled.
    static func pollReadableRepeatedly(_ descriptor: Int32) -> Request {
        Request(
            CURING_OP_POLL_ADD, descriptor: descriptor, length: 1 /* IORING_POLL_ADD_MULTI */, flags: 1 /* POLLIN */)
    }

    /// Completes once, with the events of poll(2) that have come: of `events`, and of POLLERR, POLLHUP and POLLRDHUP.
    static func poll(_ descriptor: Int32, events: UInt32) -> Request {
        Request(CURING_OP_POLL_ADD, descriptor: descriptor, flags: events)
    }

    /// Requests cancellation of the operation that was submitted with `userData`.
    static func cancel(userData: UInt64) -> Request {
        Request(CURING_OP_ASYNC_CANCEL, descriptor: -1, address: UInt(userData))
    }

    /// Requests cancellation of everything in flight on `descriptor` (5.19).
    static func cancelAll(on descriptor: Int32) -> Request {
        Request(
            CURING_OP_ASYNC_CANCEL, descriptor: descriptor,
            flags: UInt32(CURING_CANCEL_FD | CURING_CANCEL_ALL))
    }
}

/// Flags of send(2) and accept(2); part of the ABI of Linux on every architecture of ours.
private enum MessageFlags {
    static let doNotWait: UInt32 = 0x40
    static let waitAll: UInt32 = 0x100
    static let noSignal: UInt32 = 0x4000
    static let closeOnExec: UInt32 = 0x80000
}
