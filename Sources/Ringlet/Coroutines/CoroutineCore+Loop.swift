import CContext

extension CoroutineCore {
    /// Runs one coroutine, and whoever it and its successors switch to, until control comes back to
    /// the code outside.
    @inline(never)
    static func carry(_ first: UnsafeMutablePointer<cctx_raw>) {
        unsafe cctx_coroutine_carry(first)
    }

    /// What the loop leaves to Swift: see ``cctx_coroutine_stopped``.
    static let hasStopped: cctx_coroutine_stopped = { stopped, outside in
        let core = unsafe core(of: stopped)
        let thread = unsafe cctx_current_raw_thread()
        // What runs from here on is code outside: the one that has stopped may have no stack any more.
        unsafe (thread.pointee.current, thread.pointee.carrier) = (outside.pointee.current, outside.pointee.carrier)
        if unsafe stopped.pointee.context.finished {
            return unsafe core.takeUnretainedValue().bequeath()
        }
        if unsafe core._withUnsafeGuaranteedRef({ $0.state == .running }) {
            // Not by its own wish: something on its strand waits.
            passOn()
            unsafe outside.pointee = cctx_outside(current: thread.pointee.current, carrier: thread.pointee.carrier)
            return unsafe stopped
        }
        let target = unsafe thread.pointee.target
        unsafe thread.pointee.target = nil
        return unsafe unwindLost(core, before: target)
    }
}
