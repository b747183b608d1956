/// How a fiber, a promise or a task of a group ended.
///
/// Being cancelled is an outcome of its own: neither a value nor a failure.
public enum Outcome<Success> {
    /// It returned.
    case success(Success)
    /// It threw something else than `CancellationError`.
    case failure(any Error)
    /// It ended because it was cancelled, or before it began.
    case cancelled

    init(failure error: any Error) {
        self = error is CancellationError ? .cancelled : .failure(error)
    }

    /// The value.
    ///
    /// - Throws: The error; `CancellationError` for ``cancelled``.
    public func get() throws -> Success {
        switch self {
        case .success(let value): value
        case .failure(let error): throw error
        case .cancelled: throw CancellationError()
        }
    }

    /// The error of a ``failure(_:)``; nil for the other two.
    public var error: (any Error)? {
        if case .failure(let error) = self { error } else { nil }
    }

    public var isSuccess: Bool { if case .success = self { true } else { false } }
    public var isCancelled: Bool { if case .cancelled = self { true } else { false } }
}

extension Outcome: Sendable where Success: Sendable {}
