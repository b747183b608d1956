/// What a shutdown left behind when its deadline passed; empty otherwise.
public struct ShutdownReport: Sendable, Hashable {
    /// Fibers that have not ended.
    public var fibers = 0

    /// Asynchronous generators whose bodies have not ended: their clean-up waits for something that no cancellation
    /// ends.
    public var generators = 0

    /// Workers whose thread has not ended.
    public var stuckWorkers = 0

    /// What each of these workers waits for, in order of their indices.
    public var workers: [Worker] = []

    /// One worker that has not ended.
    public struct Worker: Sendable, Hashable {
        /// Its position among the scheduler's workers.
        public var index: Int

        /// True when the worker did not answer: a fiber or a task on it computes, or blocks its thread in a call
        /// that Ringlet does not know. What it holds cannot be told then, and the rest is empty.
        public var isBlocked = true

        /// Operations that the kernel has not ended.
        public var operations = 0

        /// Fibers that have begun and not ended: at most ``mostNames`` of them, as in their descriptions.
        /// They ignore their cancellation, or are in a part without.
        public var fibers: [String] = []

        /// More fibers than these are not named.
        public static let mostNames = 16
    }
}

extension ShutdownReport: CustomStringConvertible {
    public var description: String {
        if self == ShutdownReport() { return "nothing was left" }
        let details = workers.map { "; \($0)" }.joined()
        let bodies = generators == 0 ? "" : "\(generators) generators, "
        return "\(bodies)\(fibers) fibers and \(stuckWorkers) workers were left\(details)"
    }
}

extension ShutdownReport.Worker: CustomStringConvertible {
    public var description: String {
        if isBlocked { return "worker \(index) does not answer" }
        let names = fibers.isEmpty ? "no fiber" : fibers.joined(separator: ", ")
        return "worker \(index) has \(operations) operations and \(names)"
    }
}
