public import CContext

/// A coroutine without its handle and its types: how control moves.
///
/// A transfer between two coroutines goes through the code outside: the first suspends, and the
/// loop in ``carry(_:)`` that has resumed it resumes the second (cctx_coroutine.h). Between the two there may be
/// generators and fibers; each suspends in turn (see ``RawContext/passOn()``), so that a transfer
/// always moves a whole strand: a coroutine with everything that it has resumed.
///
/// Values never pass through here. A sender leaves the address of a variable in its own frame in the
/// thread's `mail`, and whoever gets control moves the value out (see ``CoroutineBody``). What is not
/// just a value is left with ``CoroutineThread``, and a bit of the thread's `attention` says so.
@safe
@usableFromInline
class CoroutineCore: RawContext, @unchecked Sendable {
    /// Of the same family; nil is the code outside.
    final var parent: AnyCoroutine?
    /// Runs the body and keeps its outcome.
    private final let entry: (CoroutineCore) -> Void
    @safe @exclusivity(unchecked) private(set) final var ending = Ending.none
    /// What the body threw.
    @safe @exclusivity(unchecked) private(set) final var failure: (any Error)?
    /// The end gives control to whoever unwinds the body, not to the parent.
    final var endsForCloser = false
    /// How often the body has caught the error that is to unwind it.
    final var refusals = 0
    /// It was given up to unwind the body.
    final var hasRefused = false

    final let locals: CoroutineLocals
    /// The body's current task, where it has one.
    @exclusivity(unchecked) final var ownTask: UnsafeMutableRawPointer?

    @usableFromInline
    init(
        name: String?, stackSize: Int, locals: CoroutineLocals, parent: AnyCoroutine?,
        family: ObjectIdentifier, entry: @escaping (CoroutineCore) -> Void
    ) {
        self.entry = entry
        self.parent = parent
        self.locals = locals
        super.init(name: name, stackSize: stackSize)
        unsafe head.family = unsafeBitCast(family, to: UnsafeRawPointer.self)
        unsafe head.shares_locals = locals == .shared
        if locals == .copied { unsafe ownTask = Self.copyLocals() }
        parent?.core.forgetAncestors()
    }

    deinit {
        if locals == .copied, let ownTask = unsafe ownTask { unsafe Self.endTask(ownTask) }
        freeAncestors()
    }

    /// The user's object, for as long as there is one.
    @inline(__always)
    final var handle: Unmanaged<AnyCoroutine>? {
        get { unsafe head.handle.map { unsafe Unmanaged.fromOpaque($0) } }
        set { unsafe head.handle = newValue.map { unsafe $0.toOpaque() } }
    }

    /// The type of the values, which all coroutines have in common that switch to each other. To
    /// others this one is code outside.
    @inline(__always)
    final var family: ObjectIdentifier {
        unsafe unsafeBitCast(head.family.unsafelyUnwrapped, to: ObjectIdentifier.self)
    }

    override final class var kind: String { "coroutine" }

    override final func unwind() throws { try unwindForCloser() }

    override final func report(_ error: any Error) {
        if case CoroutineError.refusesToEnd = error {
            say("\(error) Nobody refers to it any more, and its stack is leaked.")
        } else {
            UnseenErrors.report(UnseenError(error: error, origin: .coroutine, source: label))
        }
    }

    // MARK: The outcome

    @usableFromInline
    enum Ending: UInt8 { case none, returned, exited, failed }

    override final func runBody() {
        CoroutineThread.current.coroutineBegins()
        entry(self)
    }

    /// Notes the outcome of a body that returned, whose value the typed part keeps.
    @usableFromInline
    final func endWithValue() { ending = .returned }

    /// Keeps the outcome of a body that threw, or did not begin.
    @usableFromInline
    final func end(with error: any Error) {
        ending = error is CoroutineExit ? .exited : .failed
        if ending == .failed { failure = error }
    }

    /// Keeps the value at `place`, in this coroutine's frame.
    func stash(_ place: UnsafeMutableRawPointer) { fatalError("a coroutine has values") }

    // MARK: Who runs

    /// The core of a record, which retains it. Not retained here: these are on every switch.
    @inline(__always)
    static func core(of record: UnsafeMutablePointer<cctx_raw>) -> Unmanaged<CoroutineCore> {
        unsafe Unmanaged<CoroutineCore>.fromOpaque(record.pointee.owner.unsafelyUnwrapped)
    }

    /// The coroutine whose strand this code is part of.
    @inline(__always)
    private static var runningRecord: UnsafeMutablePointer<cctx_raw>? { unsafe cctx_coroutine_running() }

    static var running: CoroutineCore? {
        guard let record = unsafe runningRecord else { return nil }
        return unsafe core(of: record).takeUnretainedValue()
    }

    static func running(in family: ObjectIdentifier) -> CoroutineCore? {
        unsafe member(of: family)?.takeUnretainedValue()
    }

    /// The user's object of the one that runs, if it is one of `family` and there is one.
    @usableFromInline
    static func handle(in family: ObjectIdentifier) -> AnyCoroutine? {
        unsafe running(in: family)?.handle?.takeUnretainedValue()
    }

    /// The coroutine whose strand this code is part of, if it is one of `family`.
    @inline(__always)
    private static func member(of family: ObjectIdentifier) -> Unmanaged<CoroutineCore>? {
        guard let record = unsafe runningRecord else { return nil }
        let core = unsafe core(of: record)
        return unsafe core._withUnsafeGuaranteedRef { $0.family == family } ? core : nil
    }

    // MARK: Transfer

