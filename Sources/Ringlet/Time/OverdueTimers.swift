/// Timers that were inserted behind the cursor of a ``TimerWheel``: a binary heap.
///
/// Nearly always there are none or a few. The heap is for the case that a great many deadlines have
/// passed before their timers are inserted, in whatever order, and are cancelled again in another.
struct OverdueTimers: ~Copyable {
    private struct Entry: BitwiseCopyable {
        var deadline: UInt64 = 0
        /// Number of the insertion, which decides among equal deadlines.
        var order: UInt64 = 0
        var index = 0

        @inline(__always)
        func precedes(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : order < other.order
        }
    }

    private var entries = HotArray(repeating: Entry(), capacity: 16)
    private(set) var count = 0
    private var insertions: UInt64 = 0

    deinit {
        entries.deallocate()
    }

    /// The cell and the deadline of the timer to fire first. It is at position 0.
    @inline(__always)
    var first: (index: Int, deadline: UInt64)? {
        count == 0 ? nil : (entries[0].index, entries[0].deadline)
    }

    /// The cell of the timer at `position`.
    func cell(at position: Int) -> Int { entries[position].index }

    /// Adds the timer of cell `index`.
    mutating func insert(_ index: Int, deadline: UInt64, nodes: HotArray<TimerNode>) {
        if count == entries.capacity {
            entries.grow(to: count * 2, filling: Entry())
        }
        insertions &+= 1
        count &+= 1
        let entry = Entry(deadline: deadline, order: insertions, index: index)
        raise(entry, from: count &- 1, nodes: nodes)
    }

    /// Removes the timer at `position`, which is noted in its cell.
    mutating func remove(at position: Int, nodes: HotArray<TimerNode>) {
        count &-= 1
        guard position != count else { return }
        let last = entries[count]
        if last.precedes(entries[position]) {
            raise(last, from: position, nodes: nodes)
        } else {
            sink(last, from: position, nodes: nodes)
        }
    }

    /// Puts `entry` at the free place `position`, or above it where it belongs.
    private func raise(_ entry: Entry, from position: Int, nodes: HotArray<TimerNode>) {
        var position = position
        while position > 0 {
            let parent = (position &- 1) / 2
            guard entry.precedes(entries[parent]) else { break }
            place(entries[parent], at: position, nodes: nodes)
            position = parent
        }
        place(entry, at: position, nodes: nodes)
    }

    /// Puts `entry` at the free place `position`, or below it where it belongs.
    private func sink(_ entry: Entry, from position: Int, nodes: HotArray<TimerNode>) {
        var position = position
        while true {
            var child = position &* 2 &+ 1
            guard child < count else { break }
            if child &+ 1 < count, entries[child &+ 1].precedes(entries[child]) {
                child &+= 1
            }
            guard entries[child].precedes(entry) else { break }
            place(entries[child], at: position, nodes: nodes)
            position = child
        }
        place(entry, at: position, nodes: nodes)
    }

    @inline(__always)
    private func place(_ entry: Entry, at position: Int, nodes: HotArray<TimerNode>) {
        entries[position] = entry
        nodes[entry.index].position = UInt32(truncatingIfNeeded: position)
    }
}
