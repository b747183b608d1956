@_spi(Testing)
extension Scheduler {
    /// Who waits on what, worker by worker: for whoever finds that nothing goes on.
    ///
    /// Each worker describes itself in its next turn. One that does not come round until `deadline` is said to be
    /// stuck, in the code of a fiber or task, or in the kernel. Blocks a plain thread; O(fibers + operations).
    public func dump(deadline: Deadline = .after(.seconds(2))) -> String {
        workers.map { worker in
            let answer = WorkerAnswer<String>()
            worker.perform { answer.give($0.dump) }
            return answer.wait(until: deadline) ?? "worker \(worker.index): does not come round"
        }.joined(separator: "\n")
    }

    /// What is left on a worker that has ended; nothing but the count, unless something is wrong.
    public struct Remains: Sendable, Hashable {
        /// Operations whose terminal completion has not come.
        public var operations = 0
        /// Completions of operations that had ended already.
        public var staleCompletions: UInt64 = 0
        /// Fibers whose stack has not ended.
        public var hasFibers = false
        /// Stacks that were in use when they were given back to the system.
        public var stacks = 0
    }

    /// What is left on each worker. After ``shutdown(deadline:)`` or ``run(_:_:)-(_,()->Success)``; as long as workers run,
    /// only they may look.
    public var remains: [Remains] {
        precondition(state.isShuttingDown, "a scheduler that runs has no remains")
        return workers.map {
            Remains(
                operations: $0.operations.activeCount, staleCompletions: $0.operations.staleCount,
                hasFibers: $0.liveFibers != nil, stacks: $0.stacksLeft)
        }
    }
}

extension Worker {
    /// On the worker's thread, or once it has ended.
    var dump: String {
        var ofFibers: [UInt: String] = [:]
        var ofTasks: [String] = []
        operations.forEach { slot in
            switch slot.waiter {
            case .fiber(let fiber): ofFibers[fiber.address] = slot.wait
            case .task, .parkedTask: ofTasks.append("a task: \(slot.wait)")
            case .closing: ofTasks.append("a close: \(slot.wait)")
            case .writer: ofTasks.append("a buffered writer: \(slot.wait)")
            case .watcher: ofTasks.append("a watcher: \(slot.wait)")
            case .none: break
            }
        }
        var lines = [
            """
            worker \(index): turn \(counters.turns), \(ready.count) ready, \
            \(inbox.isEmpty ? "nothing" : "something") injected, \(operations.activeCount) operations, \
            \(timers.count) timers, \(ring.pending) submissions pending\
            \(ring.hasBacklog ? " and a backlog" : ""), \(operations.staleCount) stale completions\
            \(isShuttingDown ? ", shutting down" : "")
            """
        ]
        var next = liveFibers
        while let fiber = next {
            let cancelled = fiber.isCancelled ? ", cancelled" : ""
            lines.append(
                "  \(fiber.owner)\(cancelled): \(ofFibers[fiber.address] ?? fiber.waitOutsideKernel)"
            )
            next = fiber.nextLive
        }
        return (lines + ofTasks.map { "  \($0)" }).joined(separator: "\n")
    }
}

extension OperationTable.Slot {
    var wait: String {
        let place = descriptor < 0 ? "without a descriptor" : "on descriptor \(descriptor)"
        return "an operation \(place)"
            + (state == .cancelling ? ", to be cancelled: \(reason)" : "")
    }
}

extension FiberRef {
    var waitOutsideKernel: String {
        switch wait.kind {
        case .none: "ready, or running"
        case .operation: "an operation that has ended"
        case .timer: "a timer"
        case .node: WaitNode.source(named: wait.token)?.whatIsAwaited ?? "about to run"
        }
    }
}

extension WaitSource {
    fileprivate var whatIsAwaited: String {
        switch self {
        case let fiber as AnyFiber: "the end of \(fiber)"
        case let descriptor as Descriptor: "the end of what uses descriptor \(descriptor.raw)"
        default: "somebody else"
        }
    }
}
