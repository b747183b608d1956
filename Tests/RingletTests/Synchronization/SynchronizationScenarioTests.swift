import Testing

@testable import Ringlet

/// What locks, events, channels and their like promise, as numbered scenarios: under a hundred orders, of fibers and of
/// tasks. Between threads and workers see the tests of each kind.
@Suite(.timeLimit(.patient)) struct SynchronizationScenarioTests {
    /// The strands of a scenario, which begin to wait one after another.
    private struct Line: Sendable {
        /// Waits, as the one with the given number.
        let wait: @Sendable (Int) throws -> Void
        let waitInTask: @Sendable (Int) async throws -> Void
        let waiting: @Sendable () -> Int
        /// Lets those that wait go on. Does not wait.
        let release: @Sendable () throws -> Void
        /// After the end of all, with their errors.
        let check: @Sendable ([(any Error)?]) throws -> Void
    }

    private static func inBothColours(_ count: Int, _ make: @escaping @Sendable () throws -> Line) async throws {
        try await inEveryOrder { () throws in
            let line = try make()
            let fibers = try (0..<count).map { number in
                let fiber = Fiber { try line.wait(number) }
                try yieldUntil("\(number) waits") { line.waiting() == number + 1 }
                return fiber
            }
            try line.release()
            try line.check(fibers.map { fiber in errorThrown { try fiber.join() } })
        }
        try await inEveryOrder { () async throws in
            let line = try make()
            var tasks: [Task<Void, any Error>] = []
            for number in 0..<count {
                tasks.append(taskHere { try await line.waitInTask(number) })
                try await yieldTaskUntil("\(number) waits") { line.waiting() == number + 1 }
            }
            try line.release()
            var errors: [(any Error)?] = []
            for task in tasks { errors.append(await errorThrown { try await task.value }) }
            try line.check(errors)
        }
    }

    @Test func `scenario 70: four that wait for a lock have it in the order in which they came`() async throws {
        try await Self.inBothColours(4) {
            let lock = Lock()
            let order = Journal<Int>()
            #expect(throws: LockError.notHeld) { try lock.unlock() }
            #expect(lock.tryLock())
            return Line {
                number in try lock.withLock { order.note(number) }
            } waitInTask: { number in
                try await lock.withLock { () async in order.note(number) }
            } waiting: {
                lock.waiting
            } release: {
                try lock.unlock()
                #expect(!lock.tryLock())
            } check: { errors in
                #expect(errors.allSatisfy { $0 == nil } && order.all == [0, 1, 2, 3] && !lock.isLocked)
            }
        }
    }

    @Test func `scenarios 70 and 73: an event that is set and cleared at once wakes all who wait`() async throws {
        try await Self.inBothColours(4) {
            let event = Event()
            return Line {
                _ in try event.wait()
            } waitInTask: { _ in
                try await event.wait()
            } waiting: {
                event.waiting
            } release: {
                event.set()
                event.clear()
            } check: { errors in
                #expect(errors.allSatisfy { $0 == nil } && !event.isSet && event.waiting == 0)
            }
        }
    }

    @Test func `scenario 73: a wait for an event that is not set ends at its deadline`() async throws {
        try await inEveryOrder { () throws in
            let event = Event()
            let deadline = Deadline.after(.milliseconds(2))
            #expect(throws: TimeoutError(deadline: deadline)) { try event.wait(deadline: deadline) }
            #expect(deadline.hasPassed && event.waiting == 0)
        }
        try await inEveryOrder { () async throws in
            let event = Event()
            let deadline = Deadline.after(.milliseconds(2))
            await #expect(throws: TimeoutError(deadline: deadline)) { try await event.wait(deadline: deadline) }
            #expect(deadline.hasPassed && event.waiting == 0)
        }
    }

    @Test func `scenario 70: permits go to waiters in order, and a bounded semaphore has no more than its bound`()
        async throws
    {
        try await Self.inBothColours(3) {
            let semaphore = BoundedSemaphore(1)
            let order = Journal<Int>()
            #expect(throws: SemaphoreError.released(beyond: 1)) { try semaphore.release() }
            #expect(semaphore.tryAcquire())
            return Line {
                number in try semaphore.withPermit { order.note(number) }
            } waitInTask: { number in
                try await semaphore.withPermit { () async in order.note(number) }
            } waiting: {
                semaphore.waiting
            } release: {
                try semaphore.release()
            } check: { errors in
                #expect(errors.allSatisfy { $0 == nil } && order.all == [0, 1, 2] && semaphore.available == 1)
                #expect(throws: SemaphoreError.released(beyond: 1)) { try semaphore.release() }
            }
        }
    }

    @Test func `scenario 70: a notification of two wakes the two that came first`() async throws {
        try await Self.inBothColours(4) {
            let lock = Lock()
            let condition = Condition(lock)
            let woken = Journal<Int>()
            return Line {
                number in
                try condition.withLock {
                    try condition.wait()
                    woken.note(number)
                    // The rest, when both have been here.
                    if woken.count == 2 {
                        #expect(condition.waiting == 2)
                        try condition.notifyAll()
                    }
                }
            } waitInTask: { number in
                try await condition.withLock { () async throws in
                    try await condition.wait()
                    woken.note(number)
                    if woken.count == 2 {
                        #expect(condition.waiting == 2)
                        try condition.notifyAll()
                    }
                }
            } waiting: {
                condition.waiting
            } release: {
                #expect(lock.tryLock())
                try condition.notify(2)
                try lock.unlock()
            } check: { errors in
                #expect(errors.allSatisfy { $0 == nil } && Set(woken.all.prefix(2)) == [0, 1] && woken.count == 4)
                #expect(!lock.isLocked && condition.waiting == 0)
            }
        }
    }

    @Test func `scenario 70: abort breaks the waits at a barrier, and reset mends it`() async throws {
        try await Self.inBothColours(2) {
            let barrier = Barrier(parties: 3)
            return Line {
                _ in try barrier.wait()
            } waitInTask: { _ in
                try await barrier.wait()
            } waiting: {
                barrier.waiting
            } release: {
                barrier.abort()
            } check: { errors in
                #expect(errors.allSatisfy { $0 as? BarrierError == .broken } && barrier.isBroken)
                barrier.reset()
                #expect(!barrier.isBroken && barrier.waiting == 0)
            }
        }
    }

    @Test func `scenario 72: a rendezvous interleaves its two sides, which are tasks`() async throws {
        @Sendable func rendezvous() async throws -> [String] {
            let events = Journal<String>()
            let channel = Channel<String>()
            let receiver = taskHere {
                while true { events.note(try await channel.receive()) }
            }
            try await yieldTaskUntil("it waits") { channel.balance == -1 }
            let sender = taskHere {
                events.note("sending")
                for word in ["hello", "world"] {
                    try await channel.send(word)
                    events.note("sent \(word)")
                }
            }
            try await sender.value
            try await yieldTaskUntil("it waits again") { channel.balance == -1 }
            receiver.cancel()
            await #expect(throws: CancellationError.self) { try await receiver.value }
            return events.all
        }
        // Who of the two goes on first after a word is free, and nothing else: none comes before the one before was sent.
        try await inEveryOrder { () async throws in
            let events = try await rendezvous()
            try #require(events.count == 5)
            #expect(events[0] == "sending" && Set(events[1...2]) == ["hello", "sent hello"])
            #expect(Set(events[3...4]) == ["world", "sent world"])
        }
    }

    @Test func `scenario 74 in a task: never more than two at once, in order, and a full pool refuses`() async throws {
        try await inEveryOrder { () async throws in
            let pool = try FiberPool(capacity: 2)
            let load = FiberPoolTests.Load()
            let doubled = try await pool.map(0..<6) { number in
                try load.during {
                    for _ in 0..<(6 - number) { try Fiber.yield() }
                    return number * 2
                }
            }
            #expect(doubled == [0, 2, 4, 6, 8, 10])
            #expect(load.most == 2)
            let release = Promise<Void>()
            for _ in 0..<2 { try await pool.spawn { try release.value() } }
            #expect(pool.trySpawn {} == nil && pool.freeCount == 0)
            try release.succeed(())
            try await pool.join()
            #expect(pool.freeCount == 2)
        }
    }

    @Test func `scenario 75: a recursive lock is unlocked by its owner only, as often as it was locked`() async throws {
        @Sendable func refused(_ lock: RecursiveLock) {
            #expect(!lock.isOwned && !lock.tryLock())
            #expect(throws: LockError.notOwner) { try lock.unlock() }
        }
        try await inEveryOrder { () throws in
            let lock = RecursiveLock()
            try lock.lock()
            try lock.lock()
            for _ in 0..<2 {
                try Fiber { refused(lock) }.join()
                let inTask = taskHere { refused(lock) }
                try Fiber.await { try await inTask.value }
                #expect(lock.isOwned)
                try lock.unlock()
            }
            #expect(throws: LockError.notHeld) { try lock.unlock() }
            try Fiber { try lock.withLock { #expect(lock.isOwned) } }.join()
        }
        try await inEveryOrder { () async throws in
            let lock = RecursiveLock()
            try await lock.lock()
            try await lock.lock()
            for _ in 0..<2 {
                try await Fiber { refused(lock) }.join()
                try await taskHere { refused(lock) }.value
                #expect(lock.isOwned)
                try lock.unlock()
            }
            #expect(throws: LockError.notHeld) { try lock.unlock() }
            try await taskHere { try await lock.withLock { () async in #expect(lock.isOwned) } }.value
        }
    }

    @Test func `scenario 76: receivers are served in the order in which they came, and the close wakes the rest`()
        async throws
    {
        try await Self.inBothColours(4) {
            let channel = Channel<Int>(capacity: 3)
            let served = Journal<[Int]>()
            return Line {
                number in served.note([number, try channel.receive()])
            } waitInTask: { number in
                served.note([number, try await channel.receive()])
            } waiting: {
                -channel.balance
            } release: {
                let areSent = try (0..<3).map { try channel.trySend($0) }
                #expect(areSent == [true, true, true])
                channel.close()
            } check: { errors in
                #expect(errors.map { $0 as? ChannelError } == [nil, nil, nil, .closed])
                #expect(Set(served.all) == [[0, 0], [1, 1], [2, 2]])
            }
        }
    }
}
