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

    /// With the kind above it, which is 0: what is no operation has no generation of a slot.
    @inline(__always)
    var generation: UInt32 { UInt32(truncatingIfNeeded: userData &>> 32) }

    static let generationMask: UInt32 = 0xff_ffff
}

/// The operations in flight on one worker.
///
/// What moves a slot from state to state, and where a request is refused:
///
///     state         insert        request to cancel           completion
///     free          active        refused: it has ended       counted as stale
///     active        impossible    cancelling                  free
///     cancelling    impossible    refused: a reason stands    free
///
/// The terminal completion is the only way back to free, because until then the kernel may write to the operation's
/// memory. Whether a request or completion is of the slot's operation or of an earlier one, the generation tells, which moves
/// on with each completion. What is impossible is a slot that was handed out twice, or a completion of what was never
/// submitted: it traps.
struct OperationTable: ~Copyable {
    enum State: UInt8 {
        case free, active, cancelling

        enum Event: UInt8 {
            case insert, cancel, complete
        }

        /// The table above; nil where it says anything but a state.
        @inline(__always)
        func after(_ event: Event) -> State? {
            switch (self, event) {
            case (.free, .insert): .active
            case (.active, .cancel): .cancelling
            case (.active, .complete), (.cancelling, .complete): .free
            case (.free, .cancel), (.free, .complete), (.active, .insert), (.cancelling, .insert),
                (.cancelling, .cancel):
                nil
            }
        }
    }

    struct Slot: BitwiseCopyable {
        private(set) var generation: UInt32 = 0
        private(set) var state = State.free
        private(set) var reason = CancelReason.none
        /// A shutdown leaves it alone: clean-up that must finish.
        private(set) var isShielded = false
        /// What the kernel was asked for. With the three before it one word, so that it costs no store.
        private(set) var opcode: UInt8 = 0
        /// For cancel-by-descriptor on kernels that lack it; -1 when the operation has none.
        private(set) var descriptor: Int32 = -1
        var nextFree: UInt32 = 0
        var timer = TimerToken.none
        fileprivate var packedWaiter = PackedWaiter.none

        var waiter: Waiter { packedWaiter.waiter }

        @inline(__always)
        mutating func occupy(
            by waiter: Waiter, opcode: UInt8 = 0, descriptor: Int32, shielded: Bool
        ) {
            precondition(state.after(.insert) == .active, "an operation's slot was given to another one")
            state = .active
            reason = .none
            isShielded = shielded
            self.opcode = opcode
            self.descriptor = descriptor
            timer = .none
            packedWaiter = PackedWaiter(waiter)
        }

        /// False when a request to cancel makes no difference any more.
        mutating func cancel(_ reason: CancelReason) -> Bool {
            guard let next = state.after(.cancel) else { return false }
            state = next
            self.reason = reason
            return true
        }

        /// The waiter stays: it is a plain word, and the next insertion overwrites it.
        @inline(__always)
        mutating func release() {
            precondition(state.after(.complete) == .free, "an operation ended twice, or never began")
            generation = (generation &+ 1) & OperationToken.generationMask
            state = .free
        }
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
    mutating func insert(
        waiter: Waiter, opcode: UInt8 = 0, descriptor: Int32, shielded: Bool = false
    ) -> OperationToken {
        if firstFree == Self.end { grow() }
        let index = firstFree
        let at = Int(index)
        firstFree = slots[at].nextFree
        activeCount &+= 1
        return OperationToken(
            index: index,
            generation: Self.occupy(
                &slots[at], by: waiter, opcode: opcode, descriptor: descriptor, shielded: shielded))
    }

    /// Returns the generation: with both in one call, the slot is accessed once.
    @inline(__always)
    private static func occupy(
        _ slot: inout Slot, by waiter: Waiter, opcode: UInt8, descriptor: Int32, shielded: Bool
    ) -> UInt32 {
        slot.occupy(by: waiter, opcode: opcode, descriptor: descriptor, shielded: shielded)
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
        holds(token) && slots[token.index].cancel(reason)
    }

    /// The terminal completion: frees the slot and gives back what it held. Nil when stale.
    @inline(__always)
    mutating func complete(_ token: OperationToken)
        -> (waiter: PackedWaiter, reason: CancelReason, timer: TimerToken)?
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
        -> (waiter: PackedWaiter, reason: CancelReason, timer: TimerToken)
    {
        slot.release()
        slot.nextFree = nextFree
        return (slot.packedWaiter, slot.reason, slot.timer)
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
