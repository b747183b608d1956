import Synchronization

/// The fibers of one worker: how many were spawned and how many have ended, ever.
///
/// Each worker has its own, so that workers which spawn do not write to one place. Two figures that only grow, because
/// those of several workers are not read at one moment.
struct FiberTally: ~Copyable, Sendable {
    /// Written by who spawns, before the fiber is queued. Any thread.
    private let spawnedEver = Atomic<Int>(0)

    /// Written by the worker's thread; once that has ended, by any.
    private let endedEver = Atomic<Int>(0)

    @inline(__always)
    func hasSpawned() { spawnedEver.wrappingAdd(1, ordering: .relaxed) }

    /// In one order with what the thread reads next: of two workers whose last fibers end at once, one finds that none is
    /// left.
    @inline(__always)
    func hasEnded() { endedEver.wrappingAdd(1, ordering: .sequentiallyConsistent) }

    var ended: Int { endedEver.load(ordering: .sequentiallyConsistent) }
    var spawned: Int { spawnedEver.load(ordering: .sequentiallyConsistent) }

    /// Fibers that were spawned and have not ended. Any thread; O(workers).
    ///
    /// Zero was true at some moment of the call. The ends are read first, so that whatever a fiber had spawned whose end is
    /// among them is read as spawned.
    static func live<Member: FiberTallyHolder>(_ members: [Member]) -> Int {
        let ended = members.reduce(0) { $0 &+ $1.fibersEnded }
        let spawned = members.reduce(0) { $0 &+ $1.fibersSpawned }
        return spawned &- ended
    }
}

/// Whose fibers are counted: a worker.
protocol FiberTallyHolder {
    var fibersEnded: Int { get }
    var fibersSpawned: Int { get }
}

extension Worker: FiberTallyHolder {
    var fibersEnded: Int { fiberTally.ended }
    var fibersSpawned: Int { fiberTally.spawned }

    /// The end of a fiber was announced.
    @inline(__always)
    func fiberFinished() {
        fiberTally.hasEnded()
        if shared.isShuttingDown { shared.fiberFinished() }
    }
}
