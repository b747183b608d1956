import CUring
import SystemPackage

/// One entry of a script: a fault and the occasions at which it happens.
struct KernelFault: Sendable {
    var native: curing_fault

    private init(
        _ kind: curing_fault_kind, value: Errno? = nil, amount: Int = 0, opcode: Int? = nil
    ) {
        native = curing_fault(
            kind: kind, opcode: UInt8(opcode ?? Int(CURING_ANY_OPCODE)),
            ring: Int32(CURING_ANY_RING),
            skip: 0, times: 1, value: -(value?.rawValue ?? 0), amount: UInt32(amount))
    }

    /// The operations that faults are aimed at.
    enum Operation: Sendable {
        case accept, connect, open, read, write, receive, send, close, sync

        fileprivate var opcode: Int {
            switch self {
            case .accept: CURING_OP_ACCEPT
            case .connect: CURING_OP_CONNECT
            case .open: CURING_OP_OPENAT
            case .read: CURING_OP_READ
            case .write: CURING_OP_WRITE
            case .receive: CURING_OP_RECV
            case .send: CURING_OP_SEND
            case .close: CURING_OP_CLOSE
            case .sync: CURING_OP_FSYNC
            }
        }
    }

    // MARK: The fault

    static func setupFails(_ error: Errno) -> Self { Self(CURING_FAULT_SETUP, value: error) }
    static func enableFails(_ error: Errno) -> Self { Self(CURING_FAULT_ENABLE, value: error) }
    static func enableIsLate(microseconds: Int) -> Self {
        Self(CURING_FAULT_LATE_ENABLE, amount: microseconds)
    }
    /// An enter does nothing.
    static func enterFails(_ error: Errno) -> Self { Self(CURING_FAULT_ENTER, value: error) }
    /// An enter that has more to submit takes so many, and does not wait.
    static func enterSubmitsOnly(_ count: Int, then error: Errno? = nil) -> Self {
        Self(CURING_FAULT_SUBMIT, value: error, amount: count)
    }
    /// So many enters take no submissions, and the queue fills up.
    static func queueIsFull(enters count: Int) -> Self {
        Self(CURING_FAULT_FULL, amount: count - 1)
    }
    /// The completion queue has room for so many, until the next enter.
    static func completionsOverflow(beyond count: Int) -> Self {
        Self(CURING_FAULT_OVERFLOW, amount: count)
    }
    static var completionsAreReordered: Self { Self(CURING_FAULT_REORDER) }
    /// The operation is not carried out.
    static func fails(_ operation: Operation, _ error: Errno) -> Self {
        Self(CURING_FAULT_RESULT, value: error, opcode: operation.opcode)
    }
    /// A read that asks for more gets at most so many bytes.
    static func isShort(reading operation: Operation, _ count: Int) -> Self {
        Self(CURING_FAULT_SHORT_READ, amount: count, opcode: operation.opcode)
    }
    /// A write of more writes so many bytes.
    static func isShort(writing operation: Operation, _ count: Int) -> Self {
        Self(CURING_FAULT_SHORT_WRITE, amount: count, opcode: operation.opcode)
    }
    /// The completion comes so many enters late.
    static func isHeld(_ operation: Operation, enters: Int) -> Self {
        Self(CURING_FAULT_HOLD, amount: enters, opcode: operation.opcode)
    }
    /// The completion comes again, so many enters later.
    static func comesTwice(_ operation: Operation, enters: Int) -> Self {
        Self(CURING_FAULT_REPEAT, amount: enters, opcode: operation.opcode)
    }
    /// The operation is cancelled, so many enters after its submission, although nobody asked for it.
    static func isCancelledEarly(_ operation: Operation, enters: Int) -> Self {
        Self(CURING_FAULT_CANCEL_EARLY, amount: enters, opcode: operation.opcode)
    }
    /// An operation that ends cancelled says so that many enters late.
    static func cancellationIsLate(enters: Int) -> Self {
        Self(CURING_FAULT_CANCEL_LATE, amount: enters)
    }

    // MARK: The occasions

    /// Lets `skip` occasions pass, then uses `times` of them.
    func at(after skip: Int = 0, times: Int = 1) -> Self {
        var fault = self
        fault.native.skip = UInt32(clamping: skip)
        fault.native.times = UInt32(clamping: times)
        return fault
    }

    /// Only in the ring with this number, in the order in which they were asked for, from 0.
    func inRing(_ number: Int) -> Self {
        var fault = self
        fault.native.ring = Int32(number)
        return fault
    }
}
