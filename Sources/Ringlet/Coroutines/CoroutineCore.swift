import CContext

/// A coroutine without its handle.
///
/// A transfer between two coroutines goes through the code outside: the first suspends, and the
/// loop in ``carry(_:)`` that has resumed it resumes the second. Between the two there may be
/// generators and fibers; each suspends in turn (see ``RawContext/passOn()``), so that a transfer
/// always moves a whole strand: a coroutine with everything that it has resumed.
@safe
final class CoroutineCore: RawContext, @unchecked Sendable {
    /// The user's object, for as long as there is one.
    @exclusivity(unchecked) var handle: Unmanaged<Coroutine>?
    private(set) var parent: Coroutine?
    private var body: (() throws -> Void)?
    /// What the body threw.
    private var failure: (any Error)?
    /// The end gives control to whoever unwinds the body, not to the parent.
    private var endsForCloser = false
    /// What the pending switch is to throw.
    @safe @exclusivity(unchecked) private var incoming: (any Error)?

    init(name: String?, stackSize: Int, parent: Coroutine?, body: @escaping () throws -> Void) {
        self.parent = parent
        self.body = body
        super.init(name: name, stackSize: stackSize)
    }

    override class var kind: String { "coroutine" }

    override func runBody() {
        let body = unsafe body.unsafelyUnwrapped
        self.body = nil
        do {
            try body()
        } catch {
            if !(isClosing && error is ContextClosed) { failure = error }
        }
    }

    override func dropBody() {
        body = nil
        parent = nil
    }

    /// The core of a record, which retains it. Not retained here: these are on every switch.
    @inline(__always)
    private static func core(
        of record: UnsafeMutablePointer<cctx_raw>
    ) -> Unmanaged<CoroutineCore> {
        unsafe Unmanaged<CoroutineCore>.fromOpaque(record.pointee.owner.unsafelyUnwrapped)
    }

    /// The coroutine whose strand this code is part of.
    @inline(__always)
    private static var runningRecord: UnsafeMutablePointer<cctx_raw>? {
        let thread = unsafe cctx_current_raw_thread()
        let fiber = unsafe cctx_current_host_thread().pointee.running
        return unsafe thread.pointee.carrier == fiber ? thread.pointee.current : nil
    }

    static var running: CoroutineCore? {
        guard let record = unsafe runningRecord else { return nil }
        return unsafe core(of: record).takeUnretainedValue()
    }

    // MARK: Transfer

    func takeControl() throws {
        requireThread("Coroutine.switch()")
        if state == .ended {
            let heir = parent.flatMap { $0.core.nearestLiving() }
            try Self.transfer(to: heir)
        } else {
            try Self.transfer(to: self)
        }
    }

    static func switchToParent() throws {
        guard let record = unsafe runningRecord else { return }
        try unsafe core(of: record)._withUnsafeGuaranteedRef {
            try transfer(to: $0.parent?.core.nearestLiving())
        }
    }

    /// This one, or its nearest ancestor that has not ended.
    private func nearestLiving() -> CoroutineCore? {
        state == .ended ? parent?.core.nearestLiving() : self
    }

    /// Transfers from wherever this code runs; nil is the code outside.
    @inline(__always)
    private static func transfer(to target: CoroutineCore?) throws {
        guard let origin = unsafe runningRecord else {
            guard let target else { return }
            return try unsafe carry(target.readyRecord())
        }
        try unsafe core(of: origin)._withUnsafeGuaranteedRef { origin in
            if origin.isClosing { throw origin.refuse() }
            if target === origin { return }
            origin.requireNoTask("Coroutine.switch()")
            let record = try unsafe target?.readyRecord()
            unsafe cctx_current_raw_thread().pointee.target = record
            origin.state = .suspended
            cctx_raw_suspend()
            if origin.isClosing { throw ContextClosed() }
            if let error = origin.incoming {
                origin.incoming = nil
                throw error
            }
        }
    }

    /// The record of one that can be resumed.
    @inline(__always)
    private func readyRecord() throws -> UnsafeMutablePointer<cctx_raw> {
        if state != .suspended {
            if state == .running { notSuspended() }
            try start()
        }
        return unsafe record.unsafelyUnwrapped
    }

    @inline(never)
    private func notSuspended() -> Never {
        fatalError(
            """
            Coroutine.switch(): \(label) is not suspended in a switch. It runs further up this \
            stack, or in a fiber that waits for something else.
            """)
    }

    /// Runs one coroutine, and whoever it and its successors switch to, until control comes back to
    /// the code outside.
    private static func carry(_ first: UnsafeMutablePointer<cctx_raw>) throws {
        let thread = unsafe cctx_current_raw_thread()
        var outside = unsafe (thread.pointee.current, thread.pointee.carrier)
        var next = unsafe first
        var failure: (any Error)?
        while true {
            unsafe thread.pointee.current = next
            unsafe thread.pointee.carrier = cctx_current_host_thread().pointee.running
            let core = unsafe core(of: next)
            unsafe core._withUnsafeGuaranteedRef { $0.state = .running }
            unsafe cctx_raw_resume(next)
            if unsafe next.pointee.context.finished {
                let ended = unsafe core.takeUnretainedValue()
                guard let heir = unsafe ended.bequeath(&failure) else { break }
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
        if let failure { throw failure }
    }

    /// Unwinds a coroutine that has switched to `target` and that nobody can switch to again.
    /// Returns who is next: the unwinding may have ended the target too.
    @inline(never)
    private static func unwindLost(
        _ origin: Unmanaged<CoroutineCore>, before target: UnsafeMutablePointer<cctx_raw>?
    ) -> UnsafeMutablePointer<cctx_raw>? {
        let next = unsafe target.map { unsafe core(of: $0).takeUnretainedValue() }
        unsafe origin.takeUnretainedValue().unwindDropped()
        guard let heir = next?.nearestLiving(), heir.state != .running else { return nil }
        return unsafe heir.record
    }

    /// Gives up the stack of a body that has ended, and finds who gets control, with the error if
    /// there was one: the nearest ancestor that can take it, or else the code outside.
    private func bequeath(_ failure: inout (any Error)?) -> UnsafeMutablePointer<cctx_raw>? {
        failure = self.failure
        self.failure = nil
        var ancestor = endsForCloser ? nil : parent
        finish()
        while let candidate = ancestor?.core {
            if candidate.state == .pending {
                do {
                    if let failure { throw failure }
                    try candidate.start()
                    candidate.state = .running
                    return unsafe candidate.record
                } catch {
                    // An error thrown into a body that has not begun goes to its parent.
                    failure = error
                    ancestor = candidate.parent
                    candidate.discard()
                    continue
                }
            }
            if candidate.state == .suspended {
                candidate.incoming = failure
                failure = nil
                // From here on the last reference to it may go.
                candidate.state = .running
                return unsafe candidate.record
            }
            ancestor = candidate.parent
        }
        return nil
    }

    // MARK: The end

    func close() throws {
        requireThread("Coroutine.close()")
        switch state {
        case .pending: discard()
        case .suspended: try unwind()
        case .ended: break
        case .running:
            guard Self.running === self else {
                fatalError("Coroutine.close(): \(label) waits for the code that closes it.")
            }
            isClosing = true
            throw ContextClosed()
        }
    }

    override func unwind() throws {
        isClosing = true
        endsForCloser = true
        try unsafe Self.carry(unsafe record.unsafelyUnwrapped)
    }
}
