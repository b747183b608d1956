/// The timers of one worker thread: a hierarchical timing wheel (Varghese and Lauck, 1987).
///
/// Each level divides time by 64. A timer lies at the level of the highest base-64 digit in which
/// its deadline differs from the cursor, in the slot which that digit names. This has consequences
/// that the code relies on:
///
/// - A timer's place follows from its deadline and the cursor alone, and appending keeps the order
///   of insertion. So timers with equal deadlines share a list, in that order, at all times.
/// - The lowest occupied slot of the lowest occupied level is the earliest of all slots. When the
///   cursor enters it, its timers move to lower levels; nothing else has to move.
/// - A slot of level 0 is a single nanosecond, so its list is in order of firing without a sort.
///
/// A timer moves at most once per level in its life, and in practice much less: when a slot is
/// opened the cursor leaps to the slot's earliest deadline, so that a few timers fall through to
/// level 0 at once. Timers inserted behind the cursor are kept apart in ``OverdueTimers``.
struct TimerWheel: ~Copyable {
    private static let digitBits = 6
    private static let slotsPerLevel = 1 << digitBits
    /// Levels that cover each 64-bit deadline: the uppermost holds the remaining four bits.
    private static let levelCount = (UInt64.bitWidth + digitBits - 1) / digitBits
    /// The heads of the lists are the first cells of the slab, that of slot `s` of level `l` at
    /// `l * 64 + s`.
    static let listCount = levelCount * slotsPerLevel
    private static let initialCapacity = 1024
    /// How many timers of a slot are looked at to find the nearest one.
    private static let scanLimit = 16
    /// A value of ``bound`` that promises nothing.
    private static let unknown: UInt64 = 0

    private(set) var nodes: HotArray<TimerNode>
    /// For each level, the slots whose list is not empty.
    private let occupiedSlots: HotArray<UInt64>
    /// The levels with an occupied slot.
    private var occupiedLevels: UInt32 = 0
    private(set) var overdue = OverdueTimers()

    /// Cells handed out so far, list heads included; those above have never been used.
    private(set) var usedCells = Self.listCount
    /// The free cells among them, a stack: a list through the cells themselves would make a burst
    /// of insertions wait for one cache miss after the other. It has room for all cells.
    private var freeCells = HotArray<UInt32>(repeating: 0, capacity: Self.initialCapacity)
    private var freeCount = 0

    /// All timers in slots are due at the cursor or later, all overdue ones earlier. It never goes
    /// back, and never beyond the latest time that ``popDue(now:)`` was given.
    private var cursor: UInt64
    /// No timer is due earlier than this. It is ``unknown`` when it has to be found again.
    private var bound: UInt64 = .max

    /// Timers held.
    private(set) var count = 0
    /// Of these, how many hold nothing up: nobody is to wait for them, or they never fire.
    private(set) var idleCount = 0

    /// The mark of such a timer, in its payload.
    static let idleMark: UInt = 1 << 63

    /// An empty wheel at the time `now` (CLOCK_MONOTONIC nanoseconds).
    init(now: UInt64) {
        nodes = HotArray(repeating: TimerNode(), capacity: Self.initialCapacity)
        occupiedSlots = HotArray(repeating: 0, capacity: Self.levelCount)
        cursor = Self.reachable(now)
        for list in 0..<Self.listCount {
            makeEmpty(list)
        }
    }

    deinit {
        nodes.deallocate()
        freeCells.deallocate()
        occupiedSlots.deallocate()
    }

    /// Holds a timer until `deadline`, which may lie in the past; one at `.max` never fires.
    ///
    /// - Parameters:
    ///   - payload: A word whose uppermost bit is 0.
    ///   - holds: False when nobody is to wait for the timer.
    mutating func insert(deadline: UInt64, payload: UInt, holds: Bool = true) -> TimerToken {
        let index = takeCell()
        let isIdle = !holds || deadline == .max
        nodes[index].deadline = deadline
        nodes[index].payload = isIdle ? payload | Self.idleMark : payload
        count &+= 1
        idleCount &+= isIdle ? 1 : 0
        if deadline < bound { bound = deadline }
        if deadline >= cursor {
            nodes[index].position = TimerNode.listed
            link(index, deadline: deadline)
        } else {
            overdue.insert(index, deadline: deadline, nodes: nodes)
        }
        return TimerToken(
            index: UInt32(truncatingIfNeeded: index), generation: nodes[index].generation)
    }

