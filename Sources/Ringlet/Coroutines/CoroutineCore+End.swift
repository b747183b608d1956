import CContext

// How a body ends, and who is told.

extension CoroutineCore {
    typealias Delivery = CoroutineThread.Delivery

    /// Transfers control and throws `error` at this one, or where it goes instead. Returns as
    /// ``takeControl(_:_:)``.
    final func takeError(_ error: any Error) throws -> UnsafeMutableRawPointer? {
        try requireOwnThread()
        thread.unwindDropped()
        var delivery = Delivery(error: error)
        let origin = Self.running(in: family)
        if origin?.isClosing != true, state == .pending {
            // Asked before this one ends, since a refusal changes nothing.
            try Self.requireTransfer(from: origin, to: parent?.core.nearestLiving())
            end(with: error)
            discard()
        }
        if state == .ended {
            // It arrives as from a child that has ended.
            delivery.isExit = error is CoroutineExit
        }
        return try unsafe Self.transfer(delivery, to: nearestLiving(), family)
    }

    /// Transfers control to a coroutine that has begun, or to the code outside, with more than a
    /// value.
    static func transfer(
        _ delivery: Delivery, to target: CoroutineCore?, _ family: ObjectIdentifier
    ) throws -> UnsafeMutableRawPointer? {
        let origin = running(in: family)
        if origin?.isClosing != true {
            // Nothing may fail between here and the switch.
            try requireTransfer(from: origin, to: target)
            CoroutineThread.current.post(delivery)
        }
        return try unsafe transfer(to: target, family)
    }

    /// Throws what a switch would be refused with.
    private static func requireTransfer(from origin: CoroutineCore?, to target: CoroutineCore?) throws {
        if target === origin { return }
        try origin?.requireMayLeave()
        _ = try unsafe target?.readyRecord()
    }

    // MARK: After the body

    /// Gives up the stack of a body that has ended, and finds who gets control: the nearest
    /// ancestor that can take it, or else the code outside.
    final func bequeath() -> UnsafeMutablePointer<cctx_raw>? {
        let coroutines = CoroutineThread.current
        coroutines.coroutineEnds()
        // Nobody but the closer learns of the end, and he asks for the outcome.
        if endsForCloser {
            finish()
            return nil
        }
        coroutines.noteOrigin(unsafe handle?.takeUnretainedValue())
        var delivery =
            ending == .returned
            ? Delivery(courier: self)
            : Delivery(error: failure ?? CoroutineExit(), isExit: failure == nil)
        delivery.sender = self
        finish()
        return unsafe coroutines.deliver(delivery, to: parent?.core)
    }

    /// Unwinds a coroutine that has switched to `target` and that nobody can switch to again.
    /// Returns who is next: the unwinding may have ended the target too.
    @inline(never)
    static func unwindLost(
        _ origin: Unmanaged<CoroutineCore>, before target: UnsafeMutablePointer<cctx_raw>?
    ) -> UnsafeMutablePointer<cctx_raw>? {
        let origin = unsafe origin.takeUnretainedValue()
        if origin.hasRefused { return nil }
        let next = unsafe target.map { unsafe core(of: $0).takeUnretainedValue() }
        let coroutines = CoroutineThread.current
        var delivery = coroutines.takeDelivery()
        delivery.sender = origin
        if let place = unsafe delivery.place {
            // What it sends lies in the frame that is about to be unwound.
            unsafe origin.stash(place)
            unsafe delivery.place = nil
            delivery.courier = origin
        }
        origin.unwindDropped()
        return unsafe coroutines.deliver(delivery, to: next)
    }

    // MARK: Closing

    final func close() throws {
        try requireOwnThread()
        switch state {
        case .pending:
            end(with: CoroutineExit())
            discard()
        case .suspended: try unwind()
        case .ended: break
        case .running:
            guard Self.running === self else {
                throw CoroutineError.notSuspended(coroutine: label)
            }
            isClosing = true
            throw CoroutineExit()
        }
    }

    /// Ends a suspended body for the code that called this.
    final func unwindForCloser() throws {
        let coroutines = CoroutineThread.current
        isClosing = true
        endsForCloser = true
        refusals = 0
        coroutines.noteOrigin(AnyCoroutine.innermost)
        coroutines.postUnwinding()
        unsafe Self.carry(unsafe record.unsafelyUnwrapped)
        coroutines.noteOrigin(unsafe handle?.takeUnretainedValue())
        try coroutines.trace(.switch)
        if state != .ended {
            if unsafe handle == nil { coroutines.coroutineIsGivenUp() }
            throw CoroutineError.refusesToEnd(coroutine: label)
        }
        if let failure { throw failure }
    }

    /// A body that is being unwound wants to switch: it is told again that it should end. When it
    /// has been told often enough, whoever unwinds it gets control back; this returns when somebody
    /// switches to the coroutine after all.
    @inline(never)
    final func refuseToSwitch() throws {
        refusals += 1
        if refusals < 100 { throw CoroutineExit() }
        guard endsForCloser else {
            fatalError(
                """
                The body of \(label) has closed its own coroutine and goes on for ever: it catches \
                the error that is to unwind it. Let that error end the body.
                """)
        }
        isClosing = false
        endsForCloser = false
        hasRefused = true
        unsafe cctx_current_raw_thread().pointee.target = nil
        state = .suspended
        cctx_raw_suspend()
        hasRefused = false
    }
}

extension CoroutineThread {
    /// Finds who takes what a coroutine leaves behind: `first`, or the nearest of its ancestors
    /// that can. One that has not begun is started. Nil is the code outside.
    fileprivate func deliver(
        _ delivery: Delivery, to first: CoroutineCore?
    ) -> UnsafeMutablePointer<cctx_raw>? {
        var delivery = delivery
        var candidate = first
        while let next = candidate {
            switch next.state {
            case .suspended, .pending:
                do {
                    let record = try unsafe next.readyRecord()
                    post(delivery)
                    // From here on the last reference to it may go.
                    next.state = .running
                    return unsafe record
                } catch {
                    // There is no stack: the error goes on to its parent.
                    next.end(with: error)
                    next.discard()
                    (delivery.error, delivery.isExit, delivery.courier) = (error, false, nil)
                    unsafe delivery.place = nil
                }
            case .running, .ended: break
            }
            candidate = next.parent?.core
        }
        post(delivery)
        return nil
    }
}
