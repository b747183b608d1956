// MARK: - Bodies that await

extension Fiber where Success: Sendable {
    /// Starts a fiber whose body awaits, on the worker of the calling fiber or task: a task that the scheduler owns;
    /// asyncio's `create_task`.
    ///
    ///     let poll = Fiber(name: "poll") { try await poll(server) }
    ///
    /// The body is a part of the fiber's own Swift task, as in ``await(_:)``, and waits as any task does. Beside a `Task`
    /// it has what fibers have: ``outcome``, links, a ``AnyFiber/spawnSite``; a join with a deadline; a place
    /// in `wait(for:)`, `asCompleted` and the scheduler's snapshot; a failure that nobody sees is reported; and the end
    /// of the scheduler cancels it and waits for it. It holds the stack of a fiber while it runs, so millions at once are
    /// better tasks of a `withGroup`. Cancelled before it begins, the body never runs.
    ///
    /// Traps outside a scheduler; from a plain thread use `scheduler.spawn`.
    ///
    /// - Parameters:
    ///   - name: Part of crash reports and dumps, and the name of the task.
    ///   - priority: The priority of the task; nil inherits the current one.
    ///   - locals: The task-locals that the body begins with.
    ///   - fileID: The file of the ``AnyFiber/spawnSite``.
    ///   - line: The line in it.
    ///   - operation: The body. What it throws is rethrown by `join(deadline:)`.
    @discardableResult
    public convenience init(
        name: String? = nil, priority: TaskPriority? = nil, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () async throws -> Success
    ) {
        self.init(name: name, StartTerms(priority, locals), at: PackedSite(fileID, line)) {
            try Fiber<Never>.await(operation)
        }
    }
}

extension Scheduler {
    /// Starts a fiber whose body awaits: a task that this scheduler owns. Called on one of the workers, it runs there;
    /// otherwise workers take turns. Any thread.
    ///
    /// After ``shutdown(deadline:)`` the fiber ends with `CancellationError` before it begins.
    @discardableResult
    public func spawn<Success: Sendable>(
        name: String? = nil, priority: TaskPriority? = nil, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () async throws -> Success
    ) -> Fiber<Success> {
        spawn(name: name, StartTerms(priority, locals), at: PackedSite(fileID, line)) {
            try Fiber<Never>.await(operation)
        }
    }

    /// Starts a fiber whose body awaits on the worker with the given index, which must be less than ``workerCount``.
    @discardableResult
    public func spawn<Success: Sendable>(
        onWorker index: Int, name: String? = nil, priority: TaskPriority? = nil, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () async throws -> Success
    ) -> Fiber<Success> {
        spawn(onWorker: index, name: name, priority: priority, locals: locals, fileID: fileID, line: line) {
            try Fiber<Never>.await(operation)
        }
    }
}
