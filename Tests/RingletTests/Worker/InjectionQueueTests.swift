import Foundation
import Synchronization
import Testing

@testable import Ringlet

/// Something to push: an object whose link is where the queue expects it.
private final class Item: @unchecked Sendable {
    // At offset 16. Written by the pusher, read by the taker.
    private var link: UInt = 0
    let producer: Int
    let number: Int

    init(producer: Int, number: Int) {
        self.producer = producer
        self.number = number
    }

    /// The item as something to run, which holds one reference to it.
    var runnable: Runnable {
        let address = unsafe UInt(bitPattern: Unmanaged.passRetained(self).toOpaque())
        return Runnable(address: address, kind: .message)
    }

    /// Gives up the reference.
    static func take(_ runnable: Runnable) -> Item {
        unsafe Unmanaged<Item>
            .fromOpaque(UnsafeRawPointer(bitPattern: runnable.address).unsafelyUnwrapped)
            .takeRetainedValue()
    }
}

/// The queue with a consumer that sleeps as a worker does.
private final class Consumer: Sendable {
    let queue: InjectionQueue
    /// Items that were taken, for producers that wait for it to fall asleep.
    let taken = Counter()

    init() throws { queue = try InjectionQueue() }

    struct Report: Sendable {
        var sleeps = 0
        var misplaced = 0
        var lostWakeUp = false
    }

    /// Takes `count` items; each producer's must come in order.
    func consume(_ count: Int, producers: Int) -> Report {
        var report = Report()
        var ready = RunQueue()
        var next = [Int](repeating: 0, count: producers)
        while taken.value < count {
            _ = queue.drain(into: &ready)
            var items = 0
            while let runnable = ready.pop() {
                let item = Item.take(runnable)
                if item.number != next[item.producer] { report.misplaced += 1 }
                next[item.producer] = item.number + 1
                items += 1
            }
            taken.add(items)
            if items > 0 || taken.value >= count { continue }
            guard queue.park() else { continue }
            report.sleeps += 1
            var poll = pollfd(fd: queue.wake.descriptor, events: Int16(POLLIN), revents: 0)
            if unsafe Glibc.poll(&poll, 1, 30_000) == 0 {
                report.lostWakeUp = true
                break
            }
            var word: UInt64 = 0
            _ = unsafe Glibc.read(queue.wake.descriptor, &word, 8)
            queue.unpark()
        }
        return report
    }

    deinit { queue.wake.close() }
}

@Suite(.timeLimit(.patient)) struct InjectionQueueTests {
    @Test func `what one thread pushes comes out in order`() throws {
        let queue = try InjectionQueue()
        var ready = RunQueue()
        let drained = queue.drain(into: &ready)
        #expect(!drained)
        for number in 0..<1000 { queue.push(Item(producer: 0, number: number).runnable) }
        let full = queue.drain(into: &ready)
        #expect(full)
        let isEmpty = queue.isEmpty
        #expect(isEmpty)
        var numbers: [Int] = []
        while let runnable = ready.pop() { numbers.append(Item.take(runnable).number) }
        #expect(numbers == Array(0..<1000))
        queue.wake.close()
    }

    @Test func `nobody parks over work or over a notification`() throws {
        let queue = try InjectionQueue()
        var ready = RunQueue()
        queue.push(Item(producer: 0, number: 0).runnable)
        let overWork = queue.park()
        #expect(!overWork)
        _ = queue.drain(into: &ready)
        while let runnable = ready.pop() { _ = Item.take(runnable) }
        let overNothing = queue.park()
        #expect(overNothing)
        queue.unpark()
        queue.notify()
        let overNotification = queue.park()
        #expect(!overNotification)
        // The notification was used up.
        let afterwards = queue.park()
        #expect(afterwards)
        queue.unpark()
        queue.wake.close()
    }

    @Test func `four threads push a million items and no wake-up is lost`() async throws {
        let producers = 4
        let perProducer = 250_000
        let consumer = try Consumer()
        async let report = onThread {
            consumer.consume(producers * perProducer, producers: producers)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in 0..<producers {
                group.addTask {
                    try await onThread {
                        for number in 0..<perProducer {
                            consumer.queue.push(Item(producer: producer, number: number).runnable)
                            // Pauses of many lengths, so that pushes meet every step of the consumer's
                            // falling asleep.
                            if number % 100 == producer { for _ in 0..<number % 997 { spin() } }
                            // Now and then all wait for all, and the consumer has nothing to do.
                            if number % 5000 == 0 {
                                try blockUntil("the others") {
                                    consumer.taken.value >= number * producers
                                }
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let result = try await report
        #expect(!result.lostWakeUp)
        #expect(result.misplaced == 0)
        #expect(result.sleeps > 10)
        #expect(consumer.taken.value == producers * perProducer)
    }

    @Test func `two threads push one by one to a consumer that is about to sleep`() async throws {
        let rounds = 20_000
        let consumer = try Consumer()
        async let report = onThread { consumer.consume(rounds * 2, producers: 2) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in 0..<2 {
                group.addTask {
                    try await onThread {
                        for number in 0..<rounds {
                            consumer.queue.push(Item(producer: producer, number: number).runnable)
                            // Until both items of the round are gone the consumer may sleep or not.
                            try blockBriefly { consumer.taken.value >= number * 2 }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let result = try await report
        #expect(!result.lostWakeUp)
        #expect(result.misplaced == 0)
        #expect(result.sleeps > 10)
    }

    @Test func `a worker that sleeps is woken by every message`() async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let handled = Counter()
            try await onThread {
                for round in 1...5000 {
                    worker.perform { _ in handled.add() }
                    try blockBriefly { handled.value == round }
                }
            }
            #expect(handled.value == 5000)
        }
    }
}

@inline(never)
private func spin() {}

/// As `blockUntil`, with pauses that are too short to fall into step with the other side.
private func blockBriefly(_ condition: () -> Bool) throws {
    let limit = Deadline.after(patience)
    var turns = 0
    while !condition() {
        turns += 1
        if turns % 64 == 0 {
            sched_yield()
            if limit.hasPassed { throw WaitedTooLong(what: "the consumer") }
        }
    }
}
