import CContext

// How bodies that delegate to each other are run.
//
// A body that delegates suspends, and from then on whoever asks its generator for an element resumes
// the innermost body of the chain directly; what it yields goes straight back. A step is one switch
// there and one back, however long the chain is. When a body ends, the one that delegated to it is
// resumed.
//
// In a chain that runs, the generator that was asked and the innermost one are marked as running; those
// in between are found to be by looking at the innermost. A chain is changed only by those that run, or
// while none of it runs.

extension GeneratorCore {
    // MARK: The chain

    /// The one that runs when this is asked for an element. Constant time at the head of a chain
    /// that was used before, else linear in its length.
    final var innermost: Unmanaged<GeneratorCore> {
        if let known = unsafe knownInnermost { return unsafe known }
        var last = unsafe Unmanaged.passUnretained(self)
        while let next = unsafe last._withUnsafeGuaranteedRef({ unsafe $0.delegate }) {
            unsafe last = next
        }
        return unsafe last
    }

    /// This one, the one that it delegates to, and so on.
    final var chain: [GeneratorCore] {
        Array(sequence(first: self) { unsafe $0.delegate?.takeUnretainedValue() })
    }

    final var isRunning: Bool {
        if state == .running { return true }
        return unsafe innermost._withUnsafeGuaranteedRef { $0.state == .running }
    }

    /// Takes this one out from under the one that delegates to it.
    private final func detach() {
        guard let above = unsafe delegator else { return }
        unsafe delegator = nil
        unsafe above._withUnsafeGuaranteedRef {
            unsafe $0.delegate = nil
            unsafe $0.delegateHandle = nil
        }
    }

    /// The chain that this one is part of is about to change, or has.
    private final func forgetInnermost() {
        var head = unsafe Unmanaged.passUnretained(self)
        while let above = unsafe head._withUnsafeGuaranteedRef({ unsafe $0.delegator }) {
            unsafe head = above
        }
        unsafe head._withUnsafeGuaranteedRef { unsafe $0.knownInnermost = nil }
    }

    // MARK: Running a chain

    /// Runs `first`, the innermost body of this one's chain, and those that come after it, to the next
    /// element. Returns where it lies; nil when this generator has ended.
    ///
    /// - Parameter isResumed: `first` has been resumed, and has stopped.
    @inline(never)
    final func run(
        _ first: Unmanaged<GeneratorCore>, isResumed: Bool = false
    ) throws -> UnsafeMutableRawPointer? {
        forgetInnermost()
        var current = unsafe first
        var isResumed = isResumed
        while true {
            let next = unsafe current._withUnsafeGuaranteedRef { core in
                if !isResumed { core.resume() }
                return core.successor(of: self)
            }
            isResumed = false
            switch next {
            case .offer(let offer):
                unsafe rest(at: current)
                return unsafe offer
            case .end:
                detach()
                try throwFailure()
                return nil
            case .generator(let next):
                unsafe current = next
            case .same:
                Self.passOn()
            }
        }
    }

    /// What happens after a body has stopped.
    @safe
    private enum Next {
        case offer(UnsafeMutableRawPointer)
        case end
        case generator(Unmanaged<GeneratorCore>)
        /// Something in the body waits: the fiber does.
        case same
    }

    @inline(__always)
    private final func resume() {
        state = .running
        unsafe cctx_raw_resume(record.unsafelyUnwrapped)
    }

    @inline(__always)
    private final func successor(of root: GeneratorCore) -> Next {
        let record = unsafe record.unsafelyUnwrapped
        if let offer = unsafe record.pointee.offer {
            unsafe record.pointee.offer = nil
            return unsafe .offer(offer)
        }
        if unsafe record.pointee.context.finished {
            let above = unsafe delegator
            finish()
            if root === self { return .end }
            unsafe delegator = nil
            guard let above = unsafe above else { fatalError("a chain has a head") }
            unsafe above._withUnsafeGuaranteedRef {
                unsafe $0.delegate = nil
                unsafe $0.delegateHandle = nil
            }
            return unsafe .generator(above)
        }
        if let delegate = unsafe delegate {
            if root !== self { state = .suspended }
            return unsafe .generator(delegate._withUnsafeGuaranteedRef { unsafe $0.innermost })
        }
        return .same
    }

