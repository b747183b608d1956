import Ringlet
import Synchronization

/// A failure that is part of the load.
private struct DeliberateError: Error {
    let number: Int
}

/// Numbers that many count, each once. Any thread.
private final class Account: Sendable {
    private let state = Mutex((count: 0, sum: 0))

    func add(_ number: Int) { state.withLock { $0 = ($0.count + 1, $0.sum + number) } }
    var total: (count: Int, sum: Int) { state.withLock { $0 } }
}

/// Loads of what lies between fibers: channels, groups, generators and coroutines.
extension StressFamilies {
    // MARK: Channels

    /// Sends numbers to receivers on all workers, of which a seed cancels some: each number that was sent is received
    /// once, or is still in the channel.
    func exchange(_ random: inout SeededGenerator) throws {
        let channel = Channel<Int>(capacity: max(0, Int.random(in: -8...16, using: &random)))
        let (sent, received) = (Account(), Account())
        let ledger = ledger
        let senders = (0..<Int.random(in: 1...4, using: &random)).map { number in
            let (count, seed) = (Int.random(in: 1...60, using: &random), random.next())
            return ledger.spawn(on: scheduler, worker: anyWorker(&random), name: "sender") {
                var random = SeededGenerator(seed: seed)
                for value in 0..<count {
                    let isHasty = Int.random(in: 0..<8, using: &random) == 0
                    let pause = Duration.microseconds(Int.random(in: 0...200, using: &random))
                    let deadline = isHasty ? Deadline.after(pause) : .never
                    do {
                        try channel.send(number * 1000 + value, deadline: deadline)
                        sent.add(number * 1000 + value)
                    } catch is TimeoutError { ledger.count { $0.timedOut += 1 } }
                }
            }
        }
        let receivers = (0..<Int.random(in: 1...4, using: &random)).map { _ in
            ledger.spawn(on: scheduler, worker: anyWorker(&random), name: "receiver") {
                while let value = try channel.unlessClosed({ try $0.receive() }) { received.add(value) }
            }
        }
        // Nobody cancels this one, so no sender waits for ever.
        let executor = scheduler.taskExecutor(ofWorker: anyWorker(&random))
        let last = Task(executorPreference: executor) {
            do {
                while let value = try await channel.unlessClosed({ try await $0.receive() }) { received.add(value) }
            } catch {
                ledger.settle(error, "receiver", isCancelled: false)
            }
        }
        for fiber in senders + receivers where Int.random(in: 0..<4, using: &random) == 0 {
            try? Fiber.sleep(for: .microseconds(Int.random(in: 0...300, using: &random)))
            fiber.cancel()
        }
        try withoutCancellation {
            // Thrown for one that was cancelled before it began.
            for fiber in senders { try? fiber.join() }
            channel.close()
            for fiber in receivers { try? fiber.join() }
            try Fiber.await { await last.value }
        }
        while let value = try channel.unlessClosed({ try $0.tryReceive() }) { received.add(value) }
        guard sent.total == received.total else {
            throw StressFailure(description: "a channel was sent \(sent.total), and gave \(received.total)")
        }
        ledger.count { $0.messages += received.total.count }
    }

    // MARK: Groups

    /// Opens a group of fibers and tasks, of which one may fail: its error, and no other, is the group's, and all that
    /// have begun have ended when the group has.
    func gather(_ random: inout SeededGenerator) throws {
        let count = Int.random(in: 1...12, using: &random)
        let failing = Bool.random(using: &random) ? Int.random(in: 0..<count, using: &random) : nil
        let (begun, ended) = (Account(), Account())
        defer {
            if begun.total != ended.total {
                ledger.fail("of a group's children \(begun.total) began, and \(ended.total) ended before it")
            }
        }
        ledger.count { $0.groups += 1 }
        do {
            try withGroup { group in
                for number in 0..<count {
                    let pause = Duration.microseconds(Int.random(in: 0...1500, using: &random))
                    let worker = anyWorker(&random)
                    if number % 3 == 2 {
                        try group.spawn { () async throws in
                            begun.add(number)
                            defer { ended.add(number) }
                            try await Task.sleep(for: pause)
                            if number == failing { throw DeliberateError(number: number) }
                        }
                    } else {
                        try group.spawn(onWorker: worker, name: "member") {
                            begun.add(number)
                            defer { ended.add(number) }
                            try Fiber.sleep(for: pause)
                            if number == failing { throw DeliberateError(number: number) }
                        }
                    }
                }
            }
        } catch let error as GroupError {
            let numbers = error.errors.map { ($0 as? DeliberateError)?.number }
            guard let failing, numbers == [failing] else {
                throw StressFailure(description: "instead of child \(failing ?? -1): \(error)")
            }
            return
        }
        guard failing == nil else { throw StressFailure(description: "a group hid that a child failed") }
    }

    // MARK: Generators and coroutines

    /// Asks a generator, which waits in the middle, for some or all elements, and counts with a coroutine: each element
    /// comes once and in its turn, and what is closed early is unwound.
    func generate(_ random: inout SeededGenerator) throws {
        let count = Int.random(in: 1...200, using: &random)
        let wanted = Bool.random(using: &random) ? count : Int.random(in: 1...count, using: &random)
        let pause = Int.random(in: 1...40, using: &random)
        var isUnwound = false
        let numbers = Generator(of: Int.self, name: "numbers") { yield in
            defer { isUnwound = true }
            for number in 0..<count {
                if number % pause == 0 { try Fiber.yield() }
                try yield(number)
            }
        }
        for expected in 0..<wanted {
            let number = try numbers.next()
            guard number == expected else {
                let found = number.map { "\($0)" } ?? "the end"
                throw StressFailure(description: "instead of element \(expected) a generator gave \(found)")
            }
        }
        if wanted == count {
            guard try numbers.next() == nil else { throw StressFailure(description: "a generator does not end") }
        } else {
            try numbers.close()
        }
        guard isUnwound else { throw StressFailure(description: "a generator was not unwound") }
        try add(upTo: count, closingAt: wanted, &random)
        ledger.count { $0.elements += wanted }
    }

    private func add(upTo limit: Int, closingAt early: Int, _ random: inout SeededGenerator) throws {
        let adder = Coroutine<Int>(name: "adder") { first in
            var sum = first
            while sum < limit { sum += try Coroutine.switchToParent(sum) }
            return sum
        }
        var (sum, steps) = (0, 0)
        while !adder.isFinished && (early == limit || sum < early) {
            let step = Int.random(in: 1...9, using: &random)
            sum += step
            steps += 1
            guard try adder.switch(step) == sum else { throw StressFailure(description: "a coroutine cannot add") }
        }
        try adder.close()
        guard adder.isFinished else { throw StressFailure(description: "a coroutine goes on after its close") }
        ledger.count { $0.elements += steps }
    }
}

extension Channel {
    /// Nil at the end of the channel.
    fileprivate func unlessClosed(_ receive: (Channel) throws -> Element?) throws -> Element? {
        do { return try receive(self) } catch ChannelError.closed { return nil }
    }

    fileprivate func unlessClosed(_ receive: (Channel) async throws -> Element?) async throws -> Element? {
        do { return try await receive(self) } catch ChannelError.closed { return nil }
    }
}
