/// Something that happens once, whoever waits for it. Any thread.
final class Event: WaitSource {
    private let queue = WaitQueue()

    /// Wakes every waiter.
    func happen() { queue.complete() }

    func withdraw(_ node: WaitNode) -> Bool { queue.withdraw(node) }

    /// From a fiber.
    func wait(_ fiber: FiberRef, deadline: Deadline) -> Completion {
        fiber.wait(in: self, deadline: deadline) { queue.add($0) }
    }

    /// From a task.
    func wait(deadline: Deadline) async -> Completion {
        await wait(deadline: deadline) { queue.add($0) }
    }
}
