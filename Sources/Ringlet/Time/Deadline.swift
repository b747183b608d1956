/// An instant on CLOCK_MONOTONIC by which a wait must end.
///
/// Deadlines are absolute, because they compose: one deadline can bound several operations in a row,
/// where a timeout would start anew at each. The clock does not count time that the machine spends
/// suspended.
public struct Deadline: Sendable, Hashable, Comparable {
    /// Nanoseconds of CLOCK_MONOTONIC.
    public let nanoseconds: UInt64

    /// The instant at `nanoseconds` of CLOCK_MONOTONIC.
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// No limit.
    public static let never = Deadline(nanoseconds: .max)

    /// This instant: waits that are not already over end at once.
    public static var now: Deadline { Deadline(nanoseconds: LinuxThread.now()) }

    /// The instant `duration` from now. A negative duration gives an instant that has passed.
    /// Durations beyond the clock's range (584 years) give ``never``.
    public static func after(_ duration: Duration) -> Deadline {
        let now = LinuxThread.now()
        guard duration > .zero else { return Deadline(nanoseconds: now) }
        // Of more, `components` traps.
        guard duration < .seconds(Int64.max) else { return .never }
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        // Rounded up: a wait is never shorter than it was asked to be.
        let fraction = UInt64(attoseconds / 1_000_000_000) + (attoseconds % 1_000_000_000 > 0 ? 1 : 0)
        let (span, spanOverflow) = product.addingReportingOverflow(fraction)
        let (sum, sumOverflow) = now.addingReportingOverflow(span)
        return overflow || spanOverflow || sumOverflow ? .never : Deadline(nanoseconds: sum)
    }

    /// The middle between now and `deadline`; never, or the deadline, when it has passed, where there is no middle.
    static func halfway(to deadline: Deadline) -> Deadline {
        let now = LinuxThread.now()
        if deadline == .never || deadline.nanoseconds <= now { return deadline }
        return Deadline(nanoseconds: now + (deadline.nanoseconds - now) / 2)
    }

    /// True once the instant has been reached.
    public var hasPassed: Bool { self != .never && LinuxThread.now() >= nanoseconds }

    public static func < (left: Deadline, right: Deadline) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

/// A deadline passed before the wait could end.
///
/// When deadlines are nested, ``deadline`` and ``scope`` tell which of them it was.
public struct TimeoutError: Error, Hashable, CustomStringConvertible {
    /// The deadline that passed.
    public let deadline: Deadline

    /// The scope whose deadline it was; nil when it was that of a single call.
    public let scope: CancelScope?

    init(deadline: Deadline, scope: CancelScope? = nil) {
        self.deadline = deadline
        self.scope = scope
    }

    public static func == (left: TimeoutError, right: TimeoutError) -> Bool {
        left.deadline == right.deadline && left.scope === right.scope
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(deadline)
        hasher.combine(scope.map(ObjectIdentifier.init))
    }

    public var description: String { "the deadline passed" }
}

extension Duration {
    /// Rounded down. Of one that is not negative and within the clock's range.
    var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
