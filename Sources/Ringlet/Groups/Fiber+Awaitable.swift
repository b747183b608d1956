// MARK: - The outcome of a fiber

extension Fiber: Awaitable {
    /// Waits for the end, whatever it is. In a fiber or on a plain thread.
    ///
    /// - Throws: `CancellationError` when the *waiting* fiber is cancelled; ``TimeoutError``; `Errno.deadlock` when a
    ///   fiber waits for itself.
    @available(*, noasync, message: "in a task, await fiber.wait()")
    public func wait(deadline: Deadline) throws {
        if isFinished { return }
        try waitForEnd(deadline: deadline).orThrow(deadline)
    }

    /// Waits for the end, whatever it is. In a task.
    ///
    /// - Throws: `CancellationError` when the *waiting* task is cancelled; ``TimeoutError``.
    public func wait(deadline: Deadline) async throws {
        if isFinished { return }
        try await waitForEnd(deadline: deadline).orThrow(deadline)
    }
}

extension Fiber: QueuedEnd {
    func addToEnd(_ node: WaitNode) -> Bool { end.add(node) }
    var endWorker: Worker { worker }
}

// MARK: - Later

extension Fiber {
    /// Starts a fiber whose body begins at `deadline`; gevent's `spawn_later`.
    ///
    /// One that is cancelled before then ends at once, and its body never runs. Traps outside a scheduler.
    @discardableResult
    public convenience init(
        at deadline: Deadline, name: String? = nil, priority: TaskPriority? = nil, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () throws -> Success
    ) {
        self.init(name: name, priority: priority, locals: locals, fileID: fileID, line: line) {
            try Fiber<Never>.sleep(until: deadline)
            return try operation()
        }
    }
}