    /// Gives the timer up. True when it was still held.
    mutating func cancel(_ token: TimerToken) -> Bool { take(token) != nil }

    /// Gives the timer up. The payload when it was still held.
    mutating func take(_ token: TimerToken) -> UInt? {
        let index = Int(token.index)
        guard index >= Self.listCount, index < usedCells,
            nodes[index].generation == token.generation
        else {
            return nil
        }
        if nodes[index].deadline == bound {
            bound = Self.unknown
        }
        let position = nodes[index].position
        if position == TimerNode.listed {
            unlink(index)
        } else {
            overdue.remove(at: Int(position), nodes: nodes)
        }
        return releaseCell(index)
    }

    /// The earliest time at which ``popDue(now:)`` may have something to give; `.max` when there is
    /// nothing to wait for.
    ///
    /// This is the nearest deadline, except when the nearest timer of a slot was cancelled while
    /// more than sixteen others remain in it: then it may be the deadline of the cancelled one.
    /// A call of ``popDue(now:)`` at that time opens the slot, so this comes to at most once a
    /// level.
    mutating func nextDeadline() -> UInt64 {
        if bound == Self.unknown {
            bound = findBound()
        }
        return bound
    }

    /// The payload of the next timer that is due at `now`, in order of deadline, and of insertion
    /// among equal deadlines. The timer is no longer held.
    mutating func popDue(now: UInt64) -> UInt? {
        let now = Self.reachable(now)
        if now < bound {
            return nil
        }
        bound = Self.unknown
        if let (index, deadline) = overdue.first {
            guard deadline <= now else { return nil }
            overdue.remove(at: 0, nodes: nodes)
            return releaseCell(index)
        }
        while let list = firstList, start(of: list) <= now {
            let earliest = nodes[list].deadline
            if list < Self.slotsPerLevel {
                cursor = earliest
                let index = Int(nodes[list].next)
                unlink(index)
                return releaseCell(index)
            }
            open(list, at: min(earliest, now))
        }
        // No slot begins before the present, so the cursor enters none.
        cursor = max(cursor, now)
        return nil
    }

    /// The time, short of `.max`, which stands for never.
    @inline(__always)
    private static func reachable(_ time: UInt64) -> UInt64 {
        min(time, .max - 1)
    }

    /// The nearest deadline, or an earlier time where that is costly to find.
    private func findBound() -> UInt64 {
        if let (_, deadline) = overdue.first {
            return deadline
        }
        guard let list = firstList else { return .max }
        let earliest = nodes[list].deadline
        var nearest = UInt64.max
        var index = Int(nodes[list].next)
        var remaining = Self.scanLimit
        while index != list {
            let deadline = nodes[index].deadline
            if deadline == earliest || remaining == 0 {
                return earliest
            }
            nearest = min(nearest, deadline)
            remaining &-= 1
            index = Int(nodes[index].next)
        }
        nodes[list].deadline = nearest
        return nearest
    }

    /// The list of the earliest occupied slot.
    @inline(__always)
    private var firstList: Int? {
        guard occupiedLevels != 0 else { return nil }
        let level = occupiedLevels.trailingZeroBitCount
        return level &* Self.slotsPerLevel &+ occupiedSlots[level].trailingZeroBitCount
    }

    /// The first instant of an occupied slot.
    @inline(__always)
    private func start(of list: Int) -> UInt64 {
        let shift = list / Self.slotsPerLevel &* Self.digitBits
        let slot = UInt64(truncatingIfNeeded: list % Self.slotsPerLevel)
        // Above the uppermost digit this shifts by more than the width, which rightly leaves 0.
        let above = shift &+ Self.digitBits
        return ((cursor >> above) << above) | slot &<< UInt64(truncatingIfNeeded: shift)
    }

