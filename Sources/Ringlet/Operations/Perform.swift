import SystemPackage

extension Completion {
    /// What a failed wait throws.
    func error(_ deadline: Deadline) -> any Error {
        switch reason {
        case _ where !isEarlyEnd: Errno(rawValue: -result)
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

    /// ECANCELED; or that a thread of the kernel was interrupted, which is how a request ends that blocks there and is
    /// cancelled: EINTR, and for an open ERESTARTSYS (512), which system calls do not show.
    var isEarlyEnd: Bool { result == -125 || result == -4 || result == -512 }

    /// The same, although neither the caller nor a deadline asked for it.
    var isUnexplainedCancel: Bool { isEarlyEnd && reason == .none }
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