    /// The chain stops at an element of `last`.
    private final func rest(at last: Unmanaged<GeneratorCore>) {
        unsafe last._withUnsafeGuaranteedRef {
            $0.state = .suspended
        }
        state = .suspended
        if unsafe delegator == nil { unsafe knownInnermost = last }
    }

    // MARK: Delegating

    /// Suspends the body until `other` has ended, or until an error is thrown here. False: nothing
    /// was done, because another body delegates to `other` already.
    ///
    /// - Parameter first: Where the value lies that is sent to the pending yield of `other`.
    @usableFromInline
    final func delegate(
        to other: GeneratorCore, handle: AnyObject, first: UnsafeMutableRawPointer?
    ) throws -> Bool {
        guard isOnStack else {
            guard let innermost = unsafe runningDelegate else { notRunning() }
            return try unsafe innermost._withUnsafeGuaranteedRef {
                try unsafe $0.delegate(to: other, handle: handle, first: first)
            }
        }
        requireNoTask("yield.from")
        try other.requireOwner()
        if other.isRunning { throw GeneratorError.alreadyRunning }
        if other.state == .ended { return true }
        if unsafe other.delegator != nil { return false }
        if isClosing { try refuseSuspension() }
        if unsafe cctx_raw_is_bound(record.unsafelyUnwrapped) { throw GeneratorError.insideScope }
        try other.start()
        unsafe other.innermost._withUnsafeGuaranteedRef {
            unsafe $0.record.unsafelyUnwrapped.pointee.sent = first
        }
        unsafe other.knownInnermost = nil
        unsafe other.delegator = Unmanaged.passUnretained(self)
        unsafe delegate = Unmanaged.passUnretained(other)
        unsafe delegateHandle = Unmanaged.passUnretained(handle)
        cctx_raw_suspend()
        let record = unsafe record.unsafelyUnwrapped
        if unsafe record.pointee.is_thrown_into { try unsafe Self.throwDelivered(to: record) }
        return true
    }

    /// The innermost of those that this body delegates to, if it runs: then it yields and delegates in
    /// the name of this one.
    final var runningDelegate: Unmanaged<GeneratorCore>? {
        let innermost = unsafe innermost
        let isRunning = unsafe innermost._withUnsafeGuaranteedRef { $0 !== self && $0.isOnStack }
        return unsafe isRunning ? innermost : nil
    }

    final var isRunByDelegate: Bool { unsafe runningDelegate != nil }

    // MARK: Closing a chain

    /// Throws the exit into the bodies of the chain, the innermost first, each after the one that
    /// it waits for has ended; at last into this one. What an inner one throws instead is thrown into
    /// the one above it. Returns where an element of this one lies, if it yields.
    final func exit() throws -> UnsafeMutableRawPointer? {
        var level = unsafe innermost
        if unsafe level._withUnsafeGuaranteedRef({ $0.state == .running }) {
            throw GeneratorError.alreadyRunning
        }
        var error: any Error = GeneratorExit()
        state = .running
        while true {
            let above = unsafe level._withUnsafeGuaranteedRef { core in
                if core === self { return unsafe Unmanaged<GeneratorCore>?.none }
                let above = unsafe core.delegator
                error = core.endAlone(error)
                core.detach()
                return unsafe above
            }
            guard let above = unsafe above else { break }
            unsafe level = above
        }
        deliver(error)
        return unsafe try run(Unmanaged.passUnretained(self))
    }

    /// Throws `error` into this body, which is the innermost. Returns what is to be thrown into the
    /// one above.
    private final func endAlone(_ error: any Error) -> any Error {
        deliver(error)
        do {
            let ignored = unsafe try run(Unmanaged.passUnretained(self))
            return unsafe ignored == nil ? GeneratorExit() : GeneratorError.ignoredExit
        } catch {
            return error
        }
    }

    // MARK: Description

    final var delegationDescription: String {
        var text = isRunning ? "\(label) (running)" : stateDescription
        var next = unsafe delegate
        while let core = unsafe next?.takeUnretainedValue() {
            text += ", delegates to \(core.label)"
            unsafe next = unsafe core.delegate
        }
        return text
    }
}
