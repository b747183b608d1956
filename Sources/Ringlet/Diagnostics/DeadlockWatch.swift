import Synchronization

/// Looks for the state in which nothing can happen any more, in a scheduler whose options promise that nothing comes
/// from outside.
///
/// A worker that is about to sleep is *stuck* when it is quiet (``Worker/isQuiet``) and no fiber or task of it waits for
/// what no worker does. When all are so at the same time (``QuietMark/allAreQuiet(_:_:)``), nobody can wake anybody.
/// Whoever marks itself last finds it, and a thread of its own finds out who waits for what.
final class DeadlockWatch: Sendable {
    private enum Stage {
        /// No run is under way.
        case off
        /// One is, and this is its main body.
        case running(any MainBody)
        /// A thread is at work on the run of this main body.
        case gathering(any MainBody)
        /// The same, when the scheduler is shutting down.
        case gatheringInShutdown
        /// The main body of a run that is in a deadlock has been cancelled.
        case cancelled(any MainBody)
        /// Even the shutdown does not help, and stderr was told.
        case hopeless
    }

    private struct State {
        var stage = Stage.off
        /// Of the run under way.
        var found: DeadlockError?

        /// Not any more when the run is over, and perhaps another one under way, for which another thread is at work.
        func isGathering(for main: any MainBody) -> Bool {
            if case .gathering(let current) = stage { current === main } else { false }
        }
    }

    private let state = Mutex(State())

    /// From now on a deadlock ends `main`, which has been started. The caller then wakes all workers, so that each looks
    /// at itself anew.
    func begin(_ main: any MainBody) {
        state.withLock { $0 = State(stage: .running(main)) }
    }

    /// The run is over. What was found in it, if anything was.
    func end() -> DeadlockError? {
        state.withLock { state in
            if case .hopeless = state.stage { return state.found }
            state.stage = .off
            defer { state.found = nil }
            return state.found
        }
    }

    /// Marks `worker`, on its thread, which is about to sleep; it takes the mark back when it wakes. False when it is not
    /// stuck.
    func look(at worker: Worker) -> Bool {
        guard worker.isQuiet, !worker.waitsForOthers else { return false }
        worker.stuck.begin()
        // Who waits for idleness is about to be told, once the others have marked themselves for that as well.
        let isTold = worker.shared.idleness.isWanted
        if !isTold && QuietMark.allAreQuiet(worker.shared.workers, { $0.stuck.value }) {
            allAreStuck(worker.shared, worker)
        }
        return true
    }

    private func allAreStuck(_ shared: SchedulerState, _ last: Worker) {
        let action: (@Sendable () -> Void)? = state.withLock { state in
            // Once more, now that the stage stands still: what has cancelled a main body since has woken somebody first.
            guard QuietMark.allAreQuiet(shared.workers, { $0.stuck.value }) else { return nil }
            switch state.stage {
            case .off, .running, .cancelled:
                if last.isShuttingDown {
                    // What is left may wait for a task.
                    guard last.refusesTasks else {
                        return { for worker in shared.workers { worker.perform { $0.endTasks() } } }
                    }
                    state.stage = .gatheringInShutdown
                    return { self.gatherInShutdown(shared) }
                }
            case .gathering, .gatheringInShutdown, .hopeless:
                return nil
            }
            switch state.stage {
            case .running(let main) where !main.isFinished:
                state.stage = .gathering(main)
                return { self.gather(shared, main) }
            case .cancelled(let main) where !main.isFinished:
                // It waits, shielded, for something that is not cancelled yet.
                state.stage = .off
                return { shared.scheduler?.cancelEverything() }
            case .off, .running, .cancelled, .gathering, .gatheringInShutdown, .hopeless:
                return nil
            }
        }
        // On a thread of its own: asking the workers wakes them, and this is one of them.
        if let action { WorkerThread.runAside { action() } }
    }

    private func gather(_ shared: SchedulerState, _ main: any MainBody) {
        let snapshot = Scheduler.snapshot(of: shared.workers)
        let isDeadlock = state.withLock { state in
            // Else something came from outside after all, or the run was stopped.
            guard state.isGathering(for: main), !snapshot.canGoOn, !main.isFinished else { return false }
            state.found = DeadlockError(snapshot)
            return true
        }
        if isDeadlock { main.endEarly() }
        state.withLock { state in
            // The run may be over by now.
            if state.isGathering(for: main) { state.stage = isDeadlock ? .cancelled(main) : .running(main) }
        }
        shared.wakeAll()
    }

    private func gatherInShutdown(_ shared: SchedulerState) {
        let snapshot = Scheduler.snapshot(of: shared.workers)
        let isHopeless = !snapshot.canGoOn && snapshot.workers.contains { $0.state == .shuttingDown }
            && snapshot.workers.allSatisfy { $0.state == .shuttingDown || $0.state == .ended }
        state.withLock { $0.stage = isHopeless ? .hopeless : .off }
        if isHopeless {
            StandardError.say(
                "ringlet: the scheduler does not end, because what is left cannot be cancelled: \(DeadlockError(snapshot))")
        }
    }
}

extension SchedulerSnapshot {
    /// Something is about to happen without anybody's help. A worker that has not answered yet is no longer asleep, and
    /// what waits on it is not known.
    var canGoOn: Bool {
        workers.contains { $0.state == .blocked } || fibers.contains { $0.wait?.endsByItself ?? true } || tasks.contains { $0.wait.endsByItself }
    }
}

extension WaitSnapshot {
    fileprivate var endsByItself: Bool {
        holdsScheduler && (kind.isElsewhere || kind == .operation || kind == .task || deadline != nil)
    }
}

extension WaitSnapshot.Kind {
    /// What ends the wait is no worker of the scheduler.
    fileprivate var isElsewhere: Bool { self == .thread || self == .process }
}

extension Worker {
    /// True when a fiber or task waits for what no worker does: code in its task, a thread or a process. O(fibers + tasks).
    fileprivate var waitsForOthers: Bool {
        if taskNodes.waiting.contains(where: { $0.waitsElsewhere }) { return true }
        var next = liveFibers
        while let fiber = next {
            if fiber.waitsForOthers { return true }
            next = fiber.nextLive
        }
        return false
    }
}

extension FiberRef {
    fileprivate var waitsForOthers: Bool {
        switch wait.kind {
        case .none: withOwner { $0.shown } != nil
        case .node: WaitNode.named(by: UInt(wait.token)).waitsElsewhere
        case .operation, .timer: false
        }
    }
}

extension WaitNode {
    /// In between two waits too: then it is about to go on.
    fileprivate var waitsElsewhere: Bool { awaited.map { $0.kind.isElsewhere } ?? true }
}