    /// What a switch has to do after it has begun. (The switch of the stacks itself is inlined into the body: then the
    /// processor predicts the returns on both sides. See cctx_switch.h.)
    @usableFromInline
    enum Passage: UInt8 {
        /// Suspend the coroutine, and take what has come when it goes on.
        case suspend
        /// Take what has come.
        case arrived
        /// Take the value back.
        case stayed
    }

    /// Begins to send the value at `place` to a coroutine.
    @usableFromInline
    @inline(never)
    static func takeControl(
        _ core: Unmanaged<CoroutineCore>, _ place: UnsafeMutableRawPointer
    ) throws -> Passage {
        let (hasEnded, family) = try unsafe core._withUnsafeGuaranteedRef { core in
            try core.requireOwnThread()
            core.thread.unwindDropped()
            return (core.state == .ended, core.family)
        }
        if hasEnded { return try unsafe passOnControl(of: core, place) }
        return try unsafe begin(to: core, family, place)
    }

    /// Sends the value at `place` past a coroutine that has ended.
    @inline(never)
    private static func passOnControl(
        of core: Unmanaged<CoroutineCore>, _ place: UnsafeMutableRawPointer
    ) throws -> Passage {
        let core = unsafe core.takeUnretainedValue()
        return try unsafe begin(toRetained: core.nearestLiving(), core.family, place)
    }

    @usableFromInline
    @inline(never)
    static func switchToParent(
        _ family: ObjectIdentifier, _ place: UnsafeMutableRawPointer
    ) throws -> Passage {
        guard let running = unsafe member(of: family) else { return .stayed }
        let hasParent = unsafe running._withUnsafeGuaranteedRef { $0.parent != nil }
        if !hasParent { return try unsafe begin(to: nil, family, place) }
        let parent = unsafe running._withUnsafeGuaranteedRef { $0.parent?.core.nearestLiving() }
        return try unsafe begin(toRetained: parent, family, place)
    }

    @usableFromInline
    @inline(never)
    static func switchOutside(
        _ family: ObjectIdentifier, _ place: UnsafeMutableRawPointer
    ) throws -> Passage {
        try unsafe begin(to: nil, family, place)
    }

    /// Begins a transfer from wherever this code runs; nil is the code outside the family. Without a
    /// `place` something was posted. The target is not retained: this is every switch.
    @inline(__always)
    private static func begin(
        to target: Unmanaged<CoroutineCore>?, _ family: ObjectIdentifier,
        _ place: UnsafeMutableRawPointer?
    ) throws -> Passage {
        let thread = unsafe cctx_current_raw_thread()
        if let origin = unsafe member(of: family) {
            return try unsafe origin._withUnsafeGuaranteedRef { origin in
                if origin.isClosing {
                    try origin.refuseToSwitch()
                    return .arrived
                }
                if let target = unsafe target,
                    unsafe target._withUnsafeGuaranteedRef({ $0 === origin })
                {
                    return .stayed
                }
                try origin.requireMayLeave()
                let record = try unsafe target?._withUnsafeGuaranteedRef {
                    try unsafe $0.readyRecord()
                }
                if unsafe thread.pointee.attention != 0 { noteOrigin() }
                unsafe cctx_coroutine_send(record, place)
                origin.state = .suspended
                cctx_raw_ensure_prepared()
                return .suspend
            }
        }
        guard let target = unsafe target else { return .stayed }
        let record = try unsafe target._withUnsafeGuaranteedRef { try unsafe $0.readyRecord() }
        if unsafe thread.pointee.attention != 0 { noteOrigin() }
        unsafe thread.pointee.mail = place
        unsafe carry(record)
        return .arrived
    }

    /// The same for a target that the caller has just looked up. (One that is to be resumed has a stack, which holds it.)
    @inline(never)
    private static func begin(
        toRetained target: CoroutineCore?, _ family: ObjectIdentifier,
        _ place: UnsafeMutableRawPointer?
    ) throws -> Passage {
        defer { withExtendedLifetime(target) {} }
        return try unsafe begin(
            to: target.map { unsafe Unmanaged.passUnretained($0) }, family, place)
    }

    /// Transfers, and returns when control has come back, with the place of what has come; nil when that is more than
    /// a value, which ``CoroutineThread`` holds, and when control went nowhere.
    static func transfer(
        to target: CoroutineCore?, _ family: ObjectIdentifier
    ) throws -> UnsafeMutableRawPointer? {
        switch try unsafe begin(toRetained: target, family, nil) {
        case .stayed: return nil
        case .suspend: cctx_suspend()
        case .arrived: break
        }
        return unsafe Self.arrived
    }

    /// Where the value lies that has come; nil when it is more than a value.
    @inlinable
    @inline(__always)
    static var arrived: UnsafeMutableRawPointer? {
        let thread = unsafe cctx_current_raw_thread()
        return unsafe thread.pointee.attention == 0 ? thread.pointee.mail : nil
    }

    @inline(never)
    private static func noteOrigin() {
        CoroutineThread.current.noteOrigin(AnyCoroutine.innermost)
    }

    /// The record of one that can be resumed.
    @inline(__always)
    final func readyRecord() throws -> UnsafeMutablePointer<cctx_raw> {
        if state != .suspended {
            if state == .running { throw CoroutineError.notSuspended(coroutine: label) }
            try start()
            if locals != .empty { try prepareLocals() }
        }
        return unsafe record.unsafelyUnwrapped
    }

    @inline(__always)
    final func requireOwnThread() throws(CoroutineError) {
        if !isOnOwnThread { throw wrongThread() }
    }

    @inline(never)
    private final func wrongThread() -> CoroutineError {
        .wrongThread(
            coroutine: label, owner: thread.id, caller: cctx_raw_thread_number(),
            ownerHasExited: thread.hasExited)
    }
}
