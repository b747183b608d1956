/// What a worker says of itself, for a snapshot. Plain values, gathered quickly: the worker does nothing else meanwhile.
struct WorkerReport: Sendable {
    struct Fiber: Sendable {
        var fiber: FiberSnapshot
        /// As ``CurrentThread/strand``; nil before it begins.
        var strand: UInt?
        var addresses: [UInt] = []
        /// Who has what it waits for.
        var holders: [WaitHolder] = []
    }

    struct Task: Sendable {
        var task: TaskSnapshot
        var holders: [WaitHolder] = []
    }

    var worker: WorkerSnapshot
    var fibers: [Fiber] = []
    var tasks: [Task] = []
}

extension Worker {
    /// More calls than these of one stack are not shown.
    private static let mostCalls = 128

    /// On the worker's thread, or once it has ended.
    func report(backtraces: Bool) -> WorkerReport {
        var report = WorkerReport(worker: WorkerSnapshot(index: index, state: .ended))
        if isDestroyed { return report }
        // What other threads have made ready is not lost from sight.
        _ = inbox.drain(into: &ready)
        report.worker = figures
        let waits = Waits(of: self)
        ready.forEach { runnable in
            if runnable.kind == .newFiber, let fiber = FiberHost.fiber(toBegin: runnable).shown {
                report.fibers.append(WorkerReport.Fiber(fiber: fiber.snapshot(.new)))
            }
        }
        var next = liveFibers
        while let fiber = next {
            next = fiber.nextLive
            guard let owner = fiber.withOwner({ $0.shown }) else { continue }
            let (state, holders) = waits.state(of: fiber)
            var snapshot = owner.snapshot(state)
            snapshot.isC = owner is CFiber
            let isWalked = backtraces && state != .running
            report.fibers.append(
                WorkerReport.Fiber(
                    fiber: snapshot, strand: fiber.strand,
                    addresses: isWalked ? fiber.returnAddresses(limit: Self.mostCalls) : [], holders: holders))
        }
        report.tasks = waits.ofTasks
        return report
    }

    private var figures: WorkerSnapshot {
        var figures = WorkerSnapshot(index: index, state: isShuttingDown ? .shuttingDown : .running)
        figures.turns = counters.turns
        figures.ready = ready.count
        ready.forEach { if $0.isJob { figures.jobs += 1 } }
        figures.operations = operations.activeCount
        figures.timers = timers.count
        figures.pendingSubmissions = Int(ring.pending)
        figures.staleCompletions = operations.staleCount
        return figures
    }
}

/// Who waits for what on a worker, by the tables that it keeps for other reasons.
private struct Waits {
    /// Of fibers, in operations and sleeps.
    private var waits: [UInt: WaitSnapshot] = [:]
    private var ready: Set<UInt> = []
    /// Deadlines of waits in queues that are not the kernel's.
    private var deadlines: [UInt: Deadline] = [:]
    private let worker: Worker
    private(set) var ofTasks: [WorkerReport.Task] = []

    init(of worker: Worker) {
        self.worker = worker
        var ready: Set<UInt> = []
        worker.ready.forEach { if $0.isFiber { ready.insert($0.address) } }
        self.ready = ready
        lookAtOperations()
        lookAtTimers()
        for node in worker.taskNodes.waiting {
            if let (wait, holders) = wait(in: node) { add(.task, wait, holders: holders) }
        }
    }

    private mutating func lookAtOperations() {
        var found: [(Waiter, WaitSnapshot)] = []
        worker.operations.forEach { slot in
            var wait = WaitSnapshot(kind: .operation, what: slot.operation)
            wait.descriptor = slot.descriptor >= 0 ? slot.descriptor : nil
            wait.deadline = worker.timers.deadline(of: slot.timer).map(Deadline.init(nanoseconds:))
            wait.isCancelling = slot.state == .cancelling
            found.append((slot.waiter, wait))
        }
        for (waiter, wait) in found {
            switch waiter {
            case .fiber(let fiber): waits[fiber.address] = wait
            case .task, .parkedTask: add(.task, wait)
            case .closing: add(.close, wait)
            case .writer: add(.writer, wait)
            case .watcher:
                var wait = wait
                wait.holdsScheduler = waiter.watcher?.holdsScheduler ?? true
                add(.watcher, wait, waiter.watcher?.site)
            case .none: break
            }
        }
    }

    private mutating func lookAtTimers() {
        var found: [(Runnable, WaitSnapshot)] = []
        worker.timers.forEach { deadline, payload, isIdle in
            var wait = WaitSnapshot(kind: .timer, what: "a timer")
            wait.deadline = deadline == .max ? nil : Deadline(nanoseconds: deadline)
            wait.holdsScheduler = !isIdle || deadline == .max
            found.append((Runnable(word: payload), wait))
        }
        for (due, wait) in found {
            switch due.kind {
            case .sleepingFiber: waits[due.address] = wait
            case .nodeDeadline: deadlines[due.address] = wait.deadline
            case .sleepingTask, .sleepingContinuation: add(.task, wait)
            case .scheduledJob: add(.sleep, wait)
            case .callback: add(.callback, wait, Callback.named(by: due).site)
            default: break
            }
        }
    }

    private mutating func add(
        _ kind: TaskSnapshot.Kind, _ wait: WaitSnapshot, _ site: PackedSite? = nil, holders: [WaitHolder] = []
    ) {
        let task = TaskSnapshot(kind: kind, worker: worker.index, site: site.flatMap(CallSite.init), wait: wait)
        ofTasks.append(WorkerReport.Task(task: task, holders: holders))
    }

    func state(of fiber: FiberRef) -> (FiberSnapshot.State, [WaitHolder]) {
        if FiberRef.current == fiber { return (.running, []) }
        if ready.contains(fiber.address) { return (.ready, []) }
        let found: (WaitSnapshot, [WaitHolder])? =
            switch fiber.wait.kind {
            case .operation, .timer: waits[fiber.address].map { ($0, []) }
            case .node: wait(in: WaitNode.named(by: UInt(fiber.wait.token)))
            case .none: fiber.awaitsInPlace ? (WaitSnapshot(kind: .task, what: "code of its task"), []) : nil
            }
        return found.map { (.waiting($0.0), $0.1) } ?? (.ready, [])
    }

    private func wait(in node: WaitNode) -> (WaitSnapshot, [WaitHolder])? {
        guard let awaited = node.awaited else { return nil }
        var wait = WaitSnapshot(kind: awaited.kind, what: awaited.what)
        wait.deadline = deadlines[node.address]
        wait.fibers = awaited.fibers
        return (wait, awaited.holders)
    }
}

extension AnyFiber {
    fileprivate func snapshot(_ state: FiberSnapshot.State) -> FiberSnapshot {
        FiberSnapshot(
            id: id, name: name, parentID: parentID, spawnSite: spawnSite, worker: worker.index,
            state: state, isCancelled: isCancelled)
    }
}

extension OperationTable.Slot {
    fileprivate var operation: String {
        KernelOperation(opcode: opcode).map(\.rawValue) ?? "operation \(opcode)"
    }
}

extension Runnable {
    fileprivate var isJob: Bool { kind == .job || kind == .actorJob || kind == .scheduledJob }
}
