import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct ConditionTests {
    @Test(arguments: Colour.allCases)
    func `a notification of two wakes exactly two, which have the lock again (70)`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let lock = Lock()
            let condition = Condition(lock)
            let woken = Counter()
            var strands: [Strand] = []
            for number in 0..<4 {
                strands.append(
                    Strand(colour, on: scheduler) {
                        try condition.withLock {
                            try condition.wait()
                            #expect(lock.isLocked)
                            woken.add()
                        }
                    } async: {
                        try await condition.withLock {
                            try await condition.wait()
                            if !lock.isLocked { Issue.record("not locked") }
                            woken.add()
                        }
                    })
                try await awaitUntil("it waits") { condition.waiting == number + 1 }
            }
            #expect(!lock.isLocked)
            try await condition.withLock { try condition.notify(2) }
            try await strands[0].end()
            try await strands[1].end()
            #expect(woken.value == 2)
            #expect(condition.waiting == 2)
            try await condition.withLock { try condition.notifyAll() }
            for strand in strands { try await strand.end() }
            #expect(woken.value == 4)
            #expect(!lock.isLocked)
        }
    }

    @Test func `without the lock there is no wait and no notification`() async throws {
        let condition = Condition()
        await #expect(throws: LockError.notHeld) { try await condition.wait() }
        #expect(throws: LockError.notHeld) { try condition.notify() }
        #expect(throws: LockError.notHeld) { try condition.notifyAll() }
        let recursive = Condition(RecursiveLock())
        #expect(throws: LockError.notHeld) { try recursive.notify() }
    }

    @Test(arguments: Colour.cancellable)
    func `a cancelled wait has the lock again before it throws`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let lock = Lock()
            let condition = Condition(lock)
            let order = Journal<String>()
            let strand = Strand(colour, on: scheduler) {
                try condition.withLock {
                    do { try condition.wait() } catch {
                        #expect(lock.isLocked)
                        order.note("thrown")
                        throw error
                    }
                }
            } async: {
                try await condition.withLock {
                    do { try await condition.wait() } catch {
                        if !lock.isLocked { Issue.record("not locked") }
                        order.note("thrown")
                        throw error
                    }
                }
            }
            try await awaitUntil("it waits") { condition.waiting == 1 }
            try await lock.lock()
            strand.cancel()
            try await awaitUntil("it waits for the lock") { lock.waiting == 1 }
            order.note("unlocked")
            try lock.unlock()
            #expect(await strand.failure is CancellationError)
            #expect(order.all == ["unlocked", "thrown"])
            #expect(!lock.isLocked)
        }
    }

    @Test(arguments: [Colour.fiber, .task])
    func `who was notified and is cancelled passes the notification on (53)`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let condition = Condition()
            func waiter() -> Strand {
                Strand(colour, on: scheduler) {
                    try condition.withLock { try condition.wait() }
                } async: {
                    try await condition.withLock { try await condition.wait() }
                }
            }
            let first = waiter()
            try await awaitUntil("the first waits") { condition.waiting == 1 }
            let second = waiter()
            try await awaitUntil("the second waits") { condition.waiting == 2 }
            try await scheduler.spawn {
                try condition.withLock { try condition.notify() }
                first.cancel()
            }.join()
            #expect(await first.failure is CancellationError)
            try await second.end()
            #expect(condition.waiting == 0)
        }
    }

    @Test(arguments: Colour.allCases)
    func `a wait for a predicate ends when it is true, or at the deadline`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let lock = RecursiveLock()
            let condition = Condition(lock)
            let number = Shared(0)
            let strand = Strand(colour, on: scheduler) {
                try condition.withLock {
                    try lock.withLock { try condition.wait { number.value == 2 } }
                    #expect(lock.isOwned)
                }
            } async: {
                try await condition.withLock {
                    try await lock.withLock { try await condition.wait { number.value == 2 } }
                    if !lock.isOwned { Issue.record("not owned") }
                }
            }
            for value in 1...2 {
                try await awaitUntil("it waits") { condition.waiting == 1 }
                try await condition.withLock {
                    number.value = value
                    try condition.notifyAll()
                }
            }
            try await strand.end()
            #expect(!lock.isLocked)
        }
        try await atAnInstant(for: colour) { scheduler, deadline in
            let lock = RecursiveLock()
            let condition = Condition(lock)
            let late = Strand(colour, on: scheduler) {
                try condition.withLock { try condition.wait(deadline: deadline) { false } }
            } async: {
                try await condition.withLock { try await condition.wait(deadline: deadline) { false } }
            }
            #expect(await late.failure as? TimeoutError == TimeoutError(deadline: deadline))
            #expect(!lock.isLocked)
        }
    }
}

