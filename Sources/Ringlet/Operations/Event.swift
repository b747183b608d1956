/// Something that happens once, whoever waits for it. Any thread.
final class Event: WaitSource {
    private let queue = WaitQueue()

    /// Wakes every waiter.
    func happen() { queue.complete() }

    func withdraw(_ node: WaitNode) -> Bool { queue.withdraw(node) }

    /// From a fiber.
    func wait(_ fiber: FiberRef, deadline: Deadline) -> Completion {
        queue.wait(fiber, in: self, deadline: deadline)
    }

    /// From a task.
    func wait(deadline: Deadline) async -> Completion {
        guard let worker = try? Worker.forCurrentTask else { return .cancelled(.fork) }
        return await queue.wait(in: self, deadline: deadline, timerOf: worker)
    }
}
