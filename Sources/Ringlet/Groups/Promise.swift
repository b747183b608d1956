import Synchronization

/// An outcome that somebody will provide, once: asyncio's `Future`, gevent's `AsyncResult`.
///
/// It belongs to no scheduler: fibers, tasks and plain threads complete it and wait for it. What reads but must not
/// complete it is given ``future``.
public final class Promise<Success: Sendable>: Sendable {
    /// Written once, under the lock, before the end is announced.
    private let state = Mutex<Outcome<Success>?>(nil)
    private let end = WaitQueue()

    public init() {}

    // MARK: Completing

    /// Provides the value. Any thread.
    ///
    /// - Throws: ``PromiseError/completedTwice``.
    public func succeed(_ value: Success) throws { try complete(.success(value)) }

    /// Provides an error. Any thread.
    ///
    /// - Throws: ``PromiseError/completedTwice``.
    public func fail(_ error: any Error) throws { try complete(Outcome(failure: error)) }

    /// Provides the outcome. Any thread.
    ///
    /// - Throws: ``PromiseError/completedTwice``.
    public func complete(_ outcome: Outcome<Success>) throws {
        if !completeIfOpen(outcome) { throw PromiseError.completedTwice }
    }

    /// Provides the outcome, unless there is one. Any thread.
    ///
    /// - Returns: False when there is one.
    @discardableResult
    public func completeIfOpen(_ outcome: Outcome<Success>) -> Bool {
        let isFirst = state.withLock { state in
            if state != nil { return false }
            state = outcome
            return true
        }
        if isFirst { end.complete() }
        return isFirst
    }

    /// Gives the promise the outcome ``Outcome/cancelled``, unless it has one. Who was to provide it learns so when it
    /// tries. Any thread.
    ///
    /// - Returns: False when it has one.
    @discardableResult
    public func cancel() -> Bool { completeIfOpen(.cancelled) }

    // MARK: Reading

    /// Nil as long as there is none. Any thread.
    public var outcome: Outcome<Success>? { end.isComplete ? state.withLock { $0 } : nil }

    /// The value that is there.
    ///
    /// - Throws: What the promise failed with; `CancellationError` when it was cancelled; ``PromiseError/notCompleted``.
    public func currentValue() throws -> Success {
        guard let outcome else { throw PromiseError.notCompleted }
        return try outcome.get()
    }

    /// Waits for the outcome and returns the value. In a fiber or on a plain thread.
    ///
    /// - Throws: What the promise failed with; `CancellationError` when it, or the waiting fiber, was cancelled;
    ///   ``TimeoutError``.
    @available(*, noasync, message: "in a task, await promise.value()")
    public func value(deadline: Deadline = .never) throws -> Success {
        try wait(deadline: deadline)
        return try currentValue()
    }

    /// Waits for the outcome and returns the value. In a task.
    ///
    /// - Throws: As the other form.
    public func value(deadline: Deadline = .never) async throws -> Success {
        try await wait(deadline: deadline)
        return try currentValue()
    }

    /// The part of the promise that only reads.
    public var future: Future<Success> { Future(promise: self) }
}

extension Promise: QueuedEnd {
    @available(*, noasync, message: "in a task, await promise.wait()")
    public func wait(deadline: Deadline) throws {
        if end.isComplete { return }
        try wait("promise.wait()", deadline: deadline) { end.add($0) }.orThrow(deadline)
    }

    public func wait(deadline: Deadline) async throws {
        if end.isComplete { return }
        try await wait(deadline: deadline) { end.add($0) }.orThrow(deadline)
    }

    func withdraw(_ node: WaitNode) -> Bool { end.withdraw(node) }
    func addToEnd(_ node: WaitNode) -> Bool { end.add(node) }
    var endWorker: Worker { CurrentThread.worker ?? BackgroundScheduler.worker }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription(WaitDescription.name("promise", self))
    }
}

/// The reading part of a ``Promise``.
public struct Future<Success: Sendable>: Sendable {
    fileprivate let promise: Promise<Success>

    /// Nil as long as there is none. Any thread.
    public var outcome: Outcome<Success>? { promise.outcome }

    /// Waits for the outcome and returns the value; see the promise's form. In a fiber or on a plain thread.
    @available(*, noasync, message: "in a task, await future.value()")
    public func value(deadline: Deadline = .never) throws -> Success {
        try promise.value(deadline: deadline)
    }

    /// Waits for the outcome and returns the value; see the promise's form. In a task.
    public func value(deadline: Deadline = .never) async throws -> Success {
        try await promise.value(deadline: deadline)
    }
}

/// A call that does not fit the state of a ``Promise``.
public enum PromiseError: Error, Hashable, CustomStringConvertible {
    /// It has an outcome already, or was cancelled.
    case completedTwice
    /// It has no outcome yet.
    case notCompleted

    public var description: String {
        switch self {
        case .completedTwice: "the promise has an outcome already"
        case .notCompleted: "the promise has no outcome yet"
        }
    }
}