    /// Moves the cursor to `time`, within the earliest slot, and the timers of that slot down.
    ///
    /// They share the slot's digit with the cursor from now on, so none comes back to this list.
    private mutating func open(_ list: Int, at time: UInt64) {
        cursor = time
        var index = Int(nodes[list].next)
        makeEmpty(list)
        while index != list {
            let next = Int(nodes[index].next)
            link(index, deadline: nodes[index].deadline)
            index = next
        }
    }

    /// Appends a timer that is due at the cursor or later to its slot's list.
    @inline(__always)
    private mutating func link(_ index: Int, deadline: UInt64) {
        // A deadline at the cursor itself counts as one of level 0.
        let distance = (deadline ^ cursor) | 1
        let highestBit = 63 &- UInt32(truncatingIfNeeded: distance.leadingZeroBitCount)
        let level = Int(highestBit / UInt32(Self.digitBits))
        let shift = UInt64(truncatingIfNeeded: level &* Self.digitBits)
        let slot = (deadline &>> shift) & UInt64(Self.slotsPerLevel - 1)
        let list = level &* Self.slotsPerLevel &+ Int(truncatingIfNeeded: slot)

        let last = nodes[list].previous
        nodes[index].previous = last
        nodes[index].next = UInt32(truncatingIfNeeded: list)
        nodes[Int(last)].next = UInt32(truncatingIfNeeded: index)
        nodes[list].previous = UInt32(truncatingIfNeeded: index)
        nodes[list].deadline = min(nodes[list].deadline, deadline)
        occupiedSlots[level] |= 1 &<< slot
        occupiedLevels |= 1 &<< UInt32(truncatingIfNeeded: level)
    }

    /// Takes a timer out of its slot's list.
    @inline(__always)
    private mutating func unlink(_ index: Int) {
        let previous = nodes[index].previous
        let next = nodes[index].next
        nodes[Int(previous)].next = next
        nodes[Int(next)].previous = previous
        // Only the head of a list can be on both sides of a timer, which then was the last one.
        if previous == next {
            makeEmpty(Int(next))
        }
    }

    /// Leaves a list without timers, whatever it held.
    private mutating func makeEmpty(_ list: Int) {
        nodes[list].deadline = .max
        nodes[list].previous = UInt32(truncatingIfNeeded: list)
        nodes[list].next = UInt32(truncatingIfNeeded: list)
        let level = list / Self.slotsPerLevel
        occupiedSlots[level] &= ~(1 &<< UInt64(list % Self.slotsPerLevel))
        if occupiedSlots[level] == 0 { occupiedLevels &= ~(1 &<< UInt32(truncatingIfNeeded: level)) }
    }

    /// A cell for a new timer: the one freed last, which is likely still in the cache.
    @inline(__always)
    private mutating func takeCell() -> Int {
        if freeCount > 0 {
            freeCount &-= 1
            return Int(freeCells[freeCount])
        }
        if usedCells == nodes.capacity { growSlab() }
        let unused = usedCells
        usedCells &+= 1
        // The slab grows without being filled.
        nodes[unused].generation = 0
        return unused
    }

    @inline(never)
    private mutating func growSlab() {
        precondition(usedCells <= Int(UInt32.max) / 2, "more timers than a token can name")
        nodes.growLeavingRest(to: usedCells * 2)
        freeCells.growLeavingRest(to: usedCells * 2)
    }

    /// Frees the cell of a timer that is in no list any more. Returns the payload.
    @inline(__always)
    private mutating func releaseCell(_ index: Int) -> UInt {
        nodes[index].generation &+= 1
        freeCells[freeCount] = UInt32(truncatingIfNeeded: index)
        freeCount &+= 1
        count &-= 1
        idleCount &-= Int(truncatingIfNeeded: nodes[index].payload &>> 63)
        return nodes[index].payload & ~Self.idleMark
    }
}
