// MARK: - Starting children

extension Group {
    /// Starts a fiber in the group: on the worker that this is called on, or on the group's.
    ///
    /// In a group that is ending early the fiber ends before it begins.
    ///
    /// - Throws: ``GroupUseError/hasEnded``.
    @discardableResult
    public func spawn<Success>(
        name: String? = nil, priority: TaskPriority? = nil, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        _ body: sending @escaping () throws -> Success
    ) throws -> Fiber<Success> {
        let fiber = Fiber(
            name: name, on: CurrentThread.worker ?? worker, site: PackedSite(fileID, line), operation: body)
        try begin(fiber, StartTerms(priority, locals))
        return fiber
    }

    /// Starts a fiber in the group, on the worker of its scheduler with the given index.
    ///
    /// - Throws: ``GroupUseError/hasEnded``.
    @discardableResult
    public func spawn<Success>(
        onWorker index: Int, name: String? = nil, priority: TaskPriority? = nil, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        _ body: sending @escaping () throws -> Success
    ) throws -> Fiber<Success> {
        let workers = worker.shared.workers
        precondition(workers.indices.contains(index), "there is no worker \(index)")
        let fiber = Fiber(name: name, on: workers[index], site: PackedSite(fileID, line), operation: body)
        try begin(fiber, StartTerms(priority, locals))
        return fiber
    }

    /// Starts a fiber that was made for the group.
    func begin(_ fiber: Fiber<some Any>, _ terms: StartTerms = StartTerms()) throws {
        let (place, isCancelled) = try reserve(for: fiber)
        fiber.joins(self, at: place)
        if isCancelled { fiber.cancel() }
        fiber.start(terms)
    }

    /// Starts a task in the group: on the worker that this is called on, or on the group's.
    ///
    /// In a group that is ending early the body never runs.
    ///
    /// - Throws: ``GroupUseError/hasEnded``.
    @discardableResult
    public func spawn<Success: Sendable>(
        name: String? = nil, priority: TaskPriority? = nil,
        _ body: sending @escaping () async throws -> Success
    ) throws -> Task<Success, any Error> {
        try begin(name: name, priority: priority, evenCancelled: false, body)
    }

    /// - Parameter evenCancelled: The body is told of a cancellation before its beginning.
    private func begin<Success: Sendable>(
        name: String?, priority: TaskPriority?, evenCancelled: Bool,
        _ body: sending @escaping () async throws -> Success
    ) throws -> Task<Success, any Error> {
        let (place, isCancelled) = try reserve(for: nil)
        let task = Task(name: name, executorPreference: CurrentThread.worker ?? worker, priority: priority) {
            do {
                // Its maker, on another thread, may not have come to it yet.
                if isCancelled { CurrentThread.cancelTask() }
                if !evenCancelled { try Task.checkCancellation() }
                let value = try await body()
                self.childEnded(place, nil)
                return value
            } catch {
                self.childEnded(place, error)
                throw error
            }
        }
        fill(place, with: TaskChild(task))
        return task
    }

    // MARK: And waiting until they are ready

    /// Starts a fiber in the group and waits until it says that it is ready, by giving `ready` a value; trio's
    /// `nursery.start`. In a fiber.
    ///
    /// - Returns: The value.
    /// - Throws: What the child threw before that, which is then no failure of the group;
    ///   ``GroupUseError/endedBeforeReady``; `CancellationError`, with the child cancelled.
    @available(*, noasync, message: "in a task, await group.start")
    public func start<Value: Sendable>(
        name: String? = nil, priority: TaskPriority? = nil, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: sending @escaping (_ ready: Promise<Value>) throws -> Void
    ) throws -> Value {
        let ready = Promise<Value>()
        let child = try spawn(name: name, priority: priority, fileID: fileID, line: line) {
            try ready.settled { try body(ready) }
        }
        // One whose body never ran: it was cancelled before, or there was no stack for it.
        child.onEnd { child in
            do { try child.outcome?.get() } catch { ready.completeIfOpen(Outcome(failure: error)) }
        }
        do {
            return try ready.value()
        } catch {
            child.cancel()
            throw error
        }
    }

    /// Starts a task in the group and waits until it says that it is ready. In a task; as the form for fibers.
    public func start<Value: Sendable>(
        name: String? = nil, priority: TaskPriority? = nil,
        _ body: sending @escaping (_ ready: Promise<Value>) async throws -> Void
    ) async throws -> Value {
        let ready = Promise<Value>()
        let child = try begin(name: name, priority: priority, evenCancelled: true) {
            try await ready.settled {
                try Task.checkCancellation()
                try await body(ready)
            }
        }
        do {
            return try await ready.value()
        } catch {
            child.cancel()
            throw error
        }
    }
}

extension Promise {
    /// Runs the body of a child that is to complete this promise. What it throws before goes to who waits there.
    fileprivate func settled(_ body: () throws -> Void) throws {
        do {
            try body()
            completeIfOpen(.failure(GroupUseError.endedBeforeReady))
        } catch {
            if !completeIfOpen(Outcome(failure: error)) { throw error }
        }
    }

    fileprivate func settled(_ body: () async throws -> Void) async throws {
        do {
            try await body()
            completeIfOpen(.failure(GroupUseError.endedBeforeReady))
        } catch {
            if !completeIfOpen(Outcome(failure: error)) { throw error }
        }
    }
}

// MARK: - Kinds of children

extension AnyFiber: GroupChild {
    func endEarly() { cancel() }
}

private final class TaskChild<Success: Sendable>: GroupChild {
    private let task: Task<Success, any Error>

    init(_ task: Task<Success, any Error>) { self.task = task }

    func endEarly() { task.cancel() }
}
