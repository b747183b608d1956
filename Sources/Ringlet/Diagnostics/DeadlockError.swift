/// Everything waits for something that can no longer happen.
///
/// A simulation of the testing kit throws it: there it is certain that no other thread, no device and no timer is left to
/// wake anybody.
public struct DeadlockError: Error, Hashable, Sendable {
    /// One that waits.
    public struct Wait: Hashable, Sendable {
        /// The fiber's id; nil for a task.
        public var fiber: UInt64?
        /// The fiber's name, if it has one.
        public var name: String?
        /// What it waits for, in words.
        public var reason: String
    }

    /// Who waits, fibers in order of their creation, then operations of tasks. A task that waits for anything else is
    /// not among them: only Swift's runtime knows of it.
    public var waits: [Wait]

    public init(waits: [Wait]) {
        self.waits = waits
    }
}

extension DeadlockError: CustomStringConvertible {
    public var description: String {
        let lines = waits.map { "\n  \($0)" }.joined()
        return "nothing can happen any more, and this still waits:" + (lines.isEmpty ? "\n  a task" : lines)
    }
}

extension DeadlockError.Wait: CustomStringConvertible {
    public var description: String {
        guard let fiber else { return "a task: \(reason)" }
        return (name.map { "fiber \(fiber) '\($0)'" } ?? "fiber \(fiber)") + ": \(reason)"
    }
}

extension Worker {
    /// Who waits on this worker, for what. On its thread.
    var waits: [DeadlockError.Wait] {
        var ofFibers: [UInt: String] = [:]
        var ofTasks: [DeadlockError.Wait] = []
        operations.forEach { slot in
            switch slot.waiter {
            case .fiber(let fiber): ofFibers[fiber.address] = slot.wait
            case .task, .parkedTask: ofTasks.append(DeadlockError.Wait(reason: slot.wait))
            case .closing, .writer, .watcher, .none: break
            }
        }
        var waits: [DeadlockError.Wait] = []
        var next = liveFibers
        while let fiber = next {
            let reason = ofFibers[fiber.address] ?? fiber.waitOutsideKernel
            waits.append(DeadlockError.Wait(fiber: fiber.owner.id, name: fiber.owner.name, reason: reason))
            next = fiber.nextLive
        }
        return waits.sorted { $0.fiber ?? 0 < $1.fiber ?? 0 } + ofTasks
    }
}
