import Synchronization

/// Waits until no worker of a scheduler has anything left to do.
///
/// While somebody waits, a worker that is about to sleep with nothing that holds the scheduler marks itself quiet, and takes
/// the mark back when it wakes. Whoever marks itself last finds that all are quiet at the same time.
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
        guard QuietMark.allAreQuiet(worker.shared.workers, { $0.quiet.value }) else { return false }
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
