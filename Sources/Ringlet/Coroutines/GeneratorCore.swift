public import CContext

/// A generator without its handle and its types: stepping, yielding and closing.
///
/// Values never pass through here. Either side hands over the address of a variable in its own
/// frame, and the other side moves the value; both frames stay where they are meanwhile.
///
/// What happens when bodies delegate to each other is in GeneratorCore+Delegation.swift.
@safe
@usableFromInline
class GeneratorCore: RawContext, @unchecked Sendable {
    /// Runs the body and keeps its outcome.
    private final let entry: (GeneratorCore) -> Void

    // Unchecked as in RawContext: alone, and never passed inout.

    /// What the body threw.
    @safe @exclusivity(unchecked) private final var failure: (any Error)?
    @safe @exclusivity(unchecked) private final var isFailureSeen = false
    @safe @exclusivity(unchecked) @usableFromInline final var hasReturned = false

    /// What the pending yield is to throw; the record says that there is something.
    @safe @exclusivity(unchecked) private final var incoming: (any Error)?

    // Links between generators of this thread; each is held by the frame that delegates to it.
    //
    /// The one that this body delegates to, and waits for.
    @exclusivity(unchecked) final var delegate: Unmanaged<GeneratorCore>?
    /// The one whose body delegates to this.
    @exclusivity(unchecked) final var delegator: Unmanaged<GeneratorCore>?
    /// The end of the chain of delegates, in one that has no delegator and does not run; nil when it
    /// is not known.
    @exclusivity(unchecked) final var knownInnermost: Unmanaged<GeneratorCore>?
    /// The user's object of `delegate`.
    @exclusivity(unchecked) final var delegateHandle: Unmanaged<AnyObject>?

    /// How often a body that nobody can hear any more has yielded.
    @safe @exclusivity(unchecked) private final var refusals: Int32 = 0

    @usableFromInline
    init(name: String?, stackSize: Int, entry: @escaping (GeneratorCore) -> Void) {
        self.entry = entry
        super.init(name: name, stackSize: stackSize)
    }

    override final func runBody() { entry(self) }

    override class var kind: String { "generator" }
    override class var nativeKind: cctx_kind { cctx_kind_generator }

    // MARK: The caller's side

    // A step is a single function, and the switch of a yield is inlined into the body: then the processor predicts
    // both returns (cctx_switch.h).

    /// Resumes the body, or the innermost that it delegates to. Returns where the next element lies, an
    /// `Element?`; nil at the end.
    @usableFromInline
    @inline(never)
    final func step(_ sent: UnsafeMutableRawPointer?) throws -> UnsafeMutableRawPointer? {
        guard isOnOwnThread, state == .suspended else { return try unsafe stepSlowly(sent) }
        var last = unsafe Unmanaged.passUnretained(self)
        if unsafe delegate != nil {
            guard let known = unsafe knownInnermost,
                unsafe known._withUnsafeGuaranteedRef({ $0.state == .suspended })
            else { return try unsafe stepSlowly(sent) }
            unsafe knownInnermost = nil
            unsafe last = known
        }
        state = .running
        let record = unsafe last._withUnsafeGuaranteedRef { last in
            last.state = .running
            return unsafe last.record.unsafelyUnwrapped
        }
        unsafe record.pointee.sent = sent
        unsafe cctx_raw_resume(record)
        guard let offer = unsafe record.pointee.offer else {
            return try unsafe run(last, isResumed: true)
        }
        unsafe record.pointee.offer = nil
        unsafe last._withUnsafeGuaranteedRef { $0.state = .suspended }
        state = .suspended
        if unsafe delegate != nil { unsafe knownInnermost = last }
        return unsafe offer
    }

    @inline(never)
    private final func stepSlowly(
        _ sent: UnsafeMutableRawPointer?
    ) throws -> UnsafeMutableRawPointer? {
        try requireOwner()
        switch state {
        case .ended: return nil
        case .running: throw GeneratorError.alreadyRunning
        case .pending: try start()
        case .suspended: break
        }
        return unsafe try resume(sent, throwing: nil)
    }

    /// Resumes the body, or the innermost that it delegates to, with a value or an error.
    private final func resume(
        _ sent: UnsafeMutableRawPointer?, throwing error: (any Error)?
    ) throws -> UnsafeMutableRawPointer? {
        let innermost = unsafe innermost
        try unsafe innermost._withUnsafeGuaranteedRef {
            if $0.state == .running { throw GeneratorError.alreadyRunning }
            unsafe $0.record.unsafelyUnwrapped.pointee.sent = sent
            if let error { $0.deliver(error) }
        }
        state = .running
        return unsafe try run(innermost)
    }

    /// Throws an error into the body. As ``step(_:_:)``.
    final func throwInto(_ error: any Error) throws -> UnsafeMutableRawPointer? {
        try requireOwner()
        switch state {
        case .running: throw GeneratorError.alreadyRunning
        case .ended: throw error
        case .suspended:
            return unsafe error is GeneratorExit
                ? try exit() : try resume(nil, throwing: error)
        case .pending:
            failure = error
            isFailureSeen = true
            discard()
            throw error
        }
    }

    @usableFromInline final var isPending: Bool { state == .pending }
    @usableFromInline final var isSuspended: Bool { state == .suspended }

