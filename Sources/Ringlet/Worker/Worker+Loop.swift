import SystemPackage

/// The order of events. One turn: timers, completions, injected work, ready queue, one enter.
extension Worker {
    /// How much of the ready queue one turn may run. A storm of yields delays timers and I/O by no
    /// more than this.
    private static let turnItems = 256
    private static let turnNanoseconds: UInt64 = 100_000
    /// The clock is read once per this many items.
    private static let itemsPerClock = 16
    /// Completions and due timers per turn.
    private static let harvestLimit: UInt32 = 256
    private static let timerLimit = 1024

    /// Makes the calling thread this worker's: enables the ring and arms the wake-up.
    func attach() throws {
        try CurrentThread.enter(self)
        shared.kernel.simulation?.clock.govern()
        do {
            try ring.enable()
        } catch {
            leave()
            throw error
        }
        WorkerRegistry.add(self)
        anchor.begin(index: index)
        if shared.watchdog != nil { anchor.admitSamples() }
        armWake()
        if index == 0 && LinuxThread.isMain { armMainQueue() }
    }

    /// The first part of a turn: everything that can be done without the kernel.
    func work() {
        counters.turns &+= 1
        let settled = submittedSettling
        // Still to be looked at while the kernel has not taken all of them.
        if settled == settling.count { mustSettle = false }
        if !callbacks.isEmpty { beginPass() }
        if timers.count > 0 { fireTimers() }
        harvest()
        if settled > 0 { settle(settled) }
        _ = inbox.drain(into: &ready)
        runReady()
        if ring.hasBacklog { ring.submitBacklog() }
        showCounters()
    }

    /// Where other threads read them.
    func showCounters() {
        counters.submissions &+= UInt64(
            ring.filled &- UInt32(truncatingIfNeeded: counters.submissions))
        meter.show(self)
    }

    /// The second part: one enter, which submits and, when there is nothing to run, waits.
    func rest() {
        // What the backlog holds may be what a completion depends on, so with one there is no wait.
        if ready.isEmpty && inbox.isEmpty && !ring.hasBacklog && !mustSettle && callbacks.isEmpty {
            waitForCompletions()
        } else if ring.pending > 0 || ring.needsEnter {
            enter(wait: false, timeout: -1)
        }
    }

    private func runReady() {
        if isSimulated { return runRound() }
        // What becomes ready meanwhile runs in the same turn, as far as the budget goes: two that hand control to
        // each other need not pay for a turn each time.
        if let debug = shared.debug {
            return runReady(
                timedBy: debug, limit: Self.turnItems, nanoseconds: Self.turnNanoseconds)
        }
        var remaining = Self.turnItems
        var started: UInt64 = 0
        while true {
            for _ in 0..<Self.itemsPerClock {
                guard let runnable = ready.pop() else { return }
                run(runnable)
            }
            remaining &-= Self.itemsPerClock
            if remaining <= 0 { return }
            let now = LinuxThread.now()
            if started == 0 {
                started = now
            } else if now &- started > Self.turnNanoseconds {
                return
            }
        }
    }

    @inline(__always)
    func run(_ runnable: Runnable) {
        // The common case first, without the table of jumps.
        if runnable.isFiber {
            counters.fiberResumes &+= 1
            FiberHost.resume(FiberRef(address: runnable.address), on: self)
            return
        }
        switch runnable.kind {
        case .job:
            counters.jobs &+= 1
            runJob(runnable)
        case .actorJob:
            counters.jobs &+= 1
            runActorJob(runnable)
        case .scheduledJob:
            counters.jobs &+= 1
            runScheduledJob(runnable)
        case .newFiber:
            FiberHost.begin(runnable, on: self)
        case .message, .timedMessage:
            Message.deliver(runnable, to: self)
        case .callback:
            Callback.run(runnable, on: self)
        case .fiber:
            preconditionFailure("looked at above")
        case .operationDeadline, .sleepingFiber, .sleepingTask, .sleepingContinuation,
            .nodeDeadline, .repeatedCancel:
            preconditionFailure("a timer's word is never queued")
        }
    }

    // MARK: Waiting

    private func waitForCompletions() {
        // No enter when completions are visible and nothing has to be submitted.
        if ring.hasCompletions {
            if ring.pending > 0 { enter(wait: false, timeout: -1) }
            return
        }
        let deadline = timers.count > 0 ? timers.nextDeadline() : .max
        var timeout: Int64 = -1
        if deadline != .max {
            let now = LinuxThread.now()
            if deadline <= now {
                if ring.pending > 0 || ring.needsEnter { enter(wait: false, timeout: -1) }
                return
            }
            timeout = Int64(clamping: deadline &- now)
        }
        let isWatched = shared.idleness.isWanted && isQuiet
        if isWatched && shared.idleness.becameQuiet(self) { return }
        let isStuck = shared.deadlocks?.look(at: self) ?? false
        if inbox.park() {
            meter.fallsAsleep()
            enter(wait: true, timeout: timeout)
            meter.wakesUp()
            inbox.unpark()
        }
        if isWatched { quiet.end() }
        if isStuck { stuck.end() }
    }

