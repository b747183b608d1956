/// Waits of plain threads in the child of a fork(2), for what other threads of the child do: the waits of
/// Operations/Wait.swift refuse there, since nearly everything is done by threads that stayed in the parent.
extension WaitQueue {
    /// Blocks the thread until the event or the deadline.
    func blockInChild(in source: any WaitSource, deadline: Deadline) -> Completion {
        let parker = ThreadParker()
        defer { parker.deallocate() }
        let node = WaitNode(.thread(parker), in: source)
        guard add(node), !parker.park(until: deadline.nanoseconds) else { return Completion(0) }
        if source.withdraw(node) { return .cancelled(.deadline) }
        // Woken at the last moment: the waker is about to touch the parker.
        _ = parker.park(until: .max)
        return Completion(0)
    }
}

/// Something that happens once, and for which the child of a fork can wait as well. Any thread.
final class Occurrence: WaitSource {
    private let queue = WaitQueue()

    // For snapshots.
    private let what: StaticString
    private let kind: WaitSnapshot.Kind

    init(_ what: StaticString, _ kind: WaitSnapshot.Kind = .synchronization) {
        self.what = what
        self.kind = kind
    }

    /// Wakes every waiter.
    func happen() { queue.complete() }

    func withdraw(_ node: WaitNode) -> Bool { queue.withdraw(node) }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription("\(what)", kind)
    }

    /// From a fiber or a plain thread.
    func wait(_ call: StaticString, deadline: Deadline, isShielded: Bool = false) -> Completion {
        if Fork.isChild { return queue.blockInChild(in: self, deadline: deadline) }
        return wait(call, deadline: deadline, isShielded: isShielded) { queue.add($0) }
    }

    /// From a task.
    func wait(deadline: Deadline) async -> Completion {
        await wait(deadline: deadline) { queue.add($0) }
    }
}
