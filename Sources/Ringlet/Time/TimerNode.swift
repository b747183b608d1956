/// Names one timer held by a ``TimerWheel``; stale once that timer has fired or was cancelled.
struct TimerToken: BitwiseCopyable, Equatable {
    /// generation (32 bits) | index (32): one word, so that comparing two is one instruction.
    let bits: UInt64

    /// Names no timer: cell 0 is the head of a list.
    static let none = TimerToken(bits: 0)

    init(bits: UInt64) { self.bits = bits }

    init(index: UInt32, generation: UInt32) {
        bits = UInt64(generation) << 32 | UInt64(index)
    }

    var index: UInt32 { UInt32(truncatingIfNeeded: bits) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }
}

/// One cell of the wheel's slab: a timer, a free cell, or the head of a slot's list.
struct TimerNode: BitwiseCopyable {
    /// Of a list head: no timer of the list is due earlier; `.max` when the list is empty.
    var deadline: UInt64 = .max
    var payload: UInt = 0
    var previous: UInt32 = 0
    var next: UInt32 = 0
    /// Counts the timers that have left this cell, so that their tokens are told from the present.
    var generation: UInt32 = 0
    /// Position among the overdue timers, or ``listed``.
    var position: UInt32 = Self.listed

    /// The ``position`` of a timer that is linked into a slot's list.
    static let listed = UInt32.max
}
