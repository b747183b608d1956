import CUring
public import SystemPackage

/// What is to go wrong between a scheduler and its kernel: for tests, of Ringlet and of what is built on it.
///
/// The faults happen below the seam (`curing_faults.h`), so all code above it is the code that runs in
/// production. One object is for one scheduler. Any thread may use it.
@_spi(Testing)
@safe
public final class KernelFaults: @unchecked Sendable {
    private let plan: OpaquePointer

    /// Faults of which a caller of the library must not notice anything, and those that it may see.
    public enum Visibility: String, Sendable {
        /// Short submissions, interrupted enters, overflow, reordering, short writes, late completions.
        case hidden
        /// Besides these: smaller queues, short reads, and operations that fail for want of descriptors,
        /// buffers or memory, or end cancelled though nobody asked for it; completions that come twice.
        case all
    }

    /// No faults, until some are added.
    init() {
        // Everything that is no operation has a kind in the top byte; the worker's own submissions are spared.
        guard let plan = unsafe curing_faults_create(~0 << 56) else { fatalError("out of memory") }
        unsafe self.plan = plan
    }

    /// Faults by chance, which `seed` decides together with what the rings are asked to do.
    public convenience init(seed: UInt64, _ visibility: Visibility = .all) {
        self.init()
        for (kind, perMille) in Self.hiddenRates + (visibility == .all ? Self.visibleRates : []) {
            unsafe curing_faults_set_rate(plan, seed, kind, perMille)
        }
    }

    deinit { unsafe curing_faults_destroy(plan) }

    private static let hiddenRates: [(curing_fault_kind, UInt32)] = [
        (CURING_FAULT_LATE_ENABLE, 300), (CURING_FAULT_ENTER, 50),
        (CURING_FAULT_SUBMIT, 50), (CURING_FAULT_OVERFLOW, 50), (CURING_FAULT_REORDER, 200),
        (CURING_FAULT_SHORT_WRITE, 100), (CURING_FAULT_HOLD, 20),
    ]
    private static let visibleRates: [(curing_fault_kind, UInt32)] = [
        (CURING_FAULT_SETUP, 300), (CURING_FAULT_SHORT_READ, 50), (CURING_FAULT_RESULT, 10),
        (CURING_FAULT_REPEAT, 10),
    ]

    /// The kernel with the faults before it. It refers to this object.
    func before(_ kernel: UnsafePointer<curing_kernel>) -> UnsafePointer<curing_kernel> {
        unsafe curing_faults_before(plan, kernel)
    }

    // MARK: Scripts

    /// Adds one fault that happens at the occasions which it names.
    func add(_ fault: KernelFault) {
        var native = fault.native
        unsafe curing_faults_add(plan, &native)
    }

    // MARK: What has happened

    func count(_ kind: curing_fault_kind) -> UInt64 { unsafe curing_faults_count(plan, kind) }

    func count(_ fault: KernelFault) -> Int { Int(count(fault.native.kind)) }

    /// Completions that were shown twice; the second of each is stale.
    public var repeatedCompletions: UInt64 { count(CURING_FAULT_REPEAT) }

    /// Operations that ended with `error` because of a fault.
    public func failures(with error: Errno) -> Int {
        var sum: UInt64 = 0
        for opcode in UInt8(0)..<64 {
            sum += unsafe curing_faults_failures(plan, opcode, -error.rawValue)
        }
        return Int(sum)
    }

    /// The errors that operations may end with because of a fault by chance.
    public static let errors: [Errno] = [
        .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, .noMemory, .canceled,
    ]
}

@_spi(Testing)
extension KernelFaults: Hashable {
    public static func == (left: KernelFaults, right: KernelFaults) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// One entry of a script: a fault and the occasions at which it happens.
struct KernelFault: Sendable {
    fileprivate var native: curing_fault

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
