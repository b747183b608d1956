import CUring
public import SystemPackage

/// Why the kernel did not give a ring, in words that say what to do.
public struct KernelRefusal: Error, CustomStringConvertible, Sendable {
    /// The step that failed.
    public enum Stage: Sendable {
        /// io_uring_setup(2).
        case setup
        /// The ring exists but lacks an opcode or a feature that Ringlet needs.
        case features
        /// Enabling the ring on its thread.
        case enable
        /// The eventfd(2) that wakes a worker.
        case wakeDescriptor
    }

    /// The step that failed.
    public let stage: Stage

    /// What the kernel said.
    public let errno: Errno

    private let detail: String

    init(stage: Stage, error: Int32) {
        self.stage = stage
        errno = Errno(rawValue: -error)
        detail = ""
    }

    init(_ refusal: curing_refusal) {
        errno = Errno(rawValue: -refusal.error)
        if refusal.missing_opcode >= 0 {
            stage = .features
            detail = "opcode \(refusal.missing_opcode) is missing"
        } else if refusal.missing_features != 0 {
            stage = .features
            detail = "features 0x\(String(refusal.missing_features, radix: 16)) are missing"
        } else {
            stage = .setup
            detail = "the last attempt asked for \(refusal.sq_entries) submission entries"
        }
    }

    /// True when the emulated ring would do better: io_uring is missing, forbidden, too old or out of
    /// locked memory.
    var leavesEmulation: Bool {
        switch (stage, errno) {
        case (.features, _): true
        case (.setup, .noFunction), (.setup, .notPermitted), (.setup, .permissionDenied): true
        case (.setup, .noMemory), (.setup, .invalidArgument): true
        default: false
        }
    }

    public var description: String {
        switch stage {
        case .setup:
            "io_uring was refused: \(cause) (\(errno); \(detail))"
        case .features:
            "io_uring of this kernel lacks what is needed: \(detail); that of Linux 5.15 and newer has it"
        case .enable:
            "the ring could not be enabled on its thread: \(errno)"
        case .wakeDescriptor:
            "a worker's eventfd could not be made: \(errno)"
        }
    }

    private var cause: String {
        switch errno {
        case .noFunction:
            "the kernel has no io_uring, or a seccomp filter hides it"
        case .notPermitted, .permissionDenied:
            "a seccomp filter (a container's default profile) or the sysctl"
                + " kernel.io_uring_disabled forbids it"
        case .noMemory:
            "the user's limit of locked memory is used up; raise it (ulimit -l) or use fewer workers"
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem:
            "the limit of open descriptors is reached"
        default:
            "the kernel gave an unexpected error"
        }
    }
}
