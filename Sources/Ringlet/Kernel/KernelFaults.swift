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

    /// What can go wrong, by what it looks like from above. `curing_faults.h` says what each is exactly.
    public enum Kind: String, CaseIterable, Sendable {
        case refusedSetup = "refused set-ups"
        case refusedEnable = "refused beginnings"
        case lateEnable = "late beginnings"
        case failedEnter = "failed enters"
        case shortSubmission = "short submissions"
        case fullQueue = "full queues"
        case overflow = "overflows"
        case reordering = "reorderings"
        case failedOperation = "failed operations"
        case shortRead = "short reads"
        case shortWrite = "short writes"
        case lateCompletion = "late completions"
        case staleCompletion = "stale completions"
        case earlyCancel = "early cancellations"
        case lateCancel = "late cancellations"

        fileprivate var native: curing_fault_kind {
            switch self {
            case .refusedSetup: CURING_FAULT_SETUP
            case .refusedEnable: CURING_FAULT_ENABLE
            case .lateEnable: CURING_FAULT_LATE_ENABLE
            case .failedEnter: CURING_FAULT_ENTER
            case .shortSubmission: CURING_FAULT_SUBMIT
            case .fullQueue: CURING_FAULT_FULL
            case .overflow: CURING_FAULT_OVERFLOW
            case .reordering: CURING_FAULT_REORDER
            case .failedOperation: CURING_FAULT_RESULT
            case .shortRead: CURING_FAULT_SHORT_READ
            case .shortWrite: CURING_FAULT_SHORT_WRITE
            case .lateCompletion: CURING_FAULT_HOLD
            case .staleCompletion: CURING_FAULT_REPEAT
            case .earlyCancel: CURING_FAULT_CANCEL_EARLY
            case .lateCancel: CURING_FAULT_CANCEL_LATE
            }
        }

        /// Of so many occasions in a thousand, where the kinds are mixed. A ring that cannot be enabled is the end of
        /// its scheduler, so that is for scripts alone.
        fileprivate var mixedRate: (perMille: UInt32, visibility: Visibility) {
            switch self {
            case .refusedSetup: (300, .all)
            case .refusedEnable: (0, .all)
            case .lateEnable: (300, .hidden)
            case .failedEnter: (50, .hidden)
            case .shortSubmission: (50, .hidden)
            case .fullQueue: (5, .hidden)
            case .overflow: (50, .hidden)
            case .reordering: (200, .hidden)
            case .failedOperation: (10, .all)
            case .shortRead: (50, .all)
            case .shortWrite: (100, .hidden)
            case .lateCompletion: (20, .hidden)
            case .staleCompletion: (10, .all)
            case .earlyCancel: (10, .all)
            case .lateCancel: (100, .hidden)
            }
        }
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
        for kind in Kind.allCases where visibility == .all || kind.mixedRate.visibility == .hidden {
            unsafe curing_faults_set_rate(plan, seed, kind.native, kind.mixedRate.perMille)
        }
    }

    /// Faults of one kind, at so many of a thousand occasions.
    convenience init(seed: UInt64, _ kind: Kind, perMille: UInt32) {
        self.init()
        unsafe curing_faults_set_rate(plan, seed, kind.native, perMille)
    }

    deinit { unsafe curing_faults_destroy(plan) }

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

    /// How many faults of this kind there were. Of operations that were to be cancelled early it says how many were
    /// chosen; those that ended sooner were not.
    public func count(_ kind: Kind) -> Int { Int(unsafe curing_faults_count(plan, kind.native)) }

    func count(_ fault: KernelFault) -> Int { Int(unsafe curing_faults_count(plan, fault.native.kind)) }

    /// Completions that were shown twice; the second of each is stale.
    public var repeatedCompletions: UInt64 { UInt64(count(.staleCompletion)) }

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
