/// Everything waits for something that can no longer happen: no fiber or job can run, no operation is in flight and no
/// timer is set that somebody is to wait for.
///
/// Thrown instead of an endless wait by a run whose scheduler has ``SchedulerOptions/detectsDeadlocks``, and by a
/// simulation of the testing kit, which knows by itself that no other thread and no device is left to wake anybody. The
/// main body has been cancelled by then and has ended; what was left behind by it is cancelled with the scheduler.
public struct DeadlockError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Who waited on what, where it was spawned, and where its code stood.
    ///
    /// A task that waits for something that is not Ringlet's is not among them: only Swift's runtime knows of it.
    public let snapshot: SchedulerSnapshot

    init(_ snapshot: SchedulerSnapshot) {
        self.snapshot = snapshot
    }

    /// Fibers that wait for each other in a circle, as in ``AwaitGraph/cycles``. There are deadlocks without one: a
    /// channel that nobody sends to.
    public var cycles: [[UInt64]] { snapshot.awaitGraph.cycles }

    /// A headline, the fibers as a spawn tree, and the cycles.
    public var description: String {
        let graph = snapshot.awaitGraph
        let cycles = graph.cycles.map { "\n\(graph.describe($0))" }.joined()
        let nobody = snapshot.fibers.isEmpty && snapshot.tasks.isEmpty ? "\n  a task that waits for another" : ""
        return "deadlock: what is waited for can no longer happen\n\(snapshot)\(nobody)\(cycles)"
    }
}
