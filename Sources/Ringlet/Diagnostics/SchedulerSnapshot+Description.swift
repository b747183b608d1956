extension SchedulerSnapshot: CustomStringConvertible {
    /// The workers, then the fibers as a tree of who spawned whom, each with what it waits for and its calls, then the
    /// tasks.
    public var description: String {
        var lines = workers.map { "\($0)" }
        var children: [UInt64: [FiberSnapshot]] = [:]
        var roots: [FiberSnapshot] = []
        for fiber in fibers {
            if let parent = fiber.parentID, self.fiber(parent) != nil {
                children[parent, default: []].append(fiber)
            } else {
                roots.append(fiber)
            }
        }
        // A stack of its own: a chain of spawns may be long.
        var rest = roots.reversed().map { ($0, 1) }
        while let (fiber, depth) = rest.popLast() {
            let indent = String(repeating: "  ", count: depth)
            lines.append("\(indent)\(fiber)")
            lines += fiber.ownCalls.map { "\(indent)    \($0)" }
            rest += (children[fiber.id] ?? []).reversed().map { ($0, depth + 1) }
        }
        lines += tasks.map { "  \($0)" }
        return lines.joined(separator: "\n")
    }
}

extension WorkerSnapshot: CustomStringConvertible {
    public var description: String {
        switch state {
        case .blocked: return "worker \(index) does not come round"
        case .ended: return "worker \(index) has ended"
        case .running, .shuttingDown: break
        }
        let stale = staleCompletions > 0 ? ", \(staleCompletions) stale completions" : ""
        return """
            worker \(index): turn \(turns), \(ready) ready, \(operations) operations, \(timers) timers, \
            \(pendingSubmissions) submissions pending\(stale)\
            \(state == .shuttingDown ? ", shutting down" : "")
            """
    }
}

extension FiberSnapshot: CustomStringConvertible {
    /// Its label, what it does, and where it was spawned; without the backtrace.
    public var description: String {
        let parent = parentID.map { ", spawned by fiber \($0)" } ?? ""
        let site = spawnSite.map { "\(parent.isEmpty ? ", spawned" : "") at \($0)" } ?? ""
        return "\(label) on worker \(worker)\(isCancelled ? ", cancelled" : ""): \(state)\(parent)\(site)"
    }

    /// As ``AnyFiber/description``.
    public var label: String { AnyFiber.label(id, name) }

    /// The calls without those of the library at both ends, which are the same for all.
    var ownCalls: [CoroutineFrame] {
        let own = backtrace.drop(while: \.isOfLibrary)
        let last = own.lastIndex { !$0.isOfLibrary && !$0.isGlue } ?? own.startIndex - 1
        return last < own.startIndex ? [] : Array(own[own.startIndex...last])
    }
}

extension CoroutineFrame {
    /// Made by the compiler: it adapts one call to another.
    fileprivate var isGlue: Bool {
        function.map { $0.hasPrefix("reabstraction thunk") || $0.hasPrefix("partial apply forwarder") } ?? false
    }
}

extension FiberSnapshot.State: CustomStringConvertible {
    public var description: String {
        switch self {
        case .new: "not begun"
        case .ready: "ready"
        case .running: "running"
        case .waiting(let wait): "waits for \(wait)"
        }
    }
}

extension TaskSnapshot: CustomStringConvertible {
    public var description: String {
        let who =
            switch kind {
            case .task: "a task"
            case .sleep: "a Task.sleep"
            case .close: "a close"
            case .writer: "a buffered writer"
            case .watcher: "a watcher"
            case .callback: "a callback"
            }
        let site = site.map { ", asked for at \($0)" } ?? ""
        return "\(who) on worker \(worker): waits for \(wait)\(site)"
    }
}

extension WaitSnapshot: CustomStringConvertible {
    public var description: String {
        var text = what
        if let descriptor {
            text += " on descriptor \(descriptor)" + (place.map { " (\($0))" } ?? "")
        }
        if let remaining { text += ", \(remaining.inMilliseconds) ms left" }
        return isCancelling ? text + ", being cancelled" : text
    }
}

extension Duration {
    var inMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
