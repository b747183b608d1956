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

    /// ECANCELED although neither the caller nor a deadline asked for it.
    var isUnexplainedCancel: Bool { result == -125 && reason == .none }
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

    /// Suspends in the queue of `source` until the fiber's node is woken or taken back.
    ///
    /// - Parameter add: Queues the node. False when there is nothing to wait for.
    func wait(in source: any WaitSource, deadline: Deadline, _ add: (WaitNode) -> Bool) -> Completion {
        return unsafe withOwner { unsafe $0.waitNode(of: self) }._withUnsafeGuaranteedRef { node in
            node.moves(to: source)
            defer { node.moves(to: nil) }
            guard add(node) else { return Completion(0) }
            if deadline == .never { return park(.node, node.token) }
            let payload = Runnable(address: address, kind: .fiberDeadline).word
            let timer = withWorker {
                $0.timers.insert(deadline: deadline.nanoseconds, payload: payload)
            }
            let completion = park(.node, node.token)
            withWorker { _ = $0.timers.cancel(timer) }
            return completion
        }
    }
}

extension WaitQueue {
    /// From a fiber: suspends until the event, the deadline or cancellation.
    func wait(_ fiber: FiberRef, in source: any WaitSource, deadline: Deadline) -> Completion {
        if fiber.mustNotWait { return .cancelled(.user) }
        return fiber.wait(in: source, deadline: deadline) { add($0) }
    }
}

// MARK: - Waiting for the end of a fiber

extension AnyFiber {
    /// From a fiber or a plain thread.
    func waitForEnd(deadline: Deadline) -> Completion {
        if let fiber = FiberRef.current {
            if fiber.owner === self { return Completion(-Errno.deadlock.rawValue) }
            return end.wait(fiber, in: self, deadline: deadline)
        }
        precondition(
            CurrentThread.worker == nil,
            "fiber.join() would block a worker's thread; in a task, await fiber.join()")
        if Fork.isChild { return .cancelled(.fork) }
        let parker = ThreadParker()
        defer { parker.deallocate() }
        let node = WaitNode(.thread(parker), in: self)
        guard end.add(node), !parker.park(until: deadline.nanoseconds) else { return Completion(0) }
        if end.withdraw(node) { return .cancelled(.deadline) }
        // Woken at the last moment: the waker is about to touch the parker.
        _ = parker.park(until: .max)
        return Completion(0)
    }
}
