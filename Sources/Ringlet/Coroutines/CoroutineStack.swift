import CContext

/// The stack of a coroutine, in bytes.
public struct CoroutineStack: Hashable, Sendable {
    /// Of address space.
    public let reserved: Int
    /// Of memory: pages that were touched since the stack was last given back.
    public let committed: Int
    /// Of frames, from the top to where it is suspended; 0 while it runs.
    public let inUse: Int
}

extension AnyCoroutine {
    /// What its stack takes; nil before the body has begun, and after its end. Asks the kernel;
    /// linear in the number of pages.
    public final var stack: CoroutineStack? {
        guard core.isOnOwnThread, let record = unsafe core.record else { return nil }
        let context = unsafe record.pointee.context
        let top = unsafe UInt(bitPattern: context.stack_limit) + UInt(context.stack_size)
        let isSuspended = core.state == .suspended
        return unsafe CoroutineStack(
            reserved: context.stack_size,
            committed: cctx_stack_touched(&record.pointee.context),
            inUse: isSuspended ? Int(top - UInt(bitPattern: context.sp)) : 0)
    }
}
