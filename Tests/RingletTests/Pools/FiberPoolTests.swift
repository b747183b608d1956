import SystemPackage
import Testing

@testable import Ringlet

/// A bounded number of fibers (scenario 74).
@Suite(.timeLimit(.patient)) struct FiberPoolTests {
    /// How many are under way, and how many were at most.
    final class Load: Sendable {
        private let now = Counter()
        private let peak = Shared(0)

        var most: Int { peak.value }

        func during<Result>(_ body: () throws -> Result) rethrows -> Result {
            peak.value = max(peak.value, now.add())
            defer { now.add(-1) }
            return try body()
        }
    }

    // MARK: Places

    @Test func `74 in a fiber: never more than two at once, in order, and a full pool refuses`() async throws {
        try await inEveryOrder {
            let pool = try FiberPool(capacity: 2)
            let load = Load()
            let doubled = try pool.map(0..<6) { number in
                try load.during {
                    #expect(pool.freeCount == 0 || load.most < 2)
                    for _ in 0..<(6 - number) { try Fiber.yield() }
                    return number * 2
                }
            }
            #expect(doubled == [0, 2, 4, 6, 8, 10])
            #expect(load.most == 2)
            let release = Flag()
            let holders = try (0..<2).map { _ in
                try pool.spawn { try yieldUntil("released") { release.isSet } }
            }
            #expect(pool.trySpawn {} == nil)
            #expect(pool.freeCount == 0)
            #expect(pool.fibers.map(\.id) == holders.map(\.id))
            release.set()
            try pool.join()
            #expect(pool.freeCount == 2)
            #expect(pool.fibers.isEmpty)
        }
    }

    @Test func `74 in a task: never more than two at once, in order, and a full pool refuses`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let pool = try FiberPool(capacity: 2, on: scheduler)
            let load = Load()
            let doubled = try await pool.map(0..<6) { number in
                try load.during {
                    for _ in 0..<(6 - number) { try Fiber.yield() }
                    return number * 2
                }
            }
            #expect(doubled == [0, 2, 4, 6, 8, 10])
            #expect(load.most <= 2)
            let release = Flag()
            for _ in 0..<2 { try await pool.spawn { try yieldUntil("released") { release.isSet } } }
            #expect(pool.trySpawn {} == nil)
            release.set()
            try await pool.join()
            #expect(pool.freeCount == 2)
        }
    }

    @Test func `places are given in the order in which they were asked for`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 1)
            let order = Journal<Int>()
            let release = Flag()
            try pool.spawn { try yieldUntil("released") { release.isSet } }
            let spawners = try (0..<5).map { number in
                let spawner = Fiber { _ = try pool.spawn { order.note(number) } }
                try Fiber.yield()
                return spawner
            }
            // One who gives up does not stand in the way of the others.
            spawners[2].cancel()
            release.set()
            for (number, spawner) in spawners.enumerated() where number != 2 { try spawner.join() }
            #expect(throws: CancellationError.self) { try spawners[2].join() }
            try pool.join()
            #expect(order.all == [0, 1, 3, 4])
            #expect(pool.freeCount == 1)
        }
    }

    @Test func `a spawn gives up at its deadline, in a fiber, a task and a thread, and takes no place`() async throws {
        try await withScheduler { scheduler in
            let pool = try FiberPool(capacity: 1, on: scheduler)
            let release = Flag()
            try await pool.spawn { try yieldUntil("released") { release.isSet } }
            let deadline = Deadline.after(.milliseconds(1))
            let error = TimeoutError(deadline: deadline)
            await #expect(throws: error) { try await pool.spawn(deadline: deadline) {} }
            await #expect(throws: error) { try await pool.waitUntilAvailable(deadline: deadline) }
            await #expect(throws: error) { try await pool.join(deadline: deadline) }
            await #expect(throws: error) { try await onThread { _ = try pool.spawn(deadline: deadline) {} } }
            let inFiber = try await scheduler.spawn {
                [
                    errorThrown { try pool.spawn(deadline: deadline) {} },
                    errorThrown { try pool.waitUntilAvailable(deadline: deadline) },
                    errorThrown { try pool.join(deadline: deadline) },
                ].map { $0 as? TimeoutError }
            }.join()
            #expect(inFiber == [error, error, error])
            release.set()
            try await pool.waitUntilAvailable()
            try await onThread { try pool.join() }
            #expect(pool.freeCount == 1)
        }
    }

    @Test func `who finds a place need not wait: no deadline and no cancellation refuses it`() async throws {
        try await withScheduler { scheduler in
            let pool = try FiberPool(capacity: 1, on: scheduler)
            let past = Deadline(nanoseconds: 0)
            let begun = Event()
            let fiber = scheduler.spawn {
                begun.set()
                #expect(throws: CancellationError.self) { try Fiber.sleep(until: .never) }
                try pool.waitUntilAvailable(deadline: past)
                return try pool.spawn(deadline: past) { 1 }
            }
            try await begun.wait()
            fiber.cancel()
            #expect(try await fiber.join().join() == 1)
            try await pool.join()
            let task = Task.detached {
                while !Task.isCancelled { await Task.yield() }
                try await pool.waitUntilAvailable(deadline: past)
                return try await pool.spawn(deadline: past) { 2 }
            }
            task.cancel()
            #expect(try await task.value.join() == 2)
            try await pool.join()
        }
    }

    @Test func `a fiber that never begins leaves its place`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 1)
            for _ in 0..<3 {
                let fiber = try pool.spawn {}
                fiber.cancel()
                #expect(throws: CancellationError.self) { try fiber.join() }
                #expect(pool.freeCount == 1)
            }
        }
    }

    @Test func `all are cancelled, and the pool can be used again`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 3)
            let sleepers = try (0..<3).map { _ in try pool.spawn { try Fiber.sleep(until: .never) } }
            try Fiber.yield()
            pool.cancelAll()
            try pool.join()
            for sleeper in sleepers { #expect(throws: CancellationError.self) { try sleeper.join() } }
            #expect(try pool.spawn { 1 }.join() == 1)
        }
    }

    @Test(arguments: [0, -1])
    func `a capacity below one is refused`(_ capacity: Int) {
        #expect(throws: FiberPoolError.invalidCapacity(capacity)) { try FiberPool(capacity: capacity) }
    }

    @Test func `a fiber of the pool cannot wait for the pool's end`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 1)
            let fiber = try pool.spawn { try pool.join() }
            #expect(throws: Errno.deadlock) { try fiber.join() }
        }
    }

    // MARK: Within the pool

    @Test func `apply within a full pool does not deadlock, in fibers and tasks`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 1)
            let value = try pool.apply {
                let here = AnyFiber.current?.id
                let inner = try pool.apply { AnyFiber.current?.id == here ? 1 : 0 }
                let awaited = try Fiber.await { try await pool.apply { 2 } }
                let mapped = try pool.map(1...3) { $0 }
                return inner + awaited + mapped.reduce(0, +)
            }
            #expect(value == 9)
            #expect(throws: Failure(number: 4)) { try pool.apply { throw Failure(number: 4) } }
            #expect(pool.freeCount == 1)
        }
    }

    @Test func `who is cancelled in apply cancels the fiber`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 1)
            let caller = Fiber { try pool.apply { try Fiber.sleep(until: .never) } }
            try yieldUntil("it runs") { pool.freeCount == 0 }
            caller.cancel()
            #expect(throws: CancellationError.self) { try caller.join() }
            try pool.join()
        }
    }
}
