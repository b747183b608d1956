import RingletTesting
import Testing

@testable import Ringlet

/// Scenario 53: what is handed to a waiter that is cancelled in the same turn goes to the next one. Under a hundred
/// orders, of fibers and of tasks.
@Suite(.timeLimit(.patient)) struct HandOverTests {
    /// Something that two wait for, and that is given once.
    private struct Handed: Sendable {
        let take: @Sendable () throws -> Void
        let takeInTask: @Sendable () async throws -> Void
        let waiting: @Sendable () -> Int
        /// Hands it to the first one. Does not wait.
        let give: @Sendable () throws -> Void
        /// After both have ended.
        let check: @Sendable () throws -> Void
    }

    /// Runs `make` in the strand that gives, which may hold what is waited for.
    private static func inBothColours(_ make: @escaping @Sendable () throws -> Handed) async throws {
        try await inEveryOrder { () throws in
            let handed = try make()
            let first = Fiber { try handed.take() }
            try yieldUntil("the first waits") { handed.waiting() == 1 }
            let second = Fiber { try handed.take() }
            try yieldUntil("the second waits") { handed.waiting() == 2 }
            try handed.give()
            first.cancel()
            #expect(throws: CancellationError.self) { try first.join() }
            try second.join()
            try handed.check()
        }
        try await inEveryOrder { () async throws in
            let handed = try make()
            let first = taskHere { try await handed.takeInTask() }
            try await yieldTaskUntil("the first waits") { handed.waiting() == 1 }
            let second = taskHere { try await handed.takeInTask() }
            try await yieldTaskUntil("the second waits") { handed.waiting() == 2 }
            try handed.give()
            first.cancel()
            await #expect(throws: CancellationError.self) { try await first.value }
            try await second.value
            try handed.check()
        }
    }

    @Test func `scenario 53: a permit`() async throws {
        try await Self.inBothColours {
            let semaphore = Semaphore(0)
            return Handed {
                try semaphore.acquire()
            } takeInTask: {
                try await semaphore.acquire()
            } waiting: {
                semaphore.waiting
            } give: {
                semaphore.release()
            } check: {
                #expect(semaphore.available == 0 && semaphore.waiting == 0)
            }
        }
    }

    @Test func `scenario 53: a lock`() async throws {
        try await Self.inBothColours {
            let lock = Lock()
            #expect(lock.tryLock())
            return Handed {
                try lock.withLock {}
            } takeInTask: {
                try await lock.withLock { () async in }
            } waiting: {
                lock.waiting
            } give: {
                try lock.unlock()
            } check: {
                #expect(!lock.isLocked && lock.waiting == 0)
            }
        }
    }

    @Test func `scenario 53: a recursive lock`() async throws {
        try await Self.inBothColours {
            let lock = RecursiveLock()
            #expect(lock.tryLock())
            return Handed {
                try lock.withLock { #expect(lock.isOwned) }
            } takeInTask: {
                try await lock.withLock { () async in #expect(lock.isOwned) }
            } waiting: {
                lock.waiting
            } give: {
                try lock.unlock()
            } check: {
                #expect(!lock.isLocked && lock.waiting == 0)
                #expect(lock.tryLock() && lock.isOwned)
            }
        }
    }

    @Test func `scenario 53: a token of a limiter`() async throws {
        try await Self.inBothColours {
            let limiter = CapacityLimiter(capacity: 1)
            let hasToken = try limiter.tryAcquire()
            #expect(hasToken)
            return Handed {
                try limiter.withToken {}
            } takeInTask: {
                try await limiter.withToken { () async in }
            } waiting: {
                limiter.waiting
            } give: {
                try limiter.release()
            } check: {
                #expect(limiter.available == 1 && limiter.waiting == 0 && limiter.holders.isEmpty)
            }
        }
    }

    @Test func `scenario 53: a notification`() async throws {
        try await Self.inBothColours {
            let lock = Lock()
            let condition = Condition(lock)
            return Handed {
                try condition.withLock { try condition.wait() }
            } takeInTask: {
                try await condition.withLock { () async throws in try await condition.wait() }
            } waiting: {
                condition.waiting
            } give: {
                // Nobody has it who does not run.
                #expect(lock.tryLock())
                try condition.notify()
                try lock.unlock()
            } check: {
                #expect(condition.waiting == 0 && !lock.isLocked)
            }
        }
    }

    @Test(arguments: [0, 2])
    func `scenario 53: an element, to the next receiver`(capacity: Int) async throws {
        let alive = Counter()
        try await Self.inBothColours {
            let channel = Channel<Parcel>(capacity: capacity)
            let received = Counter()
            return Handed {
                received.add(try channel.receive().number)
            } takeInTask: {
                received.add(try await channel.receive().number)
            } waiting: {
                -channel.balance
            } give: {
                let isSent = try channel.trySend(Parcel(7, alive))
                #expect(isSent)
            } check: {
                #expect(received.value == 7 && channel.count == 0 && channel.balance == 0)
            }
        }
        #expect(alive.value == 0)
    }

    /// The room goes to the next sender if the first has sent nothing; and a send whose element was taken has sent it.
    @Test(arguments: [0, 1])
    func `scenario 53: a sender whose element is taken as it is cancelled has sent it`(capacity: Int) async throws {
        let alive = Counter()
        try await inEveryOrder { () throws in
            let channel = Channel<Parcel>(capacity: capacity)
            for number in 0..<capacity { try channel.send(Parcel(number - capacity, alive)) }
            let first = Fiber { try channel.send(Parcel(0, alive)) }
            try yieldUntil("the first waits") { channel.balance == 1 }
            let second = Fiber { try channel.send(Parcel(1, alive)) }
            try yieldUntil("the second waits") { channel.balance == 2 }
            var numbers = [try channel.tryReceive()?.number]
            first.cancel()
            try first.join()
            while numbers.last != 1 { numbers.append(try channel.receive().number) }
            #expect(numbers == Array(-capacity...1))
            try second.join()
        }
        try await inEveryOrder { () async throws in
            let channel = Channel<Parcel>(capacity: capacity)
            for number in 0..<capacity { try await channel.send(Parcel(number - capacity, alive)) }
            let first = taskHere { try await channel.send(Parcel(0, alive)) }
            try await yieldTaskUntil("the first waits") { channel.balance == 1 }
            let second = taskHere { try await channel.send(Parcel(1, alive)) }
            try await yieldTaskUntil("the second waits") { channel.balance == 2 }
            var numbers = [try channel.tryReceive()?.number]
            first.cancel()
            try await first.value
            while numbers.last != 1 { numbers.append(try await channel.receive().number) }
            #expect(numbers == Array(-capacity...1))
            try await second.value
        }
        #expect(alive.value == 0)
    }

    /// Who passed in the turn of its cancellation has passed, and is no party of the next meeting.
    @Test func `scenario 53: a party that is cancelled as the last one arrives`() async throws {
        try await inEveryOrder { () throws in
            let barrier = Barrier(parties: 3)
            let places = Journal<Int>()
            let parties = try (0..<2).map { number in
                let fiber = Fiber { places.note(try barrier.wait()) }
                try yieldUntil("it waits") { barrier.waiting == number + 1 }
                return fiber
            }
            places.note(try barrier.wait())
            parties[0].cancel()
            let error = errorThrown { try parties[0].join() }
            #expect(error == nil || error is CancellationError)
            try parties[1].join()
            #expect(places.all.contains(1) && places.all.contains(2) && !barrier.isBroken && barrier.waiting == 0)
            let next = (0..<3).map { _ in Fiber { try barrier.wait() } }
            #expect(Set(try next.map { try $0.join() }) == [0, 1, 2])
        }
        try await inEveryOrder { () async throws in
            let barrier = Barrier(parties: 3)
            let places = Journal<Int>()
            var parties: [Task<Void, any Error>] = []
            for number in 0..<2 {
                parties.append(taskHere { places.note(try await barrier.wait()) })
                try await yieldTaskUntil("it waits") { barrier.waiting == number + 1 }
            }
            places.note(try await barrier.wait())
            parties[0].cancel()
            let error = await errorThrown { try await parties[0].value }
            #expect(error == nil || error is CancellationError)
            try await parties[1].value
            #expect(places.all.contains(1) && places.all.contains(2) && !barrier.isBroken && barrier.waiting == 0)
            let next = (0..<3).map { _ in taskHere { try await barrier.wait() } }
            var nextPlaces: Set<Int> = []
            for task in next { nextPlaces.insert(try await task.value) }
            #expect(nextPlaces == [0, 1, 2])
        }
    }

    @Test func `scenario 53: a place in a pool`() async throws {
        try await inEveryOrder { () throws in
            let pool = try FiberPool(capacity: 1)
            let gate = Promise<Void>()
            let occupant = try pool.spawn { try gate.value() }
            let asked = Counter()
            let spawners = try (0..<2).map { number in
                let spawner = Fiber {
                    asked.add()
                    try pool.spawn { #expect(number == 1) }.join()
                }
                try yieldUntil("it waits") { asked.value == number + 1 }
                return spawner
            }
            // Called after the one by which the pool hands the place on.
            occupant.whenEnded { spawners[0].cancel() }
            try gate.succeed(())
            #expect(throws: CancellationError.self) { try spawners[0].join() }
            try spawners[1].join()
            try pool.join()
            #expect(pool.freeCount == 1)
        }
        try await inEveryOrder { () async throws in
            let pool = try FiberPool(capacity: 1)
            let gate = Promise<Void>()
            let occupant = try await pool.spawn { try gate.value() }
            let asked = Counter()
            var spawners: [Task<Void, any Error>] = []
            for number in 0..<2 {
                spawners.append(
                    taskHere {
                        asked.add()
                        try await pool.spawn { #expect(number == 1) }.join()
                    })
                try await yieldTaskUntil("it waits") { asked.value == number + 1 }
            }
            let first = spawners[0]
            occupant.whenEnded { first.cancel() }
            try gate.succeed(())
            await #expect(throws: CancellationError.self) { try await first.value }
            try await spawners[1].value
            try await pool.join()
            #expect(pool.freeCount == 1)
        }
    }

    /// The alarm of the first and the one who unlocks are due at the same instant, in either order.
    @Test func `scenario 53: a lock handed over at the instant of the deadline is not lost`() async throws {
        try await forEachSeed(1...100) { _ in
            let lock = Lock()
            try lock.lock()
            let deadline = Deadline.after(.milliseconds(2))
            let first = Fiber { try lock.lock(deadline: deadline) }
            try yieldUntil("the first waits") { lock.waiting == 1 }
            let second = Fiber { try lock.withLock { true } }
            try yieldUntil("the second waits") { lock.waiting == 2 }
            try Fiber.sleep(until: deadline)
            try lock.unlock()
            let error = errorThrown { try first.join() }
            #expect(error == nil || error as? TimeoutError == TimeoutError(deadline: deadline))
            if error == nil { try lock.unlock() }
            #expect(try second.join())
            #expect(!lock.isLocked && lock.waiting == 0)
        }
        try await forEachSeed(1...100) { _ in
            let lock = Lock()
            try await lock.lock()
            let deadline = Deadline.after(.milliseconds(2))
            let first = taskHere { try await lock.lock(deadline: deadline) }
            try await yieldTaskUntil("the first waits") { lock.waiting == 1 }
            let second = taskHere { try await lock.withLock { true } }
            try await yieldTaskUntil("the second waits") { lock.waiting == 2 }
            try await Scheduler.sleep(until: deadline)
            try lock.unlock()
            let error = await errorThrown { try await first.value }
            #expect(error == nil || error as? TimeoutError == TimeoutError(deadline: deadline))
            if error == nil { try lock.unlock() }
            #expect(try await second.value)
            #expect(!lock.isLocked && lock.waiting == 0)
        }
    }
}
