/// Everything waits for something that can no longer happen: no fiber or job can run, no operation is in flight and no
/// timer is set.
///
/// A simulation of the testing kit throws it: there it is certain that no other thread and no device is left to wake
/// anybody. The main body and all fibers have been cancelled by then.
public struct DeadlockError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Who waited on what, where it was spawned, and where its code stood.
    ///
    /// A task that waits for something that is not Ringlet's is not among them: only Swift's runtime knows of it.
    public let snapshot: SchedulerSnapshot

    init(_ snapshot: SchedulerSnapshot) {
        self.snapshot = snapshot
    }

    /// A headline, and the fibers as a spawn tree.
    public var description: String {
        let nobody = snapshot.fibers.isEmpty && snapshot.tasks.isEmpty ? "\n  a task that waits for another" : ""
        return "deadlock: what is waited for can no longer happen\n\(snapshot)\(nobody)"
    }
}
