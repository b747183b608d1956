import RingletTesting
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct LockTests {
    @Test(arguments: Colour.allCases, Colour.allCases)
    func `a lock goes from one strand to the next, in the order in which they came (70)`(
        first: Colour, second: Colour
    ) async throws {
        try await withScheduler(workers: 2) { scheduler in
            let lock = Lock()
            let order = Journal<Int>()
            try await lock.lock()
            var strands: [Strand] = []
            for number in 0..<4 {
                strands.append(
                    Strand(number % 2 == 0 ? first : second, on: scheduler, worker: number / 2) {
                        try lock.withLock { order.note(number) }
                    } async: {
                        try await lock.withLock { order.note(number) }
                    })
                try await awaitUntil("strand \(number) waits") { lock.waiting == number + 1 }
            }
            #expect(lock.isLocked)
            #expect(!lock.tryLock())
            try lock.unlock()
            for strand in strands { try await strand.end() }
            #expect(order.all == [0, 1, 2, 3])
            #expect(!lock.isLocked)
        }
    }

    @Test func `who comes to a lock that was handed over does not overtake (70)`() async throws {
        try await inEveryOrder {
            let lock = Lock()
            let order = Journal<String>()
            try lock.lock()
            let waiter = Fiber {
                try lock.lock()
                order.note("waiter")
                try lock.unlock()
            }
            try yieldUntil("it waits") { lock.waiting == 1 }
            try lock.unlock()
            // Handed over; the waiter has not run yet.
            #expect(!lock.tryLock())
            try lock.lock()
            order.note("latecomer")
            try lock.unlock()
            try waiter.join()
            #expect(order.all == ["waiter", "latecomer"])
        }
    }

    @Test func `a lock that nobody holds cannot be unlocked`() async throws {
        let lock = Lock()
        let error = errorThrown { try lock.unlock() }
        #expect(error as? LockError == .notHeld)
        #expect("\(LockError.notHeld)" == "the lock is not held")
        try await lock.lock()
        try lock.unlock()
        #expect(throws: LockError.notHeld) { try lock.unlock() }
    }

    @Test(arguments: Colour.cancellable)
    func `a waiter that is cancelled leaves, and the others keep their order`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let lock = Lock()
            try await lock.lock()
            let order = Journal<Int>()
            var strands: [Strand] = []
            for number in 0..<3 {
                strands.append(
                    Strand(colour, on: scheduler) {
                        try lock.withLock { order.note(number) }
                    } async: {
                        try await lock.withLock { order.note(number) }
                    })
                try await awaitUntil("it waits") { lock.waiting == number + 1 }
            }
            strands[1].cancel()
            #expect(await strands[1].failure is CancellationError)
            #expect(lock.waiting == 2)
            try lock.unlock()
            try await strands[0].end()
            try await strands[2].end()
            #expect(order.all == [0, 2])
            #expect(!lock.isLocked)
        }
    }

    @Test(arguments: Colour.allCases)
    func `a deadline ends the wait`(colour: Colour) async throws {
        try await atAnInstant(for: colour) { scheduler, deadline in
            let lock = Lock()
            try await lock.lock()
            let strand = Strand(colour, on: scheduler) {
                try lock.lock(deadline: deadline)
            } async: {
                try await lock.lock(deadline: deadline)
            }
            #expect(await strand.failure as? TimeoutError == TimeoutError(deadline: deadline))
            #expect(lock.waiting == 0)
            try lock.unlock()
            #expect(lock.tryLock())
        }
    }

    @Test func `a lock handed to a fiber that is cancelled in the same turn goes to the next (53)`() async throws {
        try await inEveryOrder {
            let lock = Lock()
            try lock.lock()
            let first = Fiber { try lock.lock() }
            try yieldUntil("the first waits") { lock.waiting == 1 }
            let second = Fiber { try lock.withLock { true } }
            try yieldUntil("the second waits") { lock.waiting == 2 }
            try lock.unlock()
            first.cancel()
            #expect(throws: CancellationError.self) { try first.join() }
            #expect(try second.join())
            #expect(!lock.isLocked)
        }
    }

    @Test func `a lock handed to a task that is cancelled in the same turn goes to the next (53)`() async throws {
        try await withScheduler { scheduler in
            let lock = Lock()
            let executor = scheduler.taskExecutor
            try await Task(executorPreference: executor) {
                try await lock.lock()
                let first = Task(executorPreference: executor) { try await lock.lock() }
                try await awaitUntil("the first waits") { lock.waiting == 1 }
                let second = Task(executorPreference: executor) { try await lock.withLock { true } }
                try await awaitUntil("the second waits") { lock.waiting == 2 }
                // On their worker, so neither runs in between.
                try lock.unlock()
                first.cancel()
                await #expect(throws: CancellationError.self) { try await first.value }
                #expect(try await second.value)
                #expect(!lock.isLocked)
            }.value
        }
    }

    @Test func `a lock handed over in the turn in which the deadline passes goes to the next (53)`() async throws {
        try await forEachSeed(1...100) { _ in
            let clock = try #require(CurrentThread.worker?.shared.kernel.simulation?.clock)
            let lock = Lock()
            try lock.lock()
            let deadline = Deadline.after(.seconds(20))
            let first = Fiber { try lock.lock(deadline: deadline) }
            try yieldUntil("the first waits") { lock.waiting == 1 }
            let second = Fiber { try lock.withLock { true } }
            try yieldUntil("the second waits") { lock.waiting == 2 }
            // Handed over before the deadline; the fiber runs after it.
            try lock.unlock()
            #expect(lock.waiting == 1 && deadline > .now)
            clock.advance(by: 21_000_000_000)
            #expect(throws: TimeoutError(deadline: deadline)) { try first.join() }
            #expect(try second.join())
            #expect(!lock.isLocked)
        }
    }

    // MARK: Recursive

    @Test(arguments: Colour.allCases, Colour.allCases)
    func `a recursive lock is unlocked by its owner only, as often as it was locked (75)`(
        owner: Colour, other: Colour
    ) async throws {
        try await withScheduler(workers: 2) { scheduler in
            let lock = RecursiveLock()
            let isHeld = Flag()
            let wasRefused = Flag()
            let holder = Strand(owner, on: scheduler) {
                try lock.lock()
                try lock.withLock { #expect(lock.isOwned) }
                #expect(lock.tryLock())
                try lock.unlock()
                isHeld.set()
                if FiberRef.current == nil {
                    try blockUntil("refused") { wasRefused.isSet }
                } else {
                    try yieldUntil("refused") { wasRefused.isSet }
                }
                #expect(lock.isOwned)
                try lock.unlock()
                #expect(throws: LockError.notHeld) { try lock.unlock() }
            } async: {
                try await lock.lock()
                try await lock.withLock { #expect(lock.isOwned) }
                #expect(lock.tryLock())
                try lock.unlock()
                isHeld.set()
                try await awaitUntil("refused") { wasRefused.isSet }
                #expect(lock.isOwned)
                try lock.unlock()
                #expect(throws: LockError.notHeld) { try lock.unlock() }
            }
            try await awaitUntil("held") { isHeld.isSet }
            let check: @Sendable () -> Void = {
                #expect(!lock.isOwned)
                #expect(!lock.tryLock())
                #expect(throws: LockError.notOwner) { try lock.unlock() }
            }
            try await Strand(other, on: scheduler, worker: 1, check, async: { check() }).end()
            wasRefused.set()
            try await holder.end()
            #expect(!lock.isLocked)
        }
    }

    @Test func `what a fiber awaits in place is its own strand`() async throws {
        try await Scheduler.run {
            let lock = RecursiveLock()
            try lock.lock()
            try Fiber.await {
                try await lock.lock()
                try lock.unlock()
            }
            try lock.unlock()
        }
    }

    @Test func `a lock that would block a worker's thread names the rule`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let lock = Lock()
            try await lock.lock()
            let scheduler = try Scheduler()
            try await Task(executorPreference: scheduler.taskExecutor) { try Self.lockSynchronously(lock) }.value
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("lock.lock() would block a worker's thread; in a task, await lock.lock()"))
    }

    private static func lockSynchronously(_ lock: Lock) throws { try lock.lock() }
}
