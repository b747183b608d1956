import CUring

/// The two queues shared with the kernel, and the calls into it.
///
/// A value of this type is a pointer to memory that ``destroy()`` frees; its only owner is a worker.
/// All calls are for the worker's thread, except ``make(on:forWorker:)``.
@safe
struct Ring {
    @usableFromInline let ring: UnsafeMutablePointer<curing_ring>

    private init(_ ring: UnsafeMutablePointer<curing_ring>) {
        unsafe self.ring = ring
    }

    /// Creates a ring by the setup ladder, disabled where the kernel can do so. Any thread.
    static func make(on kernel: KernelChoice, forWorker index: Int) throws(KernelRefusal) -> Ring {
        let ring = UnsafeMutablePointer<curing_ring>.allocate(capacity: 1)
        unsafe ring.initialize(to: curing_ring())
        var refusal = curing_refusal()
        let error = unsafe curing_create(
            ring, kernel.implementation, Ring.submissionEntries, Ring.completionEntries,
            kernel.mask(ofWorker: index).native, &refusal)
        guard error == 0 else {
            unsafe ring.deallocate()
            throw KernelRefusal(refusal)
        }
        return unsafe Ring(ring)
    }

    /// 256 and 1024 entries cost 36 KiB of locked memory, which is charged per user: 227 rings fit
    /// into the 8 MiB that a distribution allows by default. A turn's submissions fit into the queue, as a rule.
    static let submissionEntries: UInt32 = 256
    static let completionEntries: UInt32 = 1024

    /// Submissions that ordinary operations leave free, so that a cancel always finds a place.
    static let reserved: UInt32 = 4

    /// Makes the calling thread the only one that may submit.
    func enable() throws(KernelRefusal) {
        let error = unsafe curing_enable(ring)
        if error < 0 { throw KernelRefusal(stage: .enable, error: error) }
    }

    /// Closes the ring. The kernel cancels what is still in flight, later and by itself, so nothing
    /// may be: memory that it may still write to would be freed.
    func destroy() {
        unsafe curing_destroy(ring)
        unsafe ring.deallocate()
    }

    var canCancelByDescriptor: Bool {
        unsafe ring.pointee.capabilities & UInt32(CURING_CAN_CANCEL_BY_FD) != 0
    }

    /// True where a poll may go on after its first completion: on io_uring itself, since what stands in for it, or between
    /// it and us, has no use for that; and with DEFER_TASKRUN (6.1), although the kernel has had it since 5.13, because only
    /// such kernels have been tried.
    var canPollRepeatedly: Bool {
        unsafe ring.pointee.kernel == curing_io_uring()
            && ring.pointee.setup_flags & UInt32(CURING_SETUP_DEFER_TASKRUN) != 0
    }

    /// Of a completion's flags: there will be another one (IORING_CQE_F_MORE).
    static let more: UInt32 = 1 << 1

    /// What the kernel gave, and why it is this one.
    func info(_ reason: String?) -> KernelInfo {
        unsafe KernelInfo(
            name: String(cString: ring.pointee.kernel.unsafelyUnwrapped.pointee.name),
            setupFlags: ring.pointee.setup_flags, submissionEntries: Int(ring.pointee.sq_entries),
            completionEntries: Int(ring.pointee.cq_entries), reason: reason,
            emulatedOperations: KernelOperation.names(in: ring.pointee.emulated_opcodes))
    }

    /// Submissions that the kernel has not consumed yet.
    @inline(__always)
    var pending: UInt32 { unsafe curing_pending(ring) }

    /// Submissions that were put into the queue since the ring was made, in 32 bits.
    @inline(__always)
    var filled: UInt32 { unsafe ring.pointee.sq_local_tail }

    /// Calls of ``enter(wait:timeout:)``, and those that a full queue made.
    @inline(__always)
    var enters: UInt64 { unsafe ring.pointee.enters }

    /// True when the kernel holds completions that only an enter makes visible.
    @inline(__always)
    var needsEnter: Bool { unsafe curing_needs_enter(ring) }

    /// Submits and, with `wait`, sleeps until a completion is visible or `timeout` nanoseconds have
    /// passed (negative: no limit). Returns the number of submissions consumed or a negative errno.
    @inline(__always)
    func enter(wait: Bool, timeout: Int64) -> Int32 {
        unsafe curing_enter(ring, wait, timeout)
    }

    /// Fills the next submission. `reserved` places are left to those that pass 0. When the queue is
    /// full the kernel is asked to consume it; what finds no room even then waits in a backlog.
    @inline(__always)
    func submit(_ request: Request, userData: UInt64, reserved: UInt32) {
        unsafe curing_fill(
            curing_next_sqe(ring, reserved), request.opcode, request.descriptor, request.address,
            request.length, request.offset, request.flags, userData)
    }

    /// The same for a request whose success makes no completion, where the ring can do that.
    func submitSkippingSuccess(_ request: Request, userData: UInt64, reserved: UInt32) {
        let entry = unsafe curing_next_sqe(ring, reserved)
        unsafe curing_fill(
            entry, request.opcode, request.descriptor, request.address, request.length,
            request.offset, request.flags, userData)
        unsafe entry.pointee.flags = UInt8(CURING_SQE_CQE_SKIP_SUCCESS)
    }

    /// Readable when an enter would find something, as far as ``patience`` does not say more.
    var descriptor: Int32 { unsafe ring.pointee.fd }

    /// How long the ring may be left without an enter while its descriptor is not readable; nil for ever.
    var patience: UInt64? { UInt64(exactly: unsafe curing_patience(ring)) }

    var canSkipSuccess: Bool {
        unsafe ring.pointee.capabilities & UInt32(CURING_CAN_SKIP_SUCCESS) != 0
    }

    /// True when completions wait in the kernel because the queue was full.
    var hasOverflow: Bool { unsafe curing_has_overflow(ring) }

    @inline(__always)
    var hasBacklog: Bool { unsafe ring.pointee.backlog_count > 0 }

    /// Moves the backlog into the queue, as far as there is room.
    func submitBacklog() { unsafe curing_submit_backlog(ring) }

    /// Hands each visible completion to `body`, at most `limit` of them, and consumes them.
    @inline(__always)
    func harvest(limit: UInt32, _ body: (_ userData: UInt64, _ result: Int32, _ flags: UInt32) -> Void)
        -> UInt32
    {
        let count = min(unsafe curing_available(ring), limit)
        // Read once: the queue's memory could be anything to the compiler, and so could what `body` changes.
        let entries = unsafe ring.pointee.cqes.unsafelyUnwrapped
        let mask = unsafe ring.pointee.cq_mask
        var index = unsafe ring.pointee.cq_head.unsafelyUnwrapped.pointee
        let end = index &+ count
        while index != end {
            let entry = unsafe entries[Int(index & mask)]
            body(entry.user_data, entry.result, entry.flags)
            index &+= 1
        }
        if count > 0 { unsafe curing_consume(ring, count) }
        return count
    }

    @inline(__always)
    var hasCompletions: Bool { unsafe curing_available(ring) > 0 }
}
