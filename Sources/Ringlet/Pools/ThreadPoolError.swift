public import SystemPackage

/// Why a pool of threads does not do some work.
public enum ThreadPoolError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The pool was shut down before.
    case shutDown(pool: String)
    /// A pool has at least one thread.
    case invalidLimit(Int)
    /// Threads cannot stay for less than no time.
    case invalidIdleTime(Duration)
    /// The system starts no thread, and the pool has none, or the work comes from work on its threads, which may all be
    /// waiting for it.
    case noThread(Errno)

    public var description: String {
        switch self {
        case .shutDown(let pool): "the thread pool '\(pool)' was shut down"
        case .invalidLimit(let limit): "a thread pool cannot have a limit of \(limit)"
        case .invalidIdleTime(let time): "threads of a pool cannot stay idle for \(time)"
        case .noThread(let error): "a thread pool cannot start a thread: \(error)"
        }
    }
}

/// What a pool of threads holds at one moment.
public struct ThreadPoolCounts: Sendable, Hashable {
    /// Threads, also those that are about to start.
    public var threads = 0
    /// Threads without work.
    public var idle = 0
    /// Pieces of work that have a thread.
    public var running = 0
    /// Pieces of work that have none yet.
    public var waiting = 0
}

/// What a pool's shutdown left behind when its deadline passed; empty otherwise.
public struct ThreadPoolReport: Sendable, Hashable, CustomStringConvertible {
    /// Threads that have not ended.
    public var threads = 0
    /// The work that still runs, by name.
    public var running: [String] = []
    /// Pieces of work that have no thread yet.
    public var waiting = 0

    public var description: String {
        if threads == 0 { return "nothing was left" }
        let names = running.isEmpty ? "no work" : running.joined(separator: ", ")
        return "\(threads) threads with \(names) and \(waiting) pieces of waiting work were left"
    }
}
