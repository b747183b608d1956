import Synchronization

/// The running workers of the process. For rare calls that concern all of them; any thread.
enum WorkerRegistry {
    private static let running = Mutex<[ObjectIdentifier: Worker]>([:])

    static func add(_ worker: Worker) {
        running.withLock { $0[ObjectIdentifier(worker)] = worker }
    }

    static func remove(_ worker: Worker) {
        _ = running.withLock { $0.removeValue(forKey: ObjectIdentifier(worker)) }
    }

    static var workers: [Worker] { running.withLock { Array($0.values) } }
}
