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
            if refusesTasks { return .cancelled(.shutdown) }
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
        if cell.isCancelled || refusesTasks || isEnding {
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
