import Synchronization

/// The running workers of the process, but for those of simulations, each of which is a world of its own. For rare calls that
/// concern all of them; any thread.
enum WorkerRegistry {
    private static let running = Mutex<[ObjectIdentifier: Worker]>([:])

    static func add(_ worker: Worker) {
        if worker.isSimulated { return }
        running.withLock { $0[ObjectIdentifier(worker)] = worker }
    }

    static func remove(_ worker: Worker) {
        _ = running.withLock { $0.removeValue(forKey: ObjectIdentifier(worker)) }
    }

    /// All that may use what the calling thread uses.
    static var workers: [Worker] {
        if let worker = CurrentThread.worker, worker.isSimulated { return [worker] }
        return running.withLock { Array($0.values) }
    }

    // MARK: Marks

    /// How many there are: the upper half of a descriptor's word. The workers beyond share them.
    private static let marks: UInt64 = 32
    private static let lastMark = Atomic<UInt64>(0)

    /// A mark for a new worker, by turns.
    static func nextMark() -> UInt64 {
        1 << (64 - marks + lastMark.wrappingAdd(1, ordering: .relaxed).oldValue % marks)
    }
}
