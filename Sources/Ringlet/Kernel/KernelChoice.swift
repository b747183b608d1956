import CUring

/// Which kernel a scheduler's rings should run on. The environment variable `RINGLET_KERNEL` overrides it, by
/// the same names.
public enum KernelPreference: String, Sendable, Hashable, CaseIterable {
    /// io_uring; the emulated ring where io_uring is refused. That is said once on standard error.
    case automatic = "auto"
    /// io_uring or nothing. Single operations that the kernel's io_uring lacks are emulated.
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
    /// What stands for the kernel in a simulation.
    var simulation: (any KernelSimulation)?

    /// Worker 0 is a guest in a loop of somebody else's, who waits for its ring's descriptor.
    var hasGuest = false

    /// The ceiling for the ring of one worker.
    ///
    /// A guest's ring has no DEFER_TASKRUN (6.1): with it, what becomes ready for the thread wakes that, but no epoll set that
    /// the ring's descriptor is in, which then says nothing until somebody polls the ring itself (seen on 6.18).
    func mask(ofWorker index: Int) -> KernelMask {
        guard hasGuest, index == 0, mask.version == .none || mask.version == .linux6_1 else { return mask }
        return KernelMask(.linux5_19, lacking: mask.lacking)
    }

    /// Valid as long as the choice.
    var implementation: UnsafePointer<curing_kernel> {
        let linux = unsafe isEmulated ? curing_emulated() : curing_io_uring()
        let kernel = unsafe simulation?.table ?? linux
        return unsafe faults?.before(kernel) ?? kernel
    }
}

