/// Names one operation: an index into the table and the generation of the slot.
///
/// The same bits travel through the kernel as the submission's `user_data`. A token that is kept too
/// long names nothing: the generation has moved on.
struct OperationToken: BitwiseCopyable, Equatable, Sendable {
    /// kind (8 bits) | generation (24) | index (32).
    let userData: UInt64

    @inline(__always)
    init(userData: UInt64) { self.userData = userData }

    @inline(__always)
    init(index: UInt32, generation: UInt32) {
        userData = UInt64(generation) &<< 32 | UInt64(index)
    }

    @inline(__always)
    var index: Int { Int(UInt32(truncatingIfNeeded: userData)) }

    @inline(__always)
    var generation: UInt32 { UInt32(truncatingIfNeeded: userData &>> 32) & 0xff_ffff }
}

/// The operations in flight on one worker.
///
/// State of a slot, and what moves it:
///
///     free ── insert ──▶ active ── markCancelling ──▶ cancelling
///       ▲                   │                              │
///       └──── complete ─────┴────────── complete ──────────┘
///
/// `complete` is the terminal completion and the only way back to free, because until then the
/// kernel may write to the operation's memory. Every other transition traps.
struct OperationTable: ~Copyable {
    enum State: UInt8, BitwiseCopyable {
        case free, active, cancelling
    }

    struct Slot: BitwiseCopyable {
        var generation: UInt32 = 0
        var state = State.free
        var reason = CancelReason.none
        /// A shutdown leaves it alone: clean-up that must finish.
        var isShielded = false
        /// For cancel-by-descriptor on kernels that lack it; -1 when the operation has none.
        var descriptor: Int32 = -1
        var nextFree: UInt32 = 0
        var timer = TimerToken.none
        var waiter = Waiter.none
    }

    private var slots: HotArray<Slot>
    private var firstFree: UInt32
    /// Slots that are not free.
    private(set) var activeCount = 0
    /// Completions whose slot had moved on. Always 0 unless something is wrong.
    private(set) var staleCount: UInt64 = 0

    private static let end = UInt32.max

    init(capacity: Int = 64) {
        slots = HotArray(repeating: Slot(), capacity: capacity)
        firstFree = 0
        threadFreeSlots(from: 0)
    }

    private mutating func threadFreeSlots(from first: Int) {
        for index in first..<slots.capacity {
            slots[index].nextFree = index + 1 < slots.capacity ? UInt32(index + 1) : Self.end
        }
    }

    /// Takes a slot. O(1), except when the table grows.
    @inline(__always)
    mutating func insert(waiter: Waiter, descriptor: Int32, shielded: Bool = false)
        -> OperationToken
    {
        if firstFree == Self.end { grow() }
        let index = firstFree
        let at = Int(index)
        firstFree = slots[at].nextFree
        activeCount &+= 1
        return OperationToken(
            index: index,
            generation: Self.occupy(
                &slots[at], waiter: waiter, descriptor: descriptor, shielded: shielded))
    }

    /// Returns the generation.
    @inline(__always)
    private static func occupy(
        _ slot: inout Slot, waiter: Waiter, descriptor: Int32, shielded: Bool
    ) -> UInt32 {
        slot.state = .active
        slot.reason = .none
        slot.isShielded = shielded
        slot.descriptor = descriptor
        slot.timer = .none
        slot.waiter = waiter
        return slot.generation
    }

    @inline(never)
    private mutating func grow() {
        let old = slots.capacity
        slots.grow(to: old * 2, filling: Slot())
        threadFreeSlots(from: old)
        firstFree = UInt32(old)
    }

    /// True when `token` names an operation in flight.
    @inline(__always)
    func holds(_ token: OperationToken) -> Bool {
        // Freeing moves the generation on, so a free slot matches no token.
        let index = token.index
        return index < slots.capacity && slots[index].generation == token.generation
    }

    @inline(__always)
    mutating func setTimer(_ timer: TimerToken, of token: OperationToken) {
        assert(holds(token))
        slots[token.index].timer = timer
    }

    /// Records that cancellation was requested. False when there is nothing to request: the token is
    /// stale, or a request is under way already (its reason stands).
    mutating func markCancelling(_ token: OperationToken, reason: CancelReason) -> Bool {
        guard holds(token), slots[token.index].state == .active else { return false }
        slots[token.index].state = .cancelling
        slots[token.index].reason = reason
        return true
    }

    /// The terminal completion: frees the slot and gives back what it held. Nil when stale.
    @inline(__always)
    mutating func complete(_ token: OperationToken)
        -> (waiter: Waiter, reason: CancelReason, timer: TimerToken)?
    {
        guard holds(token) else {
            staleCount &+= 1
            return nil
        }
        let at = token.index
        let found = Self.release(&slots[at], nextFree: firstFree)
        firstFree = UInt32(truncatingIfNeeded: at)
        activeCount &-= 1
        return found
    }

    @inline(__always)
    private static func release(_ slot: inout Slot, nextFree: UInt32)
        -> (waiter: Waiter, reason: CancelReason, timer: TimerToken)
    {
        // The waiter stays in the free slot: it is a plain word, and the next insert overwrites it.
        slot.generation = (slot.generation &+ 1) & 0xff_ffff
        slot.state = .free
        slot.nextFree = nextFree
        return (slot.waiter, slot.reason, slot.timer)
    }

    /// Every operation in flight that `isIncluded` accepts. O(capacity): for
    /// shutdown, and for close on kernels without cancel-by-descriptor.
    func tokens(where isIncluded: (Slot) -> Bool) -> [OperationToken] {
        var found: [OperationToken] = []
        for index in 0..<slots.capacity
        where slots[index].state != .free && isIncluded(slots[index]) {
            found.append(
                OperationToken(index: UInt32(index), generation: slots[index].generation))
        }
        return found
    }

    /// Calls `body` with the slot of every operation in flight. O(capacity).
    func forEach(_ body: (Slot) -> Void) {
        for index in 0..<slots.capacity where slots[index].state != .free { body(slots[index]) }
    }

    deinit {
        slots.deallocate()
    }
}