    final var hasEnded: Bool { state == .ended }

    @usableFromInline
    final func requirePending() throws {
        if !isPending { throw GeneratorError.alreadyStarted }
    }

    @usableFromInline
    final func requireStarted() throws {
        if isPending { throw GeneratorError.notStarted }
    }

    final func requireOwner() throws {
        if !isOnOwnThread {
            throw GeneratorError.wrongThread(owner: thread.id, current: cctx_raw_thread_number())
        }
    }

    // MARK: The body's side

    /// Prepares the body to be suspended, with an element at `offer`; the caller suspends it and then looks into the
    /// record that this returns.
    @usableFromInline
    @inline(never)
    final func offer(
        _ offer: UnsafeMutableRawPointer
    ) throws -> UnsafeMutablePointer<cctx_raw> {
        // Nothing here needs a frame, and all that is rare is one call at the end.
        guard let record = unsafe record, unsafe cctx_raw_may_stop(record), !isClosing else {
            return try unsafe offerCarefully(offer)
        }
        unsafe record.pointee.offer = offer
        return unsafe record
    }

    @inline(never)
    private final func offerCarefully(
        _ offer: UnsafeMutableRawPointer
    ) throws -> UnsafeMutablePointer<cctx_raw> {
        guard let record = unsafe record, isOnStack else {
            guard let innermost = unsafe runningDelegate else { notRunning() }
            return try unsafe innermost._withUnsafeGuaranteedRef { try unsafe $0.offer(offer) }
        }
        requireNoTask("yield")
        if isClosing { try refuseSuspension() }
        if unsafe cctx_raw_is_bound(record) { throw GeneratorError.insideScope }
        cctx_raw_ensure_prepared()
        unsafe record.pointee.offer = offer
        return unsafe record
    }

    /// Lets the pending yield throw, when it is resumed.
    final func deliver(_ error: any Error) {
        incoming = error
        unsafe record.unsafelyUnwrapped.pointee.is_thrown_into = true
    }

    /// Throws what was delivered to the body of a record.
    @usableFromInline
    @inline(never)
    static func throwDelivered(to record: UnsafeMutablePointer<cctx_raw>) throws {
        try unsafe Unmanaged<GeneratorCore>.fromOpaque(record.pointee.owner.unsafelyUnwrapped)
            ._withUnsafeGuaranteedRef { core in
                unsafe record.pointee.is_thrown_into = false
                let error = core.incoming
                core.incoming = nil
                if let error { throw error }
            }
    }

    /// The body runs, and this code on its stack, or on one that was resumed from there.
    @inline(__always)
    final var isOnStack: Bool {
        guard let record = unsafe record, state == .running else { return false }
        return unsafe cctx_current_thread().pointee.current
            == UnsafeMutableRawPointer(record).assumingMemoryBound(to: cctx.self)
            || cctx_raw_is_below(record)
    }

    @inline(never)
    final func notRunning() -> Never {
        fatalError(
            """
            yield was called for \(label) by code that its body did not call. A body may yield \
            only while it runs, and only on its own stack or on one that it resumed.
            """)
    }

    /// Throws what unwinds a body whose last reference is gone. One that catches it and goes on is
    /// asked again, but not without end: then it stays suspended, and its stack is lost.
    @inline(never)
    final func refuseSuspension() throws {
        refusals += 1
        if refusals <= 1000 { throw GeneratorExit() }
        while true {
            unsafe record.unsafelyUnwrapped.pointee.offer = UnsafeMutableRawPointer(record)
            cctx_raw_suspend()
        }
    }

    // MARK: The end

    /// Closes the body. Returns where the element lies that it yielded instead of ending.
    final func close() throws -> UnsafeMutableRawPointer? {
        try requireOwner()
        switch state {
        case .pending: discard()
        case .running: throw GeneratorError.alreadyRunning
        case .ended: break
        case .suspended:
            do {
                return unsafe try exit()
            } catch is GeneratorExit {
                failure = nil
            }
        }
        return nil
    }

    /// The last handle is gone, and there is nobody whom an error could be thrown to.
    override final func unwind() throws {
        isClosing = true
        if unsafe innermost._withUnsafeGuaranteedRef({ $0.state == .running }) {
            // Dropped by the body that it delegates to, and that somebody else has asked.
            return thread.adopt(self)
        }
        if unsafe try close() != nil { throw GeneratorError.ignoredExit }
    }

    final func throwFailure() throws {
        if let failure, !isFailureSeen {
            isFailureSeen = true
            throw failure
        }
    }

    /// Takes an error back that would have been thrown to a loop.
    @usableFromInline
    final func endLoop(_ error: any Error) {
        guard isOnOwnThread, !isRunning else {
            let error = error as? GeneratorError ?? .alreadyRunning
            fatalError("A loop asked \(label) for an element. \(error)")
        }
        failure = error
        isFailureSeen = false
    }

    @usableFromInline
    final func failIfFailed() throws {
        if let failure {
            isFailureSeen = true
            throw failure
        }
    }

    @usableFromInline
    final func fail(_ error: any Error) {
        failure = error
    }

    deinit {
        // The exit of a generator further out that ended a loop over this one is no failure.
        if let failure, !isFailureSeen, !(failure is GeneratorExit) { report(failure) }
    }
}
