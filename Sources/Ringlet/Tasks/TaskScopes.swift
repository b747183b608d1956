import Synchronization

// MARK: - Cancel scopes of tasks

extension CancelScope {
    /// The innermost scope of this task.
    @TaskLocal fileprivate static var innermost: TaskScopePlace?

    /// Runs `body` in the scope, in a child task.
    ///
    /// - Returns: What `body` returns; nil when it ended with `CancellationError` because this scope was cancelled,
    ///   and nothing further out was.
    /// - Throws: What `body` throws otherwise; ``CancelScopeError/enteredTwice``.
    @discardableResult
    public func run<Result>(_ body: @escaping (CancelScope) async throws -> Result) async throws
        -> Result?
    {
        try await run(asBodyOf: nil, body)
    }

    /// Runs `body`, which is that of `group`.
    func run<Result>(
        asBodyOf group: Group?, _ body: @escaping (CancelScope) async throws -> Result
    ) async throws -> Result? {
        let worker = try Worker.forCurrentTask
        let place = TaskScopePlace(scope: self, outer: Self.innermost)
        let child = unsafe ApartTask<Result>(of: Unchecked(value: { try await body(self) }))
        // First this: what runs in the scope may ask for another deadline at once.
        try enter(.task(child), timerOf: worker)
        // It may have been cancelled before.
        if isCancelled { child.cancel() }
        Self.$innermost.withValue(place) { child.start() }
        let outcome = await withTaskCancellationHandler {
            await child.outcome
        } onCancel: {
            child.cancel()
            group?.openerWasCancelled()
        }
        leave()
        do {
            return try outcome.get()
        } catch {
            if absorbs(error, isCutOutside: Task.isCancelled || place.isOverdueOutside) { return nil }
            throw error
        }
    }
}

/// One scope among those that a task is in, innermost first.
private final class TaskScopePlace: Sendable {
    let scope: CancelScope
    let outer: TaskScopePlace?

    init(scope: CancelScope, outer: TaskScopePlace?) {
        self.scope = scope
        self.outer = outer
    }

    /// Whether a scope further out is about to be cancelled. A task that was made in one, and outlives it or is none of
    /// its children, inherits the place all the same; and a scope that has cancelled its task says no more than that.
    var isOverdueOutside: Bool {
        var place = outer
        while let current = place {
            if current.scope.isAboutToExpire { return true }
            place = current.outer
        }
        return false
    }
}

/// Runs `body` so that its waits are not cut short by what is cancelled outside: for clean-up that must finish. In a
/// task.
///
/// The body runs in a child task, which the calling task waits for, cancelled or not. Nests. A ``CancelScope`` that is
/// entered inside works as always.
@discardableResult
public func withoutCancellation<Result>(_ body: @escaping () async throws -> Result) async throws
    -> Result
{
    let child = unsafe ApartTask<Result>(of: Unchecked(value: body))
    CancelScope.$innermost.withValue(nil) { child.start() }
    return try await child.outcome.get()
}

/// A task that can be cancelled before it is started.
class TaskHandle: @unchecked Sendable {
    private struct State {
        var task: Task<Void, Never>?
        var isCancelled = false
    }

    private let state = Mutex(State())

    /// Any thread.
    final func cancel() {
        let task = state.withLock { state in
            state.isCancelled = true
            return state.task
        }
        task?.cancel()
    }

    /// Once, by the maker.
    fileprivate final func hasStarted(_ task: Task<Void, Never>) {
        let isCancelled = state.withLock { state in
            state.task = task
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    /// The first thing that the task does, perhaps before its maker goes on: what was cancelled before the start is
    /// cancelled here.
    fileprivate final func begins() {
        if isCancelled { unsafe withUnsafeCurrentTask { unsafe $0?.cancel() } }
    }

    final var isCancelled: Bool { state.withLock { $0.isCancelled } }

    fileprivate final var task: Task<Void, Never>? { state.withLock { $0.task } }
}

/// A task that runs a part of the calling one, which waits for it and touches nothing meanwhile: so what the part
/// refers to need not be `Sendable`.
@safe
private final class ApartTask<Success>: TaskHandle, @unchecked Sendable {
    // Written before the start; taken by the task.
    private var body: Unchecked<() async throws -> Success>?
    // Written by the task; read after its end.
    private var result: Result<Success, any Error>?

    init(of body: Unchecked<() async throws -> Success>) { unsafe self.body = body }

    func start() {
        let part = TaskPart(of: CurrentThread.strand)
        hasStarted(Task(executorPreference: CurrentThread.worker) { await self.run(as: part) })
    }

    @concurrent
    private func run(as part: TaskPart) async {
        guard let body = unsafe body else { return }
        begins()
        unsafe self.body = nil
        do {
            result = .success(try await part.run { try await unsafe body.value() })
        } catch {
            result = .failure(error)
        }
    }

    /// After the start.
    var outcome: Result<Success, any Error> {
        get async {
            await task?.value
            return result!
        }
    }
}
