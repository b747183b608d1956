import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct SemaphoreTests {
    @Test(arguments: Colour.allCases)
    func `permits go to waiters in the order in which they came`(colour: Colour) async throws {
        try await withScheduler(workers: 2) { scheduler in
            let semaphore = Semaphore(2)
            #expect(semaphore.tryAcquire())
            #expect(semaphore.tryAcquire())
            #expect(!semaphore.tryAcquire())
            let order = Journal<Int>()
            var strands: [Strand] = []
            for number in 0..<4 {
                strands.append(
                    Strand(colour, on: scheduler, worker: number % 2) {
                        try semaphore.acquire()
                        order.note(number)
                        semaphore.release()
                    } async: {
                        try await semaphore.acquire()
                        order.note(number)
                        semaphore.release()
                    })
                try await awaitUntil("it waits") { semaphore.waiting == number + 1 }
            }
            semaphore.release()
            for strand in strands { try await strand.end() }
            #expect(order.all == [0, 1, 2, 3])
            #expect(semaphore.available == 1)
        }
    }

    @Test func `a permit handed over is not for who comes meanwhile`() async throws {
        try await Scheduler.run {
            let semaphore = Semaphore(0)
            let waiter = Fiber { try semaphore.acquire() }
            try yieldUntil("it waits") { semaphore.waiting == 1 }
            semaphore.release()
            #expect(!semaphore.tryAcquire())
            semaphore.release()
            #expect(semaphore.tryAcquire())
            try waiter.join()
        }
    }

    @Test func `a bounded semaphore refuses to be released beyond its bound (70)`() async throws {
        let semaphore = BoundedSemaphore(2)
        #expect(throws: SemaphoreError.released(beyond: 2)) { try semaphore.release() }
        #expect("\(SemaphoreError.released(beyond: 2))" == "the semaphore was released beyond its bound of 2")
        try await semaphore.withPermit { () async in #expect(semaphore.available == 1) }
        #expect(semaphore.available == 2)
        let unbounded = Semaphore(0)
        unbounded.release()
        unbounded.release()
        #expect(unbounded.available == 2)
    }

    @Test func `a bounded semaphore without permits refuses one also while somebody waits`() async throws {
        try await inEveryOrder {
            let semaphore = BoundedSemaphore(0)
            let waiter = Fiber { try semaphore.acquire() }
            try yieldUntil("it waits") { semaphore.waiting == 1 }
            #expect(throws: SemaphoreError.released(beyond: 0)) { try semaphore.release() }
            #expect(semaphore.waiting == 1)
            waiter.cancel()
            #expect(throws: CancellationError.self) { try waiter.join() }
            #expect(throws: SemaphoreError.released(beyond: 0)) { try semaphore.release() }
        }
    }

    @Test(arguments: Colour.cancellable)
    func `a permit that came with the cancellation goes to the next one (53)`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let semaphore = Semaphore(0)
            func waiter() -> Strand {
                Strand(colour, on: scheduler) {
                    try semaphore.acquire()
                } async: {
                    try await semaphore.acquire()
                }
            }
            for _ in 0..<20 {
                let first = waiter()
                try await awaitUntil("it waits") { semaphore.waiting == 1 }
                let second = waiter()
                try await awaitUntil("they wait") { semaphore.waiting == 2 }
                // In one turn of their worker, or as near together as threads come.
                await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                    scheduler.spawn {
                        semaphore.release()
                        first.cancel()
                        continuation.resume()
                    }
                }
                let failure = await first.failure
                if colour == .fiber || colour == .task { #expect(failure is CancellationError) }
                // Where the first had gone on before it was cancelled, it has the permit.
                if failure == nil { semaphore.release() }
                try await second.end()
                #expect(semaphore.available == 0)
                #expect(semaphore.waiting == 0)
            }
        }
    }

    @Test(arguments: Colour.allCases)
    func `a deadline ends the wait for a permit`(colour: Colour) async throws {
        try await atAnInstant(for: colour) { scheduler, deadline in
            let semaphore = BoundedSemaphore(0)
            let strand = Strand(colour, on: scheduler) {
                try semaphore.acquire(deadline: deadline)
            } async: {
                try await semaphore.acquire(deadline: deadline)
            }
            #expect(await strand.failure as? TimeoutError == TimeoutError(deadline: deadline))
            #expect(semaphore.waiting == 0)
        }
    }

    @Test(arguments: zip(Colour.allCases, [Colour.thread, .task, .fiber, .thread, .thread]))
    func `two threads share a semaphore ten thousand times, and neither starves (77)`(
        one: Colour, other: Colour
    ) async throws {
        try await withScheduler(workers: 2) { scheduler in
            let semaphore = Semaphore(1)
            let inside = Counter()
            let rounds = 10_000
            let strands = [one, other].enumerated().map { worker, colour in
                Strand(colour, on: scheduler, worker: worker) {
                    for _ in 0..<rounds {
                        try semaphore.acquire()
                        #expect(inside.add() == 1)
                        inside.add(-1)
                        semaphore.release()
                    }
                } async: {
                    for _ in 0..<rounds {
                        try await semaphore.acquire()
                        if inside.add() != 1 { Issue.record("two are inside") }
                        inside.add(-1)
                        semaphore.release()
                    }
                }
            }
            for strand in strands { try await strand.end() }
            #expect(semaphore.available == 1)
        }
    }
}
