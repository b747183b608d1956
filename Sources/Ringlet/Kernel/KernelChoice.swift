import CUring

/// Which kernel a scheduler's rings should run on. The environment variable `RINGLET_KERNEL` overrides it, by
/// the same names.
public enum KernelPreference: String, Sendable, Hashable, CaseIterable {
    /// io_uring; the emulated ring where io_uring is refused. That is said once on standard error.
    case automatic = "auto"
    /// io_uring or nothing.
    case ioUring = "io_uring"
    /// The emulated ring: the same operations over epoll(7) and a few threads. No system call of
    /// io_uring is made.
    case emulated
}

/// The kernel of one scheduler: all its workers have the same.
struct KernelChoice: Sendable {
    var isEmulated = false
    var mask = KernelMask.none
    /// Why it is not io_uring, or nil.
    var reason: String?
    /// For tests; a ring that is made without knows nothing of them.
    var faults: KernelFaults?

    /// Valid as long as the choice.
    var implementation: UnsafePointer<curing_kernel> {
        let kernel = unsafe isEmulated ? curing_emulated() : curing_io_uring()
        return unsafe faults?.before(kernel) ?? kernel
    }
}

/// A ceiling on what is used of the kernel, to imitate an older one in tests:
/// `RINGLET_KERNEL_MASK=5.15`, `5.19` or `6.1`.
enum KernelMask: String {
    case none = ""
    case linux5_15 = "5.15"
    case linux5_19 = "5.19"
    case linux6_1 = "6.1"

    var native: curing_mask {
        switch self {
        case .none: CURING_MASK_NONE
        case .linux5_15: CURING_MASK_5_15
        case .linux5_19: CURING_MASK_5_19
        case .linux6_1: CURING_MASK_6_1
        }
    }
}
