import SystemPackage

// Waiting in the list of something, from a fiber or a plain thread; tasks are in Tasks/Wait+Task.swift.
//
// What waits gives a closure that queues its node under the lock of the list, or says that there is nothing to wait for.
// A wait ends in one of three ways:
//
// - it was woken: the completion is the waker's, not negative;
// - it ended early, by cancellation or its deadline: the completion is negative, and nothing was handed over;
// - both: what was handed over came in the same turn as the reason to end early. The completion is the waker's and has
//   that reason. Whoever handed over something that must not be lost passes it on and throws; for others it was woken.

extension Completion {
    /// The wait was woken, and nothing speaks against taking what it was woken with.
    @inline(__always)
    var isTaken: Bool { result >= 0 && reason == .none }

    /// What the wait was woken with is not taken: pass it on to the next, and throw ``refusal(_:)``.
    var isRefused: Bool { result >= 0 && reason != .none }

    /// What a wait throws that was not woken, or refused what it was woken with.
    func refusal(_ deadline: Deadline) -> any Error {
        result < 0 ? error(deadline) : Completion.cancelled(reason).error(deadline)
    }
}

extension WaitSource {
    /// Suspends the fiber, or blocks the plain thread, until its node is woken or taken back.
    ///
    /// Traps on a worker's thread outside a fiber.
    ///
    /// - Parameters:
    ///   - call: For the trap's sentence, as `lock.lock()`.
    ///   - isShielded: Cancellation does not end the wait.
    ///   - add: Queues the node. False when there is nothing to wait for.
    @inline(__always)
    func wait(
        _ call: StaticString, deadline: Deadline, isShielded: Bool = false, _ add: (WaitNode) -> Bool
    ) -> Completion {
        if let fiber = FiberRef.current {
            return isShielded
                ? fiber.shielded { fiber.wait(in: self, deadline: deadline, add) }
                : fiber.wait(in: self, deadline: deadline, add)
        }
        return blockThread(call, deadline: deadline, add)
    }

    @inline(never)
    private func blockThread(_ call: StaticString, deadline: Deadline, _ add: (WaitNode) -> Bool)
        -> Completion
    {
        if Fork.isChild { return .cancelled(.fork) }
        if CurrentThread.mustNotBlock {
            fatalError("\(call) would block a worker's thread; in a task, await \(call)")
        }
        let parker = ThreadParker()
        defer { parker.deallocate() }
        let node = WaitNode(.thread(parker), in: self)
        guard add(node) else { return Completion(0) }
        if !parker.park(until: deadline.nanoseconds) {
            if withdraw(node) { return .cancelled(.deadline) }
            // Woken at the last moment: the waker is about to touch the parker.
            _ = parker.park(until: .max)
        }
        return node.outcome
    }
}

extension FiberRef {
    /// Suspends until the fiber's node is woken or taken back. No allocation after the fiber's first wait.
    ///
    /// - Parameter add: Queues the node. False when there is nothing to wait for.
    func wait(in source: any WaitSource, deadline: Deadline, _ add: (WaitNode) -> Bool) -> Completion {
        if mustNotWait { return .cancelled(.user) }
        return unsafe withOwner { unsafe $0.waitNode(of: self) }._withUnsafeGuaranteedRef { node in
            node.moves(to: source)
            defer { node.moves(to: nil) }
            guard add(node) else { return Completion(0) }
            var completion: Completion
            if deadline == .never {
                completion = park(.node, node.token)
            } else {
                completion = park(node, until: deadline)
            }
            if completion.result >= 0 && mustNotWait { completion.reason = .user }
            return completion
        }
    }

    @inline(never)
    private func park(_ node: WaitNode, until deadline: Deadline) -> Completion {
        let payload = Runnable(address: node.address, kind: .nodeDeadline).word
        let timer = withWorker {
            $0.timers.insert(deadline: deadline.nanoseconds, payload: payload)
        }
        var completion = park(.node, node.token)
        withWorker { _ = $0.timers.cancel(timer) }
        if completion.result >= 0 && deadline.hasPassed { completion.reason = .deadline }
        return completion
    }
}

// MARK: - Waiting for the end of a fiber

extension AnyFiber {
    /// From a fiber or a plain thread.
    func waitForEnd(deadline: Deadline) -> Completion {
        let fiber = FiberRef.current
        if let fiber, fiber.owner === self { return Completion(-Errno.deadlock.rawValue) }
        return wait("fiber.join()", deadline: deadline) { node in
            let isQueued = end.add(node)
            if isQueued, let fiber { fiber.withWorker { isAwaited(on: $0) } }
            return isQueued
        }
    }
}
