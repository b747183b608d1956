import CUring

/// A ceiling on what is used of io_uring, to imitate another kernel in tests: `RINGLET_KERNEL_MASK`.
///
/// A version, operations that are taken away, or both: `6.1`, `-recv`, `6.1,-openat,-close`.
struct KernelMask: Sendable {
    /// What is not exceeded of the ring's setup.
    enum Version: String {
        case none = ""
        case linux5_15 = "5.15"
        case linux5_19 = "5.19"
        case linux6_1 = "6.1"
    }

    var version = Version.none
    /// One bit for each opcode that is taken away.
    var lacking: UInt64 = 0

    static let none = KernelMask()

    init(_ version: Version = .none, lacking: UInt64 = 0) {
        self.version = version
        self.lacking = lacking
    }

    /// Nil when it means nothing.
    init?(_ text: String) {
        self.init()
        if text.isEmpty { return }
        for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            if part.first == "-", let operation = KernelOperation(rawValue: String(part.dropFirst())) {
                lacking |= operation.bit
            } else if index == 0, let version = Version(rawValue: String(part)), version != .none {
                self.version = version
            } else {
                return nil
            }
        }
    }

    /// What the variable would say.
    var text: String {
        let names = KernelOperation.names(in: lacking).map { "-" + $0 }
        return ((version == .none ? [] : [version.rawValue]) + names).joined(separator: ",")
    }

    var native: curing_ceiling {
        let version =
            switch version {
            case .none: CURING_MASK_NONE
            case .linux5_15: CURING_MASK_5_15
            case .linux5_19: CURING_MASK_5_19
            case .linux6_1: CURING_MASK_6_1
            }
        return curing_ceiling(version: version, lacking: lacking)
    }
}

/// What Ringlet asks of a ring, by the names of Linux.
enum KernelOperation: String, CaseIterable {
    case nop, fsync, accept, connect, openat, close, statx, read, write, send, recv, shutdown
    case pollAdd = "poll_add"
    case asyncCancel = "async_cancel"

    var opcode: Int {
        switch self {
        case .nop: CURING_OP_NOP
        case .fsync: CURING_OP_FSYNC
        case .accept: CURING_OP_ACCEPT
        case .connect: CURING_OP_CONNECT
        case .openat: CURING_OP_OPENAT
        case .close: CURING_OP_CLOSE
        case .statx: CURING_OP_STATX
        case .read: CURING_OP_READ
        case .write: CURING_OP_WRITE
        case .send: CURING_OP_SEND
        case .recv: CURING_OP_RECV
        case .shutdown: CURING_OP_SHUTDOWN
        case .pollAdd: CURING_OP_POLL_ADD
        case .asyncCancel: CURING_OP_ASYNC_CANCEL
        }
    }

    var bit: UInt64 { 1 << UInt64(opcode) }

    /// The one with this number, if Ringlet knows it.
    init?(opcode: UInt8) {
        guard let found = Self.allCases.first(where: { $0.opcode == Int(opcode) }) else { return nil }
        self = found
    }

    /// Their names, in the order of the opcodes.
    static func names(in bits: UInt64) -> [String] {
        allCases.filter { bits & $0.bit != 0 }.sorted { $0.opcode < $1.opcode }.map(\.rawValue)
    }
}
