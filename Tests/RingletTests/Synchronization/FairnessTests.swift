import Testing

@testable import Ringlet

/// Who has waited longest is served first, under every order in which the others run; and nobody is lost between rounds.
@Suite(.timeLimit(.patient)) struct FairnessTests {
    /// Starts fibers that each begin to wait before the next, and gives what they note, in the order in which they note it.
    private static func order(
        _ count: Int, waiting: @escaping @Sendable () -> Int, _ wait: @escaping @Sendable (Int) throws -> Void,
        _ serve: () throws -> Void
    ) throws -> [Int] {
        let served = Journal<Int>()
        var fibers: [Fiber<Void>] = []
        for number in 0..<count {
            let before = waiting()
            fibers.append(
                Fiber {
                    try wait(number)
                    served.note(number)
                })
            try yieldUntil("it waits") { waiting() == before + 1 }
        }
        try serve()
        for fiber in fibers { try fiber.join() }
        return served.all
    }

    @Test func `senders of a channel are served in the order in which they came`() async throws {
        try await inEveryOrder {
            let channel = Channel<Int>()
            var received: [Int] = []
            _ = try Self.order(8, waiting: { channel.balance }) { try channel.send($0) } _: {
                for _ in 0..<8 { received.append(try channel.receive()) }
            }
            #expect(received == Array(0..<8))
        }
    }

    @Test func `tokens go to who has waited longest`() async throws {
        try await inEveryOrder {
            let limiter = CapacityLimiter(capacity: 1)
            try limiter.acquire()
            let order = Journal<Int>()
            _ = try Self.order(8, waiting: { limiter.waiting }) { number in
                try limiter.withToken { order.note(number) }
            } _: {
                try limiter.release()
            }
            #expect(order.all == Array(0..<8))
            #expect(limiter.available == 1)
        }
    }

    @Test func `a recursive lock goes to who has waited longest, also when it is held twice`() async throws {
        try await inEveryOrder {
            let lock = RecursiveLock()
            let order = Journal<Int>()
            try lock.lock()
            try lock.lock()
            _ = try Self.order(8, waiting: { lock.waiting }) { number in
                try lock.withLock {
                    order.note(number)
                    try Fiber.yield()
                }
            } _: {
                try lock.unlock()
                try Fiber.yield()
                #expect(order.count == 0)
                try lock.unlock()
            }
            #expect(order.all == Array(0..<8))
        }
    }

    @Test func `a condition wakes in the order in which they came`() async throws {
        try await inEveryOrder {
            let condition = Condition()
            let order = Journal<Int>()
            let waiting = Counter()
            _ = try Self.order(8, waiting: { waiting.value }) { number in
                try condition.withLock {
                    waiting.add()
                    try condition.wait()
                    order.note(number)
                }
            } _: {
                for number in 1...4 {
                    try condition.withLock { try condition.notify(2) }
                    try yieldUntil("two have gone on") { order.count == 2 * number }
                }
            }
            // Which of two takes the lock first is free.
            for pair in 0..<4 { #expect(Set(order.all[(2 * pair)..<(2 * pair + 2)]) == [2 * pair, 2 * pair + 1]) }
        }
    }

    @Test func `parties of a barrier that come back at once are of the next round`() async throws {
        try await inEveryOrder {
            let barrier = Barrier(parties: 3)
            let rounds = Journal<Int>()
            let parties = (0..<3).map { _ in
                Fiber {
                    for round in 0..<10 {
                        _ = try barrier.wait()
                        rounds.note(round)
                    }
                }
            }
            for party in parties { try party.join() }
            // Nobody was more than a round ahead: in each round all three have passed the one before.
            var passed = [Int](repeating: 0, count: 10)
            for round in rounds.all {
                if round > 0 { #expect(passed[round - 1] > 0) }
                passed[round] += 1
            }
            #expect(passed.allSatisfy { $0 == 3 } && barrier.waiting == 0)
        }
    }

    @Test(arguments: Colour.allCases)
    func `the last receiver that goes ends the sends that wait`(colour: Colour) async throws {
        try await withScheduler(workers: 2) { scheduler in
            let channel = Channel<Int>()
            let (sender, receiver) = channel.split()
            let copy = try receiver.clone()
            let strand = Strand(colour, on: scheduler) {
                #expect(throws: ChannelError.closed) { try sender.send(1) }
            } async: {
                await #expect(throws: ChannelError.closed) { try await sender.send(1) }
            }
            try await awaitUntil("it waits") { channel.balance == 1 }
            receiver.close()
            #expect(channel.balance == 1)
            copy.close()
            try await strand.end()
        }
    }

    // MARK: What is refused

    @Test func `numbers that make no sense trap with the rule`() async {
        func check(_ result: ExitTest.Result?, _ rule: String) {
            let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
            #expect(output.contains(rule))
        }
        check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = Semaphore(-1) },
            "a semaphore begins with a number of permits that is not negative")
        check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = BoundedSemaphore(-1) },
            "a semaphore begins with a number of permits that is not negative")
        check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { _ = Barrier(parties: 0) },
            "a barrier needs at least one party")
        check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = CapacityLimiter(capacity: -1)
            },
            "a limiter's capacity is not negative")
        check(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Channel<Int>(capacity: -1)
            },
            "a channel's capacity is not negative")
    }
}
