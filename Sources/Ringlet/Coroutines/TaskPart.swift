import CContext
import Synchronization

/// A task that runs a part of a fiber, or of another task, which waits for it: code in it belongs to that strand.
///
/// It is bound as a task-local in the task. Children that the part makes inherit the binding, and are strangers all the
/// same.
final class TaskPart: Sendable {
    @TaskLocal private static var current: TaskPart?

    private let whole: UInt
    /// The task while it runs the part, then 0: its address may be another's later. Written by the task, read by whoever
    /// has inherited this.
    private let task = Atomic<UInt>(0)

    /// - Parameter whole: The ``CurrentThread/strand`` that it is a part of.
    init(of whole: UInt) { self.whole = whole }

    /// Runs the part in the current task.
    func run<Result>(_ body: () async throws -> Result) async rethrows -> Result {
        task.store(unsafe UInt(bitPattern: cctx_host_current_task()), ordering: .relaxed)
        defer { task.store(0, ordering: .relaxed) }
        return try await Self.$current.withValue(self) { try await body() }
    }

    /// The strand that the current task, which is `task`, belongs to.
    static func strand(of task: UnsafeMutableRawPointer) -> UInt {
        let own = UInt(bitPattern: task)
        guard let part = current, part.task.load(ordering: .relaxed) == own else { return own }
        return part.whole
    }
}
