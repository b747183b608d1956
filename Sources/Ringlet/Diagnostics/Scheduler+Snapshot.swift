extension Scheduler {
    /// What every worker, fiber and task of the scheduler is doing.
    ///
    /// Each worker describes itself in its next turn, in O(fibers + operations + timers). The functions' names are looked
    /// up afterwards, on the calling thread, which takes milliseconds for each function that was not seen before.
    ///
    /// Blocks the calling thread until all workers have answered. Called on a worker, that one answers at once, and
    /// its thread waits for the others.
    ///
    /// - Parameters:
    ///   - deadline: A worker that does not come round until then is said to be ``WorkerSnapshot/State/blocked``; nil
    ///     is two seconds from now.
    ///   - backtraces: Whether the stacks of suspended fibers are walked.
    /// - Returns: Nothing at all in the child of a fork.
    public func snapshot(deadline: Deadline? = nil, backtraces: Bool = true) -> SchedulerSnapshot {
        Self.snapshot(of: workers, deadline: deadline, backtraces: backtraces)
    }

    static func snapshot(
        of workers: [Worker], deadline: Deadline? = nil, backtraces: Bool = true
    ) -> SchedulerSnapshot {
        var snapshot = SchedulerSnapshot()
        if Fork.isChild { return snapshot }
        let deadline = deadline ?? .after(.seconds(2))
        let questions = workers.map { worker in
            let answer = WorkerAnswer<WorkerReport>()
            worker.perform { answer.give($0.report(backtraces: backtraces)) }
            return (worker.index, answer)
        }
        let reports = questions.map { ($0, $1.wait(until: deadline)) }
        var finishing = SnapshotFinishing()
        for case (_, let report?) in reports { finishing.learn(report.fibers) }
        for (index, report) in reports {
            guard let report else {
                snapshot.workers.append(WorkerSnapshot(index: index))
                continue
            }
            snapshot.add(report, &finishing)
        }
        snapshot.fibers.sort { $0.id < $1.id }
        return snapshot
    }
}

extension SchedulerSnapshot {
    /// Of the one worker of a simulation, on its thread.
    init(_ report: WorkerReport) {
        var finishing = SnapshotFinishing()
        finishing.learn(report.fibers)
        add(report, &finishing)
        fibers.sort { $0.id < $1.id }
    }

    fileprivate mutating func add(_ report: WorkerReport, _ finishing: inout SnapshotFinishing) {
        workers.append(report.worker)
        fibers += report.fibers.map { finishing.finish($0) }
        tasks += report.tasks.map { finishing.finish($0) }
    }
}

extension Scheduler {
    /// The snapshots of all schedulers of the process that run, as text. Any thread; blocks it until all workers have
    /// answered.
    ///
    /// - Parameter deadline: As in ``snapshot(deadline:backtraces:)``.
    public static func dumpAll(deadline: Deadline? = nil) -> String {
        if Fork.isChild { return "the child of a fork has no scheduler" }
        let workers = WorkerRegistry.workers
        var schedulers: [ObjectIdentifier: [Worker]] = [:]
        for worker in workers { schedulers[ObjectIdentifier(worker.shared), default: []].append(worker) }
        let deadline = deadline ?? .after(.seconds(2))
        let texts = schedulers.values.map { workers in
            "\(snapshot(of: workers.sorted { $0.index < $1.index }, deadline: deadline))"
        }
        let headline = "ringlet: \(texts.count) scheduler\(texts.count == 1 ? "" : "s") in process"
        return ([headline] + texts).joined(separator: "\n")
    }
}

/// What a worker has left to the thread that asked, because it takes long or needs the other workers: names of functions,
/// what descriptors lead to, which fibers hold locks.
private struct SnapshotFinishing {
    private var places: [Int32: String?] = [:]
    /// Fibers by their strands, with their labels.
    private var strands: [UInt: (id: UInt64, label: String)] = [:]
    private let now = Deadline.now

    /// More holders than these are only counted.
    private static let mostHolders = 3

    mutating func learn(_ reports: [WorkerReport.Fiber]) {
        for report in reports {
            if let strand = report.strand { strands[strand] = (report.fiber.id, report.fiber.label) }
        }
    }

    mutating func finish(_ report: WorkerReport.Fiber) -> FiberSnapshot {
        var fiber = report.fiber
        if case .waiting(let wait) = fiber.state { fiber.state = .waiting(finish(wait, report.holders)) }
        fiber.backtrace = report.addresses.map(CoroutineFrame.init(at:))
        return fiber
    }

    mutating func finish(_ report: WorkerReport.Task) -> TaskSnapshot {
        var task = report.task
        task.wait = finish(task.wait, report.holders)
        return task
    }

    private mutating func finish(_ report: WaitSnapshot, _ holders: [WaitHolder]) -> WaitSnapshot {
        var wait = report
        if !holders.isEmpty {
            let known = holders.map { $0.strand.flatMap { strands[$0] } }
            wait.fibers += known.compactMap(\.?.id)
            let labels = zip(holders, known).prefix(Self.mostHolders).map { $1?.label ?? $0.description }
            let others = holders.count > labels.count ? " and \(holders.count - labels.count) more" : ""
            wait.what += ", held by \(labels.joined(separator: ", "))\(others)"
        }
        if let deadline = wait.deadline {
            let left = deadline > now ? deadline.nanoseconds - now.nanoseconds : 0
            wait.remaining = .nanoseconds(Int64(clamping: left))
        }
        if let descriptor = wait.descriptor {
            if places[descriptor] == nil { places[descriptor] = DescriptorPlace.name(of: descriptor) }
            wait.place = places[descriptor] ?? nil
        }
        return wait
    }
}