@Suite(.timeLimit(.patient)) struct BarrierTests {
    @Test(arguments: Colour.allCases)
    func `each party gets a place of its own, again and again`(colour: Colour) async throws {
        try await withScheduler(workers: 2) { scheduler in
            let barrier = Barrier(parties: 4)
            for _ in 0..<5 {
                let places = Journal<Int>()
                let strands = (0..<4).map { number in
                    Strand(colour, on: scheduler, worker: number % 2) {
                        places.note(try barrier.wait())
                    } async: {
                        places.note(try await barrier.wait())
                    }
                }
                for strand in strands { try await strand.end() }
                #expect(places.all.sorted() == [0, 1, 2, 3])
                #expect(barrier.waiting == 0)
            }
        }
    }

    @Test(arguments: Colour.cancellable)
    func `a party that is cancelled does not count`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let barrier = Barrier(parties: 2)
            let wait = {
                Strand(colour, on: scheduler) { try barrier.wait() } async: { try await barrier.wait() }
            }
            let first = wait()
            try await awaitUntil("it waits") { barrier.waiting == 1 }
            first.cancel()
            #expect(await first.failure is CancellationError)
            let second = wait()
            try await awaitUntil("it waits") { barrier.waiting == 1 }
            let third = wait()
            try await second.end()
            try await third.end()
        }
    }

    @Test(arguments: Colour.allCases)
    func `abort breaks the waits and all that come, reset those that are there (70)`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let barrier = Barrier(parties: 2)
            let wait = {
                Strand(colour, on: scheduler) { try barrier.wait() } async: { try await barrier.wait() }
            }
            var waiting = wait()
            try await awaitUntil("it waits") { barrier.waiting == 1 }
            barrier.abort()
            #expect(await waiting.failure as? BarrierError == .broken)
            #expect(barrier.isBroken)
            #expect(await wait().failure as? BarrierError == .broken)
            barrier.reset()
            waiting = wait()
            try await awaitUntil("it waits") { barrier.waiting == 1 }
            barrier.reset()
            #expect(await waiting.failure as? BarrierError == .broken)
            #expect(!barrier.isBroken)
            let pair = [wait(), wait()]
            for strand in pair { try await strand.end() }
        }
    }
}

@Suite(.timeLimit(.patient)) struct CapacityLimiterTests {
    @Test(arguments: Colour.allCases)
    func `a larger capacity lets waiters go on, and the holders are listed`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let limiter = CapacityLimiter(capacity: 1)
            let release = Event()
            let strands = (0..<3).map { _ in
                Strand(colour, on: scheduler) {
                    try limiter.withToken { try release.wait() }
                } async: {
                    try await limiter.withToken { try await release.wait() }
                }
            }
            try await awaitUntil("one holds") { limiter.holders.count == 1 && limiter.waiting == 2 }
            limiter.capacity = 2
            try await awaitUntil("two hold") { limiter.holders.count == 2 && limiter.waiting == 1 }
            #expect(Set(limiter.holders).count == 2)
            if colour == .fiber { #expect(limiter.holders[0].description.hasPrefix("fiber ")) }
            limiter.capacity = 0
            #expect(limiter.available == 0)
            release.set()
            try await awaitUntil("none holds") { limiter.holders.isEmpty }
            #expect(limiter.waiting == 1)
            limiter.capacity = 1
            for strand in strands { try await strand.end() }
            #expect(limiter.available == 1)
        }
    }

    @Test func `nobody holds two tokens, or gives back another's`() async throws {
        let limiter = CapacityLimiter(capacity: 2)
        let one = CapacityLimiter.Holder.named("one")
        try await limiter.acquire(as: one)
        await #expect(throws: CapacityLimiterError.alreadyHolds(one)) { try await limiter.acquire(as: one) }
        let two = CapacityLimiter.Holder.named("two")
        #expect(throws: CapacityLimiterError.doesNotHold(two)) { try limiter.release(as: two) }
        #expect("\(CapacityLimiterError.doesNotHold(two))" == "two holds no token of the limiter")
        #expect(try limiter.tryAcquire(as: two))
        #expect(limiter.holders == [one, two])
        try limiter.release(as: one)
        #expect(limiter.available == 1)
    }

    @Test func `a token that came with the cancellation goes to the next one (53)`() async throws {
        try await inEveryOrder {
            let limiter = CapacityLimiter(capacity: 1)
            try limiter.acquire()
            let first = Fiber { try limiter.acquire() }
            try yieldUntil("the first waits") { limiter.waiting == 1 }
            let second = Fiber { try limiter.withToken { true } }
            try yieldUntil("the second waits") { limiter.waiting == 2 }
            try limiter.release()
            first.cancel()
            #expect(throws: CancellationError.self) { try first.join() }
            #expect(try second.join())
            #expect(limiter.available == 1)
        }
    }
}
