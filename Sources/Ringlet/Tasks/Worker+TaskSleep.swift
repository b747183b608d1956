/// Sleeps of tasks by `Scheduler.sleep`: one timer each, whose word names the task.
extension Worker {
    /// Suspends the current task, wherever it runs, until `deadline` or its cancellation.
    func sleep(until deadline: Deadline, holds: Bool) async -> Completion {
        if canPark(isolation: #isolation) {
            if refusesTasks { return .cancelled(.shutdown) }
            let timer = startSleep(of: .parkedTask(.current), until: deadline, holds: holds)
            return await TaskHost.wait(.timer, timer.bits, of: self)
        }
        return await sleepByContinuation(until: deadline, holds: holds)
    }

    private func sleepByContinuation(until deadline: Deadline, holds: Bool) async -> Completion {
        let cell = WaitCell()
        return await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { continuation in
                let handover = unsafe Handover(continuation: continuation)
                perform { worker in
                    let waiter = unsafe Waiter.task(handover.continuation)
                    if cell.isCancelled || worker.refusesTasks {
                        _ = waiter.resume(with: .cancelled(.user))
                        return
                    }
                    let timer = worker.startSleep(of: waiter, until: deadline, holds: holds)
                    if !cell.begin(timer.bits) { worker.endSleep(timer, reason: .user) }
                }
            }
        } onCancel: {
            if let bits = cell.cancel() {
                perform { $0.endSleep(TimerToken(bits: bits), reason: .user) }
            }
        }
    }

    private func startSleep(of task: Waiter, until deadline: Deadline, holds: Bool) -> TimerToken {
        timers.insert(deadline: deadline.nanoseconds, payload: Runnable(sleepOf: task).word, holds: holds)
    }

    /// Ends a sleep early, unless it is over. On the worker's thread.
    func endSleep(_ timer: TimerToken, reason: CancelReason) {
        if let word = timers.take(timer) { wake(Runnable(word: word), with: .cancelled(reason)) }
    }

    /// Continues the task that `sleep` names; its timer is gone.
    func wake(_ sleep: Runnable, with completion: Completion) {
        if let job = Waiter(ofSleep: sleep).resume(with: completion) { ready.push(job) }
    }

    /// Ends every sleep of a task, as a shutdown does with operations.
    func endSleeps() {
        let sleeps = timers.tokens { Runnable(word: $0).isTaskSleep }
        for timer in sleeps { endSleep(timer, reason: .shutdown) }
    }
}

extension Runnable {
    fileprivate init(sleepOf task: Waiter) {
        switch task {
        case .parkedTask(let task):
            self.init(address: task.address, kind: .sleepingTask)
        case .task(let continuation):
            self.init(
                address: unsafe unsafeBitCast(continuation, to: UInt.self),
                kind: .sleepingContinuation)
        case .fiber, .closing, .writer, .watcher, .none:
            preconditionFailure("only a task sleeps like this")
        }
    }

    fileprivate var isTaskSleep: Bool { kind == .sleepingTask || kind == .sleepingContinuation }
}

extension Waiter {
    fileprivate init(ofSleep sleep: Runnable) {
        if sleep.kind == .sleepingTask {
            self = .parkedTask(ParkedTask(address: sleep.address))
        } else {
            self = unsafe .task(
                unsafeBitCast(sleep.address, to: UnsafeContinuation<Completion, Never>.self))
        }
    }
}
