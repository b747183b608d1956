import Synchronization

/// Beginning, shutting down and ending of a worker. All on the worker's thread, except
/// ``destroy()`` and ``runStragglers()``.
extension Worker {
    /// Makes the calling thread the worker's.
    func begin() throws {
        try attach()
        do {
            try FiberHost.prepare(self)
        } catch {
            end()
            throw error
        }
    }

    /// Runs turns until `isDone`, or until the shutdown has drained everything.
    func run(until isDone: () -> Bool) {
        while true {
            work()
            if isShuttingDown && !refusesTasks && shared.fiberCount == 0 { endTasks() }
            if isDone() || isShuttingDown && isDrained { return }
            rest()
        }
    }

    private var isDrained: Bool {
        if Fork.isChild { Self.returnedInChild() }
        return shared.fiberCount == 0 && refusesTasks && operations.activeCount == 0 && ready.isEmpty && inbox.isEmpty
            && !ring.hasBacklog
    }

    /// Cancels every fiber of this worker. One that begins later is cancelled as it begins.
    ///
    /// - Parameter limit: What tasks wait for goes on until all fibers of the scheduler have ended, because a fiber may
    ///   await them in its clean-up; or until this.
    func beginShutdown(tasksUntil limit: Deadline) {
        guard !isShuttingDown else { return }
        isShuttingDown = true
        var fiber = liveFibers
        while let current = fiber {
            // Read before: cancelling may make it run, but not here.
            fiber = current.nextLive
            current.owner.cancel()
        }
        for token in operations.tokens(where: { $0.waiter.endsFirst }) { cancel(token, reason: .shutdown) }
        dropCallbacks()
        if shared.fiberCount > 0 {
            // Who looks for deadlocks need not wait for it.
            let alarm = Alarm(on: self, holds: shared.deadlocks == nil) { self.endTasks() }
            taskLimit = alarm
            alarm.set(at: limit)
        }
    }

    /// Ends whatever a task waits for here, and everything that it is going to: Swift's tasks are not the scheduler's to
    /// cancel.
    func endTasks() {
        guard !refusesTasks else { return }
        refusesTasks = true
        taskLimit?.cancel()
        taskLimit = nil
        // Operations of fibers ended with these, with respect to shielded parts.
        for token in operations.tokens(where: { !$0.isShielded && $0.waiter.endsWithTasks }) {
            cancel(token, reason: .shutdown)
        }
        endSleeps()
        endTaskWaits()
    }

    /// Takes back the wake-up and gives up the thread. Nothing may be in flight any more.
    func end() {
        isEnding = true
        WorkerRegistry.remove(self)
        anchor.end()
        for kind in [UserDataKind.wake, .mainQueue] {
            submitUnawaited(.cancel(userData: kind.userData))
        }
        while internalOperations > 0 {
            if ring.hasBacklog { ring.submitBacklog() }
            enter(wait: !ring.hasBacklog, timeout: -1)
            harvest()
        }
        // Nobody has contended for them yet. From here on others push to a closed worker, but wait for this.
        stragglersAreTaken.store(true, ordering: .sequentiallyConsistent)
        closed.store(true, ordering: .sequentiallyConsistent)
        repeat {
            _ = inbox.drain(into: &ready)
            while let runnable = ready.pop() { runStraggler(runnable) }
            // A message that is dropped may make something ready.
            handOverTimers()
        } while !ready.isEmpty
        endIdleTasks()
        leave()
        showCounters()
        destroy()
        stragglersAreTaken.store(false, ordering: .sequentiallyConsistent)
        runStragglers()
        shared.kernel.simulation?.workerEnded()
    }

    /// The calling thread is a plain one again.
    func leave() {
        if isSimulated { VirtualClock.release() }
        CurrentThread.leave()
    }

    /// Frees what the worker holds; it has ended or never begun. Any thread. The wake-up descriptor
    /// stays: a producer may be about to signal it.
    func destroy() {
        if isDestroyed { return }
        isDestroyed = true
        // For one that never began: what is pushed from now on is dealt with by who pushes it.
        closed.store(true, ordering: .sequentiallyConsistent)
        ring.destroy()
        stacksLeft = stacks.statistics.inUse
        stacks.destroy()
        shared.workerEnded()
    }

    // MARK: Stragglers

    /// Deals with what was pushed after the worker ended: a task that outlives its scheduler still runs,
    /// on the default executor's threads. Any thread.
    ///
    /// Returns at once when another thread is at it, or this one further up: whoever is looks again after it has
    /// given way, and either sees the push or is seen to have given way. Both first write, then fence, then read.
    func runStragglers() {
        while true {
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            if inbox.isEmpty || stragglersAreTaken.exchange(true, ordering: .sequentiallyConsistent) {
                return
            }
            var queue = RunQueue()
            _ = inbox.drain(into: &queue)
            while let runnable = queue.pop() { runStraggler(runnable) }
            // What they have set here nobody would look at.
            handOverTimers()
            stragglersAreTaken.store(false, ordering: .sequentiallyConsistent)
        }
    }

    /// Sleeps and deadlines of tasks that outlive the scheduler go on elsewhere.
    private func handOverTimers() {
        while true {
            let deadline = timers.nextDeadline()
            if deadline == .max { return }
            guard let word = timers.popDue(now: deadline) else { continue }
            let runnable = Runnable(word: word)
            switch runnable.kind {
            case .scheduledJob:
                Task.detached {
                    let now = LinuxThread.now()
                    if deadline > now {
                        try? await Task.sleep(for: .nanoseconds(Int64(clamping: deadline - now)))
                    }
                    self.runScheduledJob(runnable)
                }
            case .timedMessage:
                BackgroundScheduler.worker.perform {
                    _ = $0.timers.insert(deadline: deadline, payload: runnable.word)
                }
            case .repeatedCancel:
                // Nothing of this worker is in flight any more.
                Message.drop(runnable)
            case .nodeDeadline:
                // Of a task whose job is on its way: the shutdown has ended its wait.
                break
            case .callback:
                Callback.drop(runnable)
            default:
                preconditionFailure("a worker ends after its fibers and operations")
            }
        }
    }

    private func runStraggler(_ runnable: Runnable) {
        switch runnable.kind {
        case .job, .actorJob, .scheduledJob:
            Task.detached {
                switch runnable.kind {
                case .job: self.runJobElsewhere(runnable)
                case .actorJob: self.runActorJob(runnable)
                default: self.runScheduledJob(runnable)
                }
            }
        case .newFiber:
            FiberHost.begin(runnable, on: self)
        case .message, .timedMessage:
            Message.deliver(runnable, to: self)
        case .callback:
            Callback.drop(runnable)
        case .fiber, .operationDeadline, .sleepingFiber, .sleepingTask, .sleepingContinuation,
            .nodeDeadline, .repeatedCancel:
            preconditionFailure("a worker ends after its fibers")
        }
    }
}
