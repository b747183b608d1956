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
        let worker = try Worker.forCurrentTask
        let place = TaskScopePlace(scope: self, outer: Self.innermost)
        let child = Self.$innermost.withValue(place) {
            unsafe ApartTask<Result>(of: Unchecked(value: { try await body(self) }))
        }
        do {
            try enter(.task(child.task), timerOf: worker)
        } catch {
            child.task.cancel()
            _ = await child.outcome
            throw error
        }
        // It may have been cancelled before.
        if isCancelled { child.task.cancel() }
        let outcome = await withTaskCancellationHandler {
            await child.outcome
        } onCancel: {
            child.task.cancel()
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

    /// Whether a scope further out is about to be cancelled.
    var isOverdueOutside: Bool {
        var place = outer
        while let current = place {
            if current.scope.isOverdue { return true }
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
    let child = CancelScope.$innermost.withValue(nil) {
        unsafe ApartTask<Result>(of: Unchecked(value: body))
    }
    return try await child.outcome.get()
}

/// A task that runs a part of the calling one, which waits for it and touches nothing meanwhile: so what the part
/// refers to need not be `Sendable`.
private final class ApartTask<Success>: @unchecked Sendable {
    // Written by the task; read after its end.
    private var result: Result<Success, any Error>?
    // Written once, by the maker.
    private(set) var task = Task<Void, Never> {}

    init(of body: Unchecked<() async throws -> Success>) {
        task = Task(executorPreference: CurrentThread.worker) {
            do {
                self.result = .success(try await unsafe body.value())
            } catch {
                self.result = .failure(error)
            }
        }
    }

    var outcome: Result<Success, any Error> {
        get async {
            await task.value
            return result!
        }
    }
}
