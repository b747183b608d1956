import Synchronization

/// Threads for work that blocks: calls of libraries that know no scheduler, long computations, lookups.
///
///     let image = try ThreadPool.shared.run { try decode(file) }          // in a fiber
///     let image = try await ThreadPool.shared.run { try decode(file) }    // in a task
///
/// Whoever waits is suspended meanwhile and its worker goes on; a plain thread blocks. Threads are started when there
/// is work and none is idle, up to ``limit``, and end when they have been idle for a while; what finds none waits its
/// turn, first come first served. They bear the pool's name with a number, and block signals.
///
/// Work that waits for other work of the same pool does not deadlock when the pool is full: called straight from a
/// thread of the pool, `run` does the work on that thread, which would only wait; and each piece of work whose fibers,
/// tasks or work in other pools come back to a full pool is given one thread more than the limit for as long
/// as it runs. What belongs to a piece of work is told by its task-locals.
///
/// All members may be used from any thread. In the child of a fork a pool starts anew, without threads and
/// with an empty queue; only plain threads can use it there. A pool that nobody refers to any more does what it
/// has accepted, and then its threads end.
public final class ThreadPool: Sendable {
    /// The pool of the process, of up to ``defaultLimit`` threads. It cannot be shut down.
    public static let shared = ThreadPool(CrewTerms(name: "pool", limit: defaultLimit, idleTime: defaultIdleTime))

    /// The pool of the process for name look-up, so that hosts that do not answer hold up nothing else. It
    /// cannot be shut down.
    public static let nameLookup = ThreadPool(
        CrewTerms(name: "names", limit: 16, idleTime: defaultIdleTime))

    /// For children to start on: an exec reads the program, from wherever it is.
    static let spawning = ThreadPool(CrewTerms(name: "spawn", limit: 4, idleTime: defaultIdleTime))

    /// For children without a pidfd, whose ends a thread each waits for.
    static let childWaits = ThreadPool(CrewTerms(name: "children", limit: .max, idleTime: defaultIdleTime))

    /// How many threads a pool may have unless it is told otherwise: 64.
    public static let defaultLimit = 64

    /// How long threads stay when there is nothing to do unless they are told otherwise: ten seconds.
    public static let defaultIdleTime = Duration.seconds(10)

    let terms: CrewTerms
    private let perProcess: PerProcess<ThreadCrew>

    var crew: ThreadCrew { perProcess.object }

    /// Makes a pool. No thread is started before there is work.
    ///
    /// - Parameters:
    ///   - name: Threads are called so, with a number; Linux shows 15 bytes.
    ///   - limit: How many threads there are at most, except as the pool's description says.
    ///   - idleTime: How long a thread without work stays. With zero it ends at once.
    /// - Throws: ``ThreadPoolError/invalidLimit(_:)`` below 1, ``ThreadPoolError/invalidIdleTime(_:)`` below zero.
    public convenience init(
        name: String = "pool", limit: Int = ThreadPool.defaultLimit,
        idleTime: Duration = ThreadPool.defaultIdleTime
    ) throws(ThreadPoolError) {
        guard limit >= 1 else { throw .invalidLimit(limit) }
        guard idleTime >= .zero else { throw .invalidIdleTime(idleTime) }
        self.init(CrewTerms(name: name, limit: limit, idleTime: idleTime))
    }

    private init(_ terms: CrewTerms) {
        self.terms = terms
        perProcess = PerProcess { ThreadCrew(terms) }
    }

    deinit { crew.close(droppingWaiting: false) }

    /// What the threads are called.
    public var name: String { terms.name }

    // MARK: Size

    /// How many threads there are at most, except as the pool's description says.
    public var limit: Int { terms.limit.load(ordering: .relaxed) }

    /// Changes the limit. More threads start at once for the work that waits; those that are too many end when their
    /// work has.
    ///
    /// - Throws: ``ThreadPoolError/invalidLimit(_:)`` below 1.
    public func resize(to limit: Int) throws(ThreadPoolError) {
        guard limit >= 1 else { throw .invalidLimit(limit) }
        crew.resize(to: limit)
    }

    /// What the pool holds at the moment.
    public var counts: ThreadPoolCounts {
        crew.inspect {
            ThreadPoolCounts(
                threads: $0.threads, idle: $0.idle.count, running: $0.served.count, waiting: $0.waiting.count)
        }
    }

    // MARK: Shutdown

    /// Accepts no more work, and waits until what was accepted has been done and the threads have ended.
    ///
    /// Called in a fiber it suspends the fiber, on a plain thread it blocks the thread; not cut short by cancellation.
    /// In a task use `await`. Later calls wait for what earlier ones left. Traps for the pools of the process.
    ///
    /// - Parameters:
    ///   - deadline: When it passes first, what still runs is left running, and what waits will still be done.
    ///   - discardsWaiting: Work that has no thread yet is not done; whoever waits for it gets `CancellationError`.
    /// - Returns: What was left.
    @available(*, noasync, message: "in a task, await shutdown(deadline:discardsWaiting:)")
    @discardableResult
    public func shutdown(deadline: Deadline = .never, discardsWaiting: Bool = false) -> ThreadPoolReport {
        let crew = close(discardsWaiting)
        _ = crew.ended.wait("ThreadPool.shutdown", deadline: deadline, isShielded: true)
        return report(crew)
    }

    /// Accepts no more work, and waits until what was accepted has been done and the threads have ended.
    ///
    /// As the synchronous form.
    @discardableResult
    public func shutdown(deadline: Deadline = .never, discardsWaiting: Bool = false) async -> ThreadPoolReport {
        let crew = close(discardsWaiting)
        // A task of its own has not been cancelled.
        await Task { _ = await crew.ended.wait(deadline: deadline) }.value
        return report(crew)
    }

    private func close(_ discardsWaiting: Bool) -> ThreadCrew {
        precondition(
            self !== Self.shared && self !== Self.nameLookup,
            "ThreadPool.\(name == "names" ? "nameLookup" : "shared") is the process's and is not shut down")
        precondition(
            CrewThread.current?.crew !== crew, "ThreadPool.shutdown would wait for the thread that it runs on")
        let crew = crew
        crew.close(droppingWaiting: discardsWaiting)
        return crew
    }

    private func report(_ crew: ThreadCrew) -> ThreadPoolReport {
        crew.inspect { state in
            ThreadPoolReport(
                threads: state.threads, running: state.served.values.map { $0.name ?? "unnamed" }.sorted(),
                waiting: state.waiting.count)
        }
    }
}
