import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// How many threads a pool has, and how it ends.
@Suite(.timeLimit(.patient)) struct ThreadPoolSizeTests {
    // MARK: Growing and shrinking

    /// One whose idle threads stay, however long a test's next look takes.
    private static func pool(limit: Int = ThreadPool.defaultLimit) throws -> ThreadPool {
        try ThreadPool(limit: limit, idleTime: .seconds(3600))
    }

    @Test func `threads are started on demand up to the limit, and the rest waits in order`() async throws {
        let pool = try Self.pool(limit: 3)
        #expect(pool.counts == ThreadPoolCounts())
        let gate = ThreadGate()
        let order = Journal<Int>()
        let holders = (0..<3).map { _ in pool.spawn { gate.pass() } }
        try await awaitUntil("all threads are taken") { gate.arrived == 3 }
        try pool.resize(to: 1)
        let waiting = (0..<20).map { number in pool.spawn { order.note(number) } }
        #expect(pool.counts == ThreadPoolCounts(threads: 3, running: 3, waiting: 20))
        gate.open()
        for job in holders + waiting { try await job.join() }
        #expect(order.all == Array(0..<20))
        try await awaitUntil("the surplus has ended") { pool.counts == ThreadPoolCounts(threads: 1, idle: 1) }
    }

    @Test func `calls one after another need one thread`() async throws {
        let pool = try Self.pool()
        for number in 0..<100 { #expect(try await pool.run { number } == number) }
        #expect(pool.counts == ThreadPoolCounts(threads: 1, idle: 1))
        try await Scheduler.run {
            for number in 0..<100 {
                let result = try pool.run { number }
                #expect(result == number)
            }
        }
        #expect(pool.counts == ThreadPoolCounts(threads: 1, idle: 1))
    }

    @Test func `a larger limit gives threads to what waits`() async throws {
        let pool = try Self.pool(limit: 1)
        let gate = ThreadGate()
        let jobs = (0..<4).map { _ in pool.spawn { gate.pass() } }
        #expect(pool.counts.waiting == 3)
        try pool.resize(to: 3)
        #expect(pool.limit == 3)
        try await awaitUntil("two more run") { gate.arrived == 3 }
        #expect(pool.counts == ThreadPoolCounts(threads: 3, running: 3, waiting: 1))
        gate.open()
        for job in jobs { try await job.join() }
    }

    @Test func `a smaller limit sends idle threads away`() async throws {
        let pool = try Self.pool(limit: 4)
        let gate = ThreadGate()
        let jobs = (0..<4).map { _ in pool.spawn { gate.pass() } }
        try await awaitUntil("each has a thread") { gate.arrived == 4 }
        gate.open()
        for job in jobs { try await job.join() }
        try await awaitUntil("all are idle") { pool.counts.idle == 4 }
        try pool.resize(to: 1)
        #expect(pool.counts == ThreadPoolCounts(threads: 1, idle: 1))
    }

    @Test func `idle threads end after a while, and new ones come`() async throws {
        let pool = try ThreadPool(name: "idle", limit: 4, idleTime: .milliseconds(1))
        let gate = ThreadGate()
        let jobs = (0..<4).map { _ in pool.spawn { gate.pass() } }
        try await awaitUntil("all run") { gate.arrived == 4 }
        gate.open()
        for job in jobs { try await job.join() }
        try await awaitUntil("all have ended") { pool.counts == ThreadPoolCounts() }
        #expect(try await pool.run { 1 } == 1)
        #expect(await pool.shutdown() == ThreadPoolReport())
    }

    @Test(arguments: [0, -1])
    func `a limit below one is refused`(_ limit: Int) throws {
        #expect(throws: ThreadPoolError.invalidLimit(limit)) { try ThreadPool(limit: limit) }
        let pool = try ThreadPool(limit: 2)
        #expect(throws: ThreadPoolError.invalidLimit(limit)) { try pool.resize(to: limit) }
        #expect(throws: ThreadPoolError.invalidIdleTime(.seconds(-1))) { try ThreadPool(idleTime: .seconds(-1)) }
        #expect(pool.limit == 2)
    }

    @Test func `threads have names, and signals are blocked in them but for faults`() async throws {
        let pool = try ThreadPool(name: "named")
        let (name, blocksTerm, blocksFault) = try await pool.run {
            var mask = sigset_t()
            unsafe pthread_sigmask(SIG_BLOCK, nil, &mask)
            let text = try String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            return unsafe (text, sigismember(&mask, SIGTERM) == 1, sigismember(&mask, SIGSEGV) == 1)
        }
        #expect(name == "named-1\n")
        #expect(blocksTerm)
        #expect(!blocksFault)
    }

    // MARK: Recursion

    @Test func `work that calls its own pool does so on its own thread`() async throws {
        let pool = try ThreadPool(limit: 1)
        let (inner, threads) = try await pool.run {
            let mine = pthreadNumber()
            let theirs = try pool.run { try pool.run { pthreadNumber() } }
            #expect(throws: Failure(number: 3)) { try pool.run { throw Failure(number: 3) } }
            return (theirs == mine, pool.counts.threads)
        }
        #expect(inner)
        #expect(threads == 1)
    }

    @Test func `work whose fibers and tasks come back to a full pool gets a thread more`() async throws {
        let pool = try Self.pool(limit: 1)
        try await withScheduler { scheduler in
            let value = try await pool.run {
                let fiber = scheduler.spawn {
                    let task = Task { try await pool.run { 1 } }
                    return try Fiber.await { try await task.value } + pool.run { 2 }
                }
                return try fiber.join()
            }
            #expect(value == 3)
        }
        try await awaitUntil("back to the limit") { pool.counts == ThreadPoolCounts(threads: 1, idle: 1) }
    }

    @Test func `two full pools that call each other go on, however deep`() async throws {
        let first = try ThreadPool(name: "first", limit: 1)
        let second = try ThreadPool(name: "second", limit: 1)
        @Sendable func descend(_ depth: Int) throws -> Int {
            if depth == 0 { return 0 }
            return try (depth % 2 == 0 ? first : second).run { try descend(depth - 1) + 1 }
        }
        #expect(try await onThread { try descend(12) } == 12)
        #expect(await first.shutdown() == ThreadPoolReport())
        #expect(await second.shutdown() == ThreadPoolReport())
    }

    @Test func `independent work does not go beyond the limit`() async throws {
        let pool = try ThreadPool(limit: 2)
        let gate = ThreadGate()
        let most = Shared(0)
        let jobs = (0..<50).map { _ in
            pool.spawn { most.value = max(most.value, pool.counts.threads) }
        }
        gate.open()
        for job in jobs { try await job.join() }
        #expect(most.value <= 2)
    }

    // MARK: Shutdown

    @Test func `a shutdown waits for what was accepted, and what comes later is refused`() async throws {
        let pool = try ThreadPool(name: "ended", limit: 1)
        let gate = ThreadGate()
        let running = pool.spawn { gate.pass(); return 1 }
        let waiting = pool.spawn { 2 }
        let ending = Task { await pool.shutdown() }
        let refusal = ThreadPoolError.shutDown(pool: "ended")
        try await awaitUntil("it is closed") { pool.spawn {}.isFinished }
        await #expect(throws: refusal) { try await pool.run {} }
        await #expect(throws: refusal) { try await pool.spawn {}.join() }
        await #expect(throws: refusal) { try await onThread { try pool.run {} } }
        let inFiber = try await Scheduler.run { errorThrown { try pool.run {} } as? ThreadPoolError }
        #expect(inFiber == refusal)
        gate.open()
        #expect(await ending.value == ThreadPoolReport())
        #expect(try await running.join() == 1)
        #expect(try await waiting.join() == 2)
        #expect(await pool.shutdown() == ThreadPoolReport())
    }

    @Test func `a shutdown whose deadline passes says what is left, in fibers, tasks and threads`() async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        _ = pool.spawn(name: "slow") { gate.pass() }
        _ = pool.spawn { 2 }
        let left = ThreadPoolReport(threads: 1, running: ["slow"], waiting: 1)
        #expect(await pool.shutdown(deadline: .after(.milliseconds(1))) == left)
        #expect(try await onThread { pool.shutdown(deadline: .after(.milliseconds(1))) } == left)
        try await Scheduler.run { #expect(pool.shutdown(deadline: .after(.milliseconds(1))) == left) }
        #expect("\(left)" == "1 threads with slow and 1 pieces of waiting work were left")
        gate.open()
        #expect(await pool.shutdown() == ThreadPoolReport())
    }

    @Test func `a shutdown is not cut short by cancellation`() async throws {
        let pool = try ThreadPool()
        let gate = ThreadGate()
        _ = pool.spawn { gate.pass() }
        let inTask = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            return await pool.shutdown()
        }
        try await Scheduler.run {
            let inFiber = Fiber {
                AnyFiber.current?.cancel()
                return pool.shutdown()
            }
            for _ in 0..<10 { try Fiber.yield() }
            #expect(!inFiber.isFinished)
            gate.open()
            #expect(try inFiber.join() == ThreadPoolReport())
        }
        #expect(await inTask.value == ThreadPoolReport())
    }

    @Test func `a shutdown can discard what waits`() async throws {
        let pool = try ThreadPool(limit: 1)
        let gate = ThreadGate()
        let running = pool.spawn { gate.pass(); return 1 }
        let waiting = pool.spawn { 2 }
        _ = await pool.shutdown(deadline: .now, discardsWaiting: true)
        await #expect(throws: CancellationError.self) { try await waiting.join() }
        gate.open()
        #expect(await pool.shutdown() == ThreadPoolReport())
        #expect(try await running.join() == 1)
    }

    @Test func `a pool that is dropped does what it has accepted, and its threads end`() async throws {
        let gate = ThreadGate()
        let (job, crew) = try {
            let pool = try ThreadPool(limit: 1)
            _ = pool.spawn { gate.pass() }
            return (pool.spawn { 3 }, pool.crew)
        }()
        gate.open()
        #expect(try await job.join() == 3)
        try await awaitUntil("the threads have ended") { crew.inspect { $0.threads } == 0 }
    }

    @Test func `the pools of the process are not shut down`() async throws {
        #expect(try await ThreadPool.shared.run { 1 } == 1)
        await #expect(processExitsWith: .failure) { await ThreadPool.shared.shutdown() }
        await #expect(processExitsWith: .failure) { await ThreadPool.nameLookup.shutdown() }
    }

    @Test func `many threads submit and wait at once while the limit changes`() async throws {
        let pool = try ThreadPool(limit: 4, idleTime: .microseconds(50))
        let sum = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<4 {
                group.addTask {
                    try await onThread {
                        for number in 0..<500 {
                            if number % 50 == part { try pool.resize(to: 1 + number / 50 % 4) }
                            sum.add(try pool.run { 1 })
                        }
                    }
                }
                group.addTask { for _ in 0..<500 { sum.add(try await pool.run { 1 }) } }
                group.addTask { try await Scheduler.run { for _ in 0..<500 { sum.add(try pool.run { 1 }) } } }
            }
            try await group.waitForAll()
        }
        #expect(sum.value == 6000)
        #expect(await pool.shutdown() == ThreadPoolReport())
    }
}
