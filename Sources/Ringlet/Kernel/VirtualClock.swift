import CUring

/// A clock that stands until it is moved, and that its thread reads instead of CLOCK_MONOTONIC: every deadline, sleep and
/// timer there is by it.
@safe
package final class VirtualClock: @unchecked Sendable {
    // Written by the thread that it governs, read by any: one word, so a reader sees an instant that was.
    private let nanoseconds: UnsafeMutablePointer<UInt64>

    /// A clock that stands at `instant`, in nanoseconds.
    package init(at instant: UInt64) {
        unsafe nanoseconds = .allocate(capacity: 1)
        unsafe nanoseconds.initialize(to: instant)
    }

    deinit { unsafe nanoseconds.deallocate() }

    /// CLOCK_MONOTONIC in nanoseconds, whatever clock the thread lives by.
    static var real: UInt64 { curing_monotonic() }

    /// Any thread.
    package var now: UInt64 { unsafe curing_load_relaxed(nanoseconds) }

    /// Moves the clock on. On the thread that it governs.
    package func advance(by span: UInt64) {
        let (sum, overflow) = now.addingReportingOverflow(span)
        // `UInt64.max` is never.
        unsafe curing_store_relaxed(nanoseconds, overflow ? .max - 1 : sum)
    }

    /// From now on the calling thread lives by this clock, which must be kept until ``release()``.
    func govern() { unsafe curing_use_clock(nanoseconds) }

    /// The calling thread lives by CLOCK_MONOTONIC again.
    static func release() { curing_use_clock(nil) }
}
