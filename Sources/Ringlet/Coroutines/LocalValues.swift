import Synchronization

/// What one fiber or plain thread has of each ``FiberLocal`` that it has used. For that fiber or thread only.
final class LocalValues {
    private struct Entry {
        let id: UInt64
        let box: AnyObject
    }

    /// By the slots' numbers. One whose id is not the slot's belonged to an earlier variable.
    private var entries: [Entry?] = []

    /// How many variables were gone when the entries were last compared with those that exist.
    private var seenEnds = 0

    /// Those of the code that asks, made if need be. Traps in a task.
    @inline(__always)
    static var current: LocalValues {
        FiberRef.current.map { fiber in fiber.withOwner { $0.madeLocals } } ?? ofThread
    }

    @inline(never)
    private static var ofThread: LocalValues {
        precondition(
            !CurrentThread.isInTask || Fork.isChild,
            """
            a FiberLocal has a value for each fiber and each plain thread, and this code runs in a task. Bind a TaskLocal \
            there, or use the variable in Fiber { }.
            """)
        return RawThread.current.madeLocals
    }

    @inline(__always)
    func box(_ slot: LocalSlot) -> AnyObject? {
        guard slot.number < entries.count, let entry = entries[slot.number], entry.id == slot.id else { return nil }
        return entry.box
    }

    func put(_ box: AnyObject, in slot: LocalSlot) {
        dropOrphans()
        while entries.count <= slot.number { entries.append(nil) }
        replace(slot.number, by: Entry(id: slot.id, box: box))
    }

    func remove(_ slot: LocalSlot) {
        if box(slot) != nil { replace(slot.number, by: nil) }
    }

    /// The old value is freed after the exchange: its deinitializer may use variables.
    private func replace(_ number: Int, by entry: Entry?) {
        let old = entries[number]
        entries[number] = entry
        withExtendedLifetime(old) {}
    }

    /// Frees the values of variables that are gone.
    private func dropOrphans() {
        let ends = LocalSlot.ends.load(ordering: .acquiring)
        if ends == seenEnds { return }
        seenEnds = ends
        let ids = LocalSlot.ids
        for number in entries.indices where entries[number].map({ $0.id != ids[number] }) ?? false {
            replace(number, by: nil)
        }
    }

    /// Frees every value, also those that the deinitializers of others make; as with pthread_key_create(3), not without
    /// end.
    func removeAll() {
        for _ in 0..<Self.rounds {
            let old = entries
            entries = []
            if old.isEmpty { return }
        }
    }

    private static let rounds = 4
}

/// The place of one variable among the values of every fiber. Numbers are used again, ids never.
struct LocalSlot: Sendable {
    let number: Int
    let id: UInt64

    private struct Table {
        /// The id of who has the number; 0 for nobody.
        var ids: [UInt64] = []
        var free: [Int] = []
        var lastID: UInt64 = 0
    }

    private static let table = Mutex(Table())

    /// How many variables are gone. Written by any thread after the table; read by who makes a value.
    static let ends = Atomic<Int>(0)

    static var ids: [UInt64] { table.withLock { $0.ids } }

    init() {
        (number, id) = Self.table.withLock { table in
            table.lastID += 1
            guard let number = table.free.popLast() else {
                table.ids.append(table.lastID)
                return (table.ids.count - 1, table.lastID)
            }
            table.ids[number] = table.lastID
            return (number, table.lastID)
        }
    }

    /// The variable is gone.
    func end() {
        Self.table.withLock { table in
            table.ids[number] = 0
            table.free.append(number)
        }
        Self.ends.add(1, ordering: .releasing)
    }
}

// MARK: - Whose they are

extension AnyFiber {
    /// On the fiber's stack.
    @inline(__always)
    fileprivate final var madeLocals: LocalValues {
        if let locals { return locals }
        let made = LocalValues()
        locals = made
        return made
    }

    /// The body has ended. On the fiber's stack, so that what is freed may still wait.
    @inline(__always)
    final func freeLocals() {
        if let locals { freeLocals(locals) }
    }

    @inline(never)
    private final func freeLocals(_ values: LocalValues) {
        values.removeAll()
        locals = nil
    }
}

extension RawThread {
    fileprivate var madeLocals: LocalValues {
        if let locals { return locals }
        let made = LocalValues()
        locals = made
        return made
    }
}
