import SystemPackage

extension Completion {
    /// What a failed wait throws.
    func error(_ deadline: Deadline) -> any Error {
        // A request that blocks in a kernel thread ends with EINTR when it is cancelled.
        switch reason {
        case _ where result != -125 && result != -4: Errno(rawValue: -result)
        case .user, .shutdown: FiberRef.current?.cancellationError ?? CancellationError()
        case .deadline: TimeoutError(deadline: deadline)
        case .fork: SchedulerError.forkedChild
        case .none: Errno(rawValue: -result)
        }
    }

    /// Throws ``error(_:)`` when the wait ended early or the operation failed.
    @inline(__always)
    func orThrow(_ deadline: Deadline) throws {
        if result < 0 { throw error(deadline) }
    }

    /// ECANCELED, or EINTR as above, although neither the caller nor a deadline asked for it.
    var isUnexplainedCancel: Bool { (result == -125 || result == -4) && reason == .none }
}

// MARK: - Fibers

extension FiberRef {
    /// Starts an operation and suspends until its terminal completion.
    func perform(_ request: Request, deadline: Deadline) -> Completion {
        complete(request, deadline: deadline)
        return outcome
    }

    /// The same; how the operation ended is to be read from ``outcome``.
    ///
    /// The common path keeps everything in registers: the outcome stays in memory on every path, since a value that
    /// the paths joined would be moved about, and the request is made anew for the call that needs it in memory.
    @inline(__always)
    func complete(_ request: @autoclosure () -> Request, deadline: Deadline) {
        if mustNotWait {
            deliver(.cancelled(.user))
        } else if deadline == .never {
            let token = withWorker { $0.start(request(), waiter: .fiber(self), deadline: .never) }
            suspend(in: .operation, token.userData)
        } else {
            complete(request(), until: deadline)
        }
    }

    @inline(never)
    private func complete(_ request: Request, until deadline: Deadline) {
        if deadline.hasPassed { return deliver(.cancelled(.deadline)) }
        let token = withWorker { $0.start(request, waiter: .fiber(self), deadline: deadline) }
        suspend(in: .operation, token.userData)
    }
}
