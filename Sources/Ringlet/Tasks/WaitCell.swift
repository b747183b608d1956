import Synchronization

/// Between a task's wait by continuation and its cancellation handler.
final class WaitCell: Sendable {
    /// 0: not begun. All ones: cancelled. Otherwise the token of what the task waits for, plus one.
    private let state = Atomic<UInt64>(0)
    private static let cancelled = UInt64.max

    var isCancelled: Bool { state.load(ordering: .acquiring) == Self.cancelled }

    /// The worker's thread, once. False when cancellation came first.
    func begin(_ token: UInt64) -> Bool {
        state.compareExchange(
            expected: 0, desired: token &+ 1, ordering: .acquiringAndReleasing
        ).exchanged
    }

    /// The handler, once. What is to be cancelled, if it has begun.
    func cancel() -> UInt64? {
        let old = state.exchange(Self.cancelled, ordering: .acquiringAndReleasing)
        return old == 0 ? nil : old &- 1
    }
}

/// A continuation on its way to the worker's thread.
@safe
struct Handover: @unchecked Sendable {
    let continuation: UnsafeContinuation<Completion, Never>
}
