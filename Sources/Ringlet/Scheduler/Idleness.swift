import Synchronization

/// Waits until no worker of a scheduler has anything left to do.
///
/// While somebody waits, a worker that is about to sleep with nothing that holds the scheduler marks itself quiet, and takes
/// the mark back when it wakes. Whoever marks itself last sees all the others marked, and their inboxes
/// empty. It reads all marks twice, and between that the inboxes: if no mark has changed, all were quiet at
/// the same time, so nobody was there to push anything, but for threads that are none of the scheduler's.
struct Idleness: ~Copyable, Sendable {
    /// How many wait. Written by whoever waits, read by workers before they sleep.
    private let wanted = Atomic<Int>(0)

    private let waits = Mutex<[Occurrence]>([])

    @inline(__always)
    var isWanted: Bool { wanted.load(ordering: .relaxed) > 0 }

    /// The caller then wakes all workers, so that each looks at itself anew.
    func add(_ wait: Occurrence) {
        wanted.add(1, ordering: .sequentiallyConsistent)
        waits.withLock { $0.append(wait) }
    }

    /// False when the wait is over because idleness was reached.
    func remove(_ wait: Occurrence) -> Bool {
        wanted.subtract(1, ordering: .relaxed)
        return waits.withLock { waits in
            guard let index = waits.firstIndex(where: { $0 === wait }) else { return false }
            waits.remove(at: index)
            return true
        }
    }

    /// Marks `worker`, on its thread, which is about to sleep. True when that has made somebody runnable, perhaps here.
    func becameQuiet(_ worker: Worker) -> Bool {
        worker.quiet.begin()
        let workers = worker.shared.workers
        let marks = workers.map { $0.quiet.value }
        let isReached =
            zip(workers, marks).allSatisfy { QuietMark.isQuiet($1) || $0.closed.load(ordering: .acquiring) }
            && workers.allSatisfy { $0.inbox.isEmpty }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        let isSame = zip(workers, marks).allSatisfy { $0.quiet.value == $1 }
        guard isReached, isSame else { return false }
        worker.quiet.end()
        return complete()
    }

    /// After the last worker nothing happens.
    func ended() { _ = complete() }

    private func complete() -> Bool {
        let reached = waits.withLock { waits in
            defer { waits = [] }
            return waits
        }
        for wait in reached { wait.happen() }
        return !reached.isEmpty
    }
}

/// A worker's mark: odd while it is quiet, and never the same twice. Written by the worker, read by all of the scheduler.
struct QuietMark: ~Copyable, Sendable {
    private let number = Atomic<UInt>(0)

    var value: UInt { number.load(ordering: .sequentiallyConsistent) }

    static func isQuiet(_ value: UInt) -> Bool { value & 1 == 1 }

    func begin() { number.store(number.load(ordering: .relaxed) | 1, ordering: .sequentiallyConsistent) }

    /// Before anything that was pushed to the worker is taken out of its inbox.
    func end() {
        let value = number.load(ordering: .relaxed)
        if !Self.isQuiet(value) { return }
        number.store(value &+ 1, ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }
}
