import Synchronization
import SystemPackage

// Waiting in the list of something, from a task. What a wait is, and how it ends, is in Operations/Wait.swift.

extension WaitSource {
    /// Suspends the task until its node is woken or taken back.
    ///
    /// A task that runs as a job of a worker parks, with a node that the worker keeps: no allocation. Any other one
    /// waits by a continuation.
    ///
    /// - Parameters:
    ///   - isShielded: Neither cancellation nor a shutdown ends the wait, which has no deadline then.
    ///   - add: Queues the node. False when there is nothing to wait for.
    func wait(
        deadline: Deadline, isShielded: Bool = false, _ add: (WaitNode) -> Bool
    ) async -> Completion {
        if !isShielded && Task.isCancelled { return .cancelled(.user) }
        var completion: Completion
        if let worker = CurrentThread.worker, worker.canPark(isolation: #isolation) {
            completion = await worker.park(
                in: self, deadline: deadline, isShielded: isShielded, add)
        } else {
            if Fork.isChild { return .cancelled(.fork) }
            completion =
                isShielded
                ? await waitByContinuation(add)
                : await waitByContinuation(deadline: deadline, add)
        }
        if completion.result >= 0 && completion.reason == .none && !isShielded {
            if Task.isCancelled {
                completion.reason = .user
            } else if deadline.hasPassed {
                completion.reason = .deadline
            }
        }
        return completion
    }

    private func waitByContinuation(_ add: (WaitNode) -> Bool) async -> Completion {
        await unsafe withUnsafeContinuation { continuation in
            let node = unsafe WaitNode(.task(continuation), in: self)
            if !add(node) { unsafe continuation.resume(returning: Completion(0)) }
        }
    }

    private func waitByContinuation(deadline: Deadline, _ add: (WaitNode) -> Bool) async
        -> Completion
    {
        let place = NodePlace()
        let worker = CurrentThread.worker
        if worker?.refusesTasks == true { return .cancelled(.shutdown) }
        // By which a shutdown finds the wait.
        var token: OperationToken?
        defer {
            if let worker, let token {
                worker.perform { worker in
                    // An ended worker takes nothing back.
                    if CurrentThread.runs(worker) { worker.taskNodes.putBack(token) }
                }
            }
        }
        var alarm: Alarm?
        if deadline != .never {
            // A task that runs on no worker has its deadlines watched by one of the process's own.
            alarm = Alarm(on: worker ?? BackgroundScheduler.worker) {
                place.node?.interrupt(.deadline)
            }
        }
        defer { alarm?.cancel() }
        return await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { continuation in
                let node = unsafe WaitNode(.task(continuation), in: self)
                token = worker?.taskNodes.hold(node)
                guard add(node) else {
                    unsafe continuation.resume(returning: Completion(0))
                    return
                }
                if place.set(node) { node.interrupt(.user) }
                alarm?.set(at: deadline)
            }
        } onCancel: {
            place.cancel()?.interrupt(.user)
        }
    }
}

// MARK: - Parked

extension Worker {
    fileprivate func park(
        in source: any WaitSource, deadline: Deadline, isShielded: Bool, _ add: (WaitNode) -> Bool
    ) async -> Completion {
        if refusesTasks && !isShielded { return .cancelled(.shutdown) }
        let (node, token) = taskNodes.take(for: .current, on: self)
        node.isShielded = isShielded
        node.moves(to: source)
        guard add(node) else {
            node.moves(to: nil)
            taskNodes.putBack(token)
            return Completion(0)
        }
        var timer = TimerToken.none
        if deadline != .never {
            let payload = Runnable(address: node.address, kind: .nodeDeadline).word
            timer = timers.insert(deadline: deadline.nanoseconds, payload: payload)
        }
        await TaskHost.suspend(isShielded ? .none : .node, token.userData, of: self)
        let outcome = node.outcome
        // On another thread the worker has ended meanwhile, and takes nothing back.
        if CurrentThread.runs(self) {
            if timer != .none { _ = timers.cancel(timer) }
            node.moves(to: nil)
            taskNodes.putBack(token)
        }
        return outcome
    }

    /// Ends a parked task's wait that its cancellation names, unless it is over. On the worker's thread.
    func interruptTask(_ token: OperationToken) {
        // What was parked then has been woken by the shutdown.
        if isEnding { return }
        taskNodes.node(of: token)?.interrupt(.user)
    }

    /// Ends every wait of a task in a list, as a shutdown does with operations.
    func endTaskWaits() {
        for node in taskNodes.waiting where !node.isShielded { node.interrupt(.shutdown) }
    }
}

/// Between a task's wait and its cancellation handler.
private final class NodePlace: Sendable {
    private struct State {
        var node: WaitNode?
        var isCancelled = false
    }

    private let state = Mutex(State())

    /// True when cancellation came first.
    func set(_ node: WaitNode) -> Bool {
        state.withLock {
            $0.node = node
            return $0.isCancelled
        }
    }

    func cancel() -> WaitNode? {
        state.withLock {
            $0.isCancelled = true
            return $0.node
        }
    }

    var node: WaitNode? { state.withLock { $0.node } }
}

// MARK: - Waiting for the end of a fiber

extension AnyFiber {
    /// From a task.
    func waitForEnd(deadline: Deadline) async -> Completion {
        if isAwaitingHere { return Completion(-Errno.deadlock.rawValue) }
        return await wait(deadline: deadline) { end.add($0) }
    }

    /// Whether the current code, which is in a task, is a part of this fiber: what it awaits in place. Only its worker
    /// knows.
    private var isAwaitingHere: Bool {
        guard CurrentThread.runs(worker), let strand = record?.strand else { return false }
        return CurrentThread.strand == strand
    }
}
