import CContext

extension CoroutineCore {
    /// Runs one coroutine, and whoever it and its successors switch to, until control comes back to
    /// the code outside.
    static func carry(_ first: UnsafeMutablePointer<cctx_raw>) {
        let thread = unsafe cctx_current_raw_thread()
        var outside = unsafe (thread.pointee.current, thread.pointee.carrier)
        var next = unsafe first
        while true {
            unsafe thread.pointee.current = next
            unsafe thread.pointee.carrier = cctx_current_host_thread().pointee.running
            let core = unsafe core(of: next)
            unsafe core._withUnsafeGuaranteedRef { core in
                core.state = .running
                if core.locals == .shared { unsafe core.share(next) }
            }
            unsafe cctx_raw_resume(next)
            if unsafe next.pointee.context.finished {
                let ended = unsafe core.takeUnretainedValue()
                guard let heir = unsafe ended.bequeath() else { break }
                unsafe next = heir
            } else if unsafe core._withUnsafeGuaranteedRef({ $0.state == .running }) {
                // Not by its own wish: something on its strand waits.
                unsafe (thread.pointee.current, thread.pointee.carrier) = outside
                passOn()
                unsafe outside = (thread.pointee.current, thread.pointee.carrier)
            } else {
                let target = unsafe thread.pointee.target
                unsafe thread.pointee.target = nil
                let isHeld = unsafe core._withUnsafeGuaranteedRef { unsafe $0.handle != nil }
                let chosen = unsafe isHeld ? target : unwindLost(core, before: target)
                guard let chosen = unsafe chosen else { break }
                unsafe next = chosen
            }
        }
        unsafe (thread.pointee.current, thread.pointee.carrier) = outside
    }
}
