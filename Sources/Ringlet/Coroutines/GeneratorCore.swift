import CContext

/// A generator without its handle and its types: stepping, yielding and closing.
///
/// Values never pass through here. Either side hands over the address of a variable in its own
/// frame, and the other side moves the value; both frames stay where they are meanwhile.
@usableFromInline
class GeneratorCore: RawContext, @unchecked Sendable {
    /// What the body threw.
    fileprivate final var failure: (any Error)?
    private final var isFailureSeen = false

    override class var kind: String { "generator" }
    override class var nativeKind: cctx_kind { cctx_kind_generator }

    // MARK: The caller's side

    /// Resumes the body. Returns where the next element lies, an `Element?`; nil at the end.
    @usableFromInline
    static func step(
        _ core: Unmanaged<GeneratorCore>, _ sent: UnsafeMutableRawPointer?
    ) throws -> UnsafeMutableRawPointer? {
        try unsafe core._withUnsafeGuaranteedRef { try unsafe $0.step(sent) }
    }

    @inline(__always)
    private final func step(_ sent: UnsafeMutableRawPointer?) throws -> UnsafeMutableRawPointer? {
        requireThread("Generator.next()")
        if state != .suspended {
            if state == .ended { return nil }
            if state == .running { reentered() }
            try start()
        }
        let record = unsafe record.unsafelyUnwrapped
        unsafe record.pointee.sent = sent
        state = .running
        while true {
            unsafe cctx_raw_resume(record)
            if let offer = unsafe record.pointee.offer {
                unsafe record.pointee.offer = nil
                state = .suspended
                return unsafe offer
            }
            if unsafe record.pointee.context.finished { break }
            Self.passOn()
        }
        finish()
        try throwFailure()
        return nil
    }

    @inline(never)
    private final func reentered() -> Never {
        fatalError(
            """
            Generator.next(): \(label) is running: it was asked for an element by its own body, by \
            something that the body called, or while the body waits in another fiber or coroutine.
            """)
    }

    @usableFromInline
    final var isPending: Bool { state == .pending }

    @usableFromInline
    final func requirePending() throws {
        if !isPending { throw GeneratorError.alreadyStarted }
    }

    @usableFromInline
    final func requireStarted() throws {
        if isPending { throw GeneratorError.notStarted }
    }

    // MARK: The body's side

    /// Suspends the body, with an element at `offer`. Returns where the value lies that was sent.
    @usableFromInline
    static func yield(
        _ core: Unmanaged<GeneratorCore>, _ offer: UnsafeMutableRawPointer
    ) throws -> UnsafeMutableRawPointer? {
        try unsafe core._withUnsafeGuaranteedRef { try unsafe $0.yield(offer) }
    }

    @inline(__always)
    private final func yield(_ offer: UnsafeMutableRawPointer) throws -> UnsafeMutableRawPointer? {
        guard let record = unsafe record, state == .running else { notRunning() }
        if unsafe cctx_current_thread().pointee.current
            != UnsafeMutableRawPointer(record).assumingMemoryBound(to: cctx.self),
            unsafe !cctx_raw_is_below(record)
        {
            notRunning()
        }
        requireNoTask("yield")
        if isClosing { throw refuse() }
        unsafe record.pointee.offer = offer
        cctx_raw_suspend()
        if isClosing { throw ContextClosed() }
        return unsafe record.pointee.sent
    }

    @inline(never)
    private final func notRunning() -> Never {
        fatalError(
            """
            yield was called for \(label) by code that its body did not call. A body may yield \
            only while it runs, and only on its own stack or on one that it resumed.
            """)
    }

    // MARK: The end

    final func close() throws {
        requireThread("Generator.close()")
        switch state {
        case .pending: discard()
        case .suspended: try unwind()
        case .running: reentered()
        case .ended: break
        }
    }

    override final func unwind() throws {
        isClosing = true
        _ = try unsafe Self.step(Unmanaged.passUnretained(self), nil)
    }

    private final func throwFailure() throws {
        if let failure, !isFailureSeen {
            isFailureSeen = true
            throw failure
        }
    }

    /// Takes an error back that was thrown to a loop.
    @usableFromInline
    final func keep(_ error: any Error) {
        failure = error
        isFailureSeen = false
    }

    fileprivate final func failIfFailed() throws {
        if let failure {
            isFailureSeen = true
            throw failure
        }
    }

    deinit {
        if let failure, !isFailureSeen { report(failure) }
    }
}

/// The typed part: the body and its outcome.
@usableFromInline
final class GeneratorBody<Element, Sent, Return>: GeneratorCore, @unchecked Sendable {
    private var body: ((Yielder<Element, Sent>) throws -> Return)?
    private var returned: Return?

    init(
        name: String?, stackSize: Int,
        body: @escaping (Yielder<Element, Sent>) throws -> Return
    ) {
        self.body = body
        super.init(name: name, stackSize: stackSize)
    }

    override func runBody() {
        let body = unsafe body.unsafelyUnwrapped
        self.body = nil
        do {
            returned = try body(Yielder(self))
        } catch {
            if !(isClosing && error is ContextClosed) { failure = error }
        }
    }

    override func dropBody() {
        body = nil
    }

    func result() throws -> Return? {
        try failIfFailed()
        return returned
    }
}
