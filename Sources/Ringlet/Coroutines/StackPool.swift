import CContext
import Glibc
import SystemPackage

/// The stacks of one worker's fibers. For the worker's thread.
@safe
struct StackPool {
    private let pool: OpaquePointer

    /// Allocates nothing but the pool itself.
    init(stackSize: Int) throws(Errno) {
        var pool: OpaquePointer?
        let error = unsafe cctx_stack_pool_create(stackSize, &pool)
        guard error == 0, let pool = unsafe pool else { throw Errno(rawValue: -error) }
        unsafe self.pool = pool
        _ = cctx_install_overflow_report()
    }

    /// Unmaps all stacks; none may be in use.
    func destroy() {
        unsafe cctx_stack_pool_destroy(pool)
    }

    /// Takes a stack for `fiber`, whose body it will run.
    func makeFiber(
        owner fiber: AnyFiber, worker: Worker, name: String?
    ) throws(Errno) -> FiberRef {
        var context: UnsafeMutablePointer<cctx>?
        let owner = unsafe Unmanaged.passUnretained(fiber).toOpaque()
        let error = unsafe cctx_create(
            pool, MemoryLayout<cctx_fiber>.size,
            { owner in
                let fiber = unsafe Unmanaged<AnyFiber>.fromOpaque(owner.unsafelyUnwrapped)
                unsafe fiber._withUnsafeGuaranteedRef {
                    $0.runBody()
                    $0.freeLocals()
                }
            }, owner, &context)
        guard error == 0, let context = unsafe context else { throw Errno(rawValue: -error) }
        let record = unsafe UnsafeMutableRawPointer(context)
            .assumingMemoryBound(to: cctx_fiber.self)
        unsafe record.pointee.owner = owner
        unsafe record.pointee.worker = Unmanaged.passUnretained(worker).toOpaque()
        unsafe record.pointee.rung = UInt8(worker.rung.native.rawValue)
        unsafe record.pointee.context.name = unsafe name.flatMap { unsafe UnsafePointer(strdup($0)) }
        return unsafe FiberRef(record)
    }

    /// Gives back the stack of a fiber that has ended.
    func destroyFiber(_ fiber: FiberRef) {
        unsafe free(UnsafeMutablePointer(mutating: fiber.record.pointee.context.name))
        unsafe cctx_destroy(pool, &fiber.record.pointee.context)
    }

    var statistics: StackStatistics {
        var native = cctx_stack_pool_statistics()
        unsafe cctx_stack_pool_get_statistics(pool, &native)
        return StackStatistics(
            mapped: Int(native.mapped), inUse: Int(native.in_use),
            peakInUse: Int(native.peak_in_use), trimmed: Int(native.trimmed),
            guardsAreLight: native.guards_are_light)
    }
}

/// Counts of fiber stacks.
struct StackStatistics: Hashable {
    /// Stacks that exist.
    var mapped = 0
    /// Stacks that a started fiber occupies.
    var inUse = 0
    var peakInUse = 0
    /// Stacks whose memory was returned to the kernel after use.
    var trimmed = 0
    /// True where guard regions cost no mapping (Linux 6.13); otherwise vm.max_map_count limits how
    /// many stacks there can be.
    var guardsAreLight = true
}
