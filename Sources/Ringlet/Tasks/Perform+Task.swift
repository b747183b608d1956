import Synchronization

// MARK: - Operations of tasks

extension Worker {
    /// Starts an operation for the current task, wherever it runs, and suspends it until the
    /// terminal completion.
    ///
    /// The cell carries the operation from the continuation, where it begins, to the cancellation
    /// handler, which may run on any thread, also before it has begun.
    ///
    /// - Parameter descriptor: What the request is on, already counted in. A hand-over to another thread
    ///   can come after a close has sent its cancels; then the operation must not begin.
    @inline(__always)
    func perform(_ request: Request, on descriptor: Descriptor? = nil, deadline: Deadline) async
        -> Completion
    {
        if deadline.hasPassed { return .cancelled(.deadline) }
        if canPark(isolation: #isolation) {
            if isShuttingDown { return .cancelled(.shutdown) }
            let token = start(request, waiter: .parkedTask(.current), deadline: deadline)
            return await TaskHost.wait(.operation, token.userData, of: self)
        }
        return await performByContinuation(request, on: descriptor, deadline: deadline)
    }

    /// Whether the current task may bypass the continuation: it runs as a job of this worker and is not
    /// inside an actor, so the worker may run it as such a job again.
    @inline(__always)
    func canPark(isolation: (any Actor)?) -> Bool {
        isolation == nil && CurrentThread.runs(self) && isRunningOwnJob && rung != .plain
    }

    private func performByContinuation(
        _ request: Request, on descriptor: Descriptor?, deadline: Deadline
    ) async -> Completion {
        let cell = WaitCell()
        return await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { continuation in
                if CurrentThread.runs(self) {
                    unsafe start(request, for: continuation, in: cell, deadline: deadline)
                } else {
                    let handover = unsafe Handover(continuation: continuation)
                    perform { worker in
                        if descriptor?.isClosing == true {
                            unsafe handover.continuation.resume(returning: .cancelled(.none))
                        } else {
                            unsafe worker.start(
                                request, for: handover.continuation, in: cell, deadline: deadline)
                        }
                    }
                }
            }
        } onCancel: {
            if let token = cell.cancel() {
                perform { $0.cancel(OperationToken(userData: token), reason: .user) }
            }
        }
    }

    private func start(
        _ request: Request, for continuation: UnsafeContinuation<Completion, Never>,
        in cell: WaitCell, deadline: Deadline
    ) {
        if cell.isCancelled || isShuttingDown || isEnding {
            unsafe continuation.resume(returning: .cancelled(.user))
            return
        }
        let token = unsafe start(request, waiter: .task(continuation), deadline: deadline)
        if !cell.begin(token.userData) { cancel(token, reason: .user) }
    }
}

extension Worker {
    /// The same for an operation that must run to its end.
    func performUncancellably(_ request: Request) async -> Completion {
        await unsafe withUnsafeContinuation { continuation in
            let handover = unsafe Handover(continuation: continuation)
            perform { worker in
                if worker.isEnding {
                    unsafe handover.continuation.resume(returning: .cancelled(.shutdown))
                } else {
                    _ = unsafe worker.start(
                        request, waiter: .task(handover.continuation), deadline: .never,
                        shielded: true)
                }
            }
        }
    }

    /// The worker that does I/O for a task: the one that runs it or, for a task of another executor, one
    /// of the process's own. Throws in the child of a fork.
    static var forCurrentTask: Worker {
        get throws {
            if let worker = CurrentThread.worker { return worker }
            try Fork.check()
            return BackgroundScheduler.worker
        }
    }
}

extension WaitQueue {
    /// Suspends the task until the event, whatever happens to the task.
    func wait(in source: any WaitSource) async {
        _ = await unsafe withUnsafeContinuation { continuation in
            let node = unsafe WaitNode(.task(continuation), in: source)
            if !add(node) { unsafe continuation.resume(returning: Completion(0)) }
        }
    }
}

// MARK: - Waits that can end early

extension AnyFiber {
    /// From a task.
    func waitForEnd(deadline: Deadline) async -> Completion {
        if Fork.isChild { return .cancelled(.fork) }
        return await end.wait(in: self, deadline: deadline, timerOf: worker)
    }
}

extension WaitQueue {
    /// From a task: suspends until the event, the deadline or cancellation.
    func wait(in source: any WaitSource, deadline: Deadline, timerOf worker: Worker) async
        -> Completion
    {
        if Task.isCancelled { return .cancelled(.user) }
        let place = NodePlace()
        defer { if deadline != .never { worker.removeTimer(of: place) } }
        return await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { continuation in
                let node = unsafe WaitNode(.task(continuation), in: source)
                guard add(node) else {
                    unsafe continuation.resume(returning: Completion(0))
                    return
                }
                if place.set(node) { node.interrupt(.user) }
                if deadline != .never { worker.interrupt(node, in: place, at: deadline) }
            }
        } onCancel: {
            place.cancel()?.interrupt(.user)
        }
    }
}

extension Worker {
    /// Ends the node's wait at `deadline`, if it still lasts then. Any thread.
    fileprivate func interrupt(_ node: WaitNode, in place: NodePlace, at deadline: Deadline) {
        perform { worker in
            if worker.isEnding || place.hasEnded { return }
            let message = Message.runnable({ _ in node.interrupt(.deadline) }, kind: .timedMessage)
            place.timer = (
                worker.timers.insert(deadline: deadline.nanoseconds, payload: message.word), message
            )
        }
    }

    /// The wait has ended: its timer is of no use any more. Any thread.
    fileprivate func removeTimer(of place: NodePlace) {
        perform { worker in
            place.hasEnded = true
            if let (timer, message) = place.timer, worker.timers.cancel(timer) {
                Message.drop(message)
            }
        }
    }
}

/// Between a task's wait and its cancellation handler.
private final class NodePlace: @unchecked Sendable {
    // For the thread of the worker that holds the timer.
    var timer: (TimerToken, Runnable)?
    var hasEnded = false

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
}