    /// The one call into the kernel.
    @inline(__always)
    func enter(wait: Bool, timeout: Int64) {
        let result = ring.enter(wait: wait, timeout: timeout)
        if result < 0 { entered(withError: Errno(rawValue: -result)) }
    }

    @inline(never)
    private func entered(withError error: Errno) {
        switch error {
        // A signal, the timeout, or the kernel short of room: the loop comes round again.
        case .interrupted, Errno(rawValue: 62) /* ETIME */, .resourceBusy, .resourceTemporarilyUnavailable:
            break
        case .deadlock where isSimulated:
            nothingCanHappen()
        default:
            // EBADR (5.19): the kernel had no memory left to keep a completion. What waits for it
            // would wait for ever, and its buffer is not ours to free.
            fatalError("io_uring_enter failed with \(error): completions are lost")
        }
    }

    // MARK: Completions

    func harvest() {
        let count = ring.harvest(limit: Self.harvestLimit) { userData, result, flags in
            if UserDataKind.isOperation(userData) {
                complete(OperationToken(userData: userData), result: result)
            } else {
                completeInternal(userData, result, flags)
            }
        }
        counters.completions &+= UInt64(count)
    }

    @inline(never)
    private func completeInternal(_ userData: UInt64, _ result: Int32, _ flags: UInt32) {
        switch UserDataKind(of: userData) {
        case .wake:
            if !isEnding { counters.wakeUps &+= 1 }
            if flags & Ring.more != 0 {
                // One completion is counted for each submission, and this one is not the last of its own.
                counters.completions &-= 1
                return
            }
            internalOperations &-= 1
            armWake()
        case .mainQueue:
            internalOperations &-= 1
            serveMainQueue()
        case .cancel:
            cancelAnswered(userData, result: result)
        case .operation, .ignored:
            break
        }
    }

    @inline(__always)
    func complete(_ token: OperationToken, result: Int32) {
        guard let (waiter, reason, timer) = operations.complete(token) else { return }
        if timer != .none { _ = timers.cancel(timer) }
        let completion = Completion(result, reason)
        if let fiber = waiter.fiber {
            fiber.deliver(completion)
            ready.push(Runnable(fiber))
        } else if let task = waiter.parkedTask {
            ready.push(task.deliver(completion))
        } else if let job = Self.resume(waiter, with: completion) {
            ready.push(job)
        }
    }

    /// Not inlined: its table of jumps would come before the looks above.
    @inline(never)
    private static func resume(_ waiter: PackedWaiter, with completion: Completion) -> Runnable? {
        waiter.waiter.resume(with: completion)
    }

    private func armWake() {
        if isEnding { return }
        internalOperations &+= 1
        let descriptor = inbox.wake.descriptor
        // Each signal of an eventfd is told to who polls it, whether somebody reads it or not. So nobody does, and one
        // submission serves all wake-ups.
        ring.submit(
            ring.canPollRepeatedly
                ? .pollReadableRepeatedly(descriptor)
                : .read(descriptor, into: wakeBuffer.address, count: 8, at: nil),
            userData: UserDataKind.wake.userData, reserved: 0)
    }

    private func armMainQueue() {
        guard !isEnding, let descriptor = LinuxThread.mainQueueDescriptor else { return }
        internalOperations &+= 1
        ring.submit(.pollReadable(descriptor), userData: UserDataKind.mainQueue.userData, reserved: 0)
    }

    private func serveMainQueue() {
        if isEnding { return }
        // Deferred: it runs user code, which may submit, and this is the middle of a harvest.
        ready.push(
            Message.runnable { worker in
                LinuxThread.runMainQueue()
                worker.armMainQueue()
            })
    }

    // MARK: Timers

    private func fireTimers() {
        let now = LinuxThread.now()
        // What is made ready long before it runs falls out of the caches again.
        var remaining = max(Self.timerLimit &- ready.count, Self.turnItems)
        while remaining > 0, let word = timers.popDue(now: now) {
            fire(Runnable(word: word))
            remaining -= 1
        }
    }

    private func fire(_ due: Runnable) {
        switch due.kind {
        case .sleepingFiber:
            let fiber = FiberRef(address: due.address)
            fiber.deliver(Completion(0))
            ready.push(Runnable(fiber))
        case .sleepingTask, .sleepingContinuation:
            wake(due, with: Completion(0))
        case .operationDeadline:
            cancel(due.operation, reason: .deadline)
        case .nodeDeadline:
            WaitNode.named(by: due.address).interrupt(.deadline)
        case .repeatedCancel:
            Message.deliver(due, to: self)
        case .callback:
            Callback.isDue(due)
            ready.push(due)
        case .job, .actorJob, .scheduledJob, .newFiber, .fiber, .message, .timedMessage:
            ready.push(due)
        }
    }
}
