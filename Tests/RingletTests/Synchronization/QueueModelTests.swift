import RingletTesting
import Testing

@testable import Ringlet

/// Queues under programs that chance has written: nothing is lost, nothing is doubled, and the order is kept.
@Suite(.timeLimit(.patient)) struct QueueModelTests {
    static let orders = ["first in", "last in", "priority"]

    private static func queue<Element: Sendable>(
        _ order: String, capacity: Int = .max, by precedes: @escaping @Sendable (Element, Element) -> Bool
    ) -> Queue<Element> {
        switch order {
        case "first in": Queue(.firstInFirstOut, capacity: capacity)
        case "last in": Queue(.lastInFirstOut, capacity: capacity)
        default: Queue(.priority(by: precedes), capacity: capacity)
        }
    }

    @Test(arguments: orders)
    func `a queue that nobody waits at gives what an array gives`(order: String) throws {
        struct Entry: Equatable {
            let key: UInt8
            let number: Int
        }
        for seed in UInt64(1)...100 {
            var random = Seeded(seed: seed)
            let queue: Queue<Entry> = Self.queue(order) { $0.key < $1.key }
            var model: [Entry] = []
            for number in 0..<400 {
                // More puts at first, and more gets at the end.
                if Int.random(in: 0..<400, using: &random) > number {
                    let entry = Entry(key: .random(in: 0..<8, using: &random), number: number)
                    #expect(try queue.tryPut(entry))
                    model.append(entry)
                } else {
                    let place: Int? =
                        switch order {
                        case "first in": model.indices.first
                        case "last in": model.indices.last
                        // The first of equals.
                        default: model.indices.min { model[$0].key < model[$1].key }
                        }
                    let expected = place.map { model.remove(at: $0) }
                    try #require(queue.tryPeek() == expected)
                    try #require(queue.tryGet() == expected)
                }
                #expect(queue.count == model.count)
            }
        }
    }

    @Test(arguments: orders, [Colour.fiber, .task])
    func `an element that comes back is the next again`(order: String, colour: Colour) async throws {
        let alive = Counter()
        try await withScheduler { scheduler in
            let queue: Queue<Parcel> = Self.queue(order) { $0.number / 10 < $1.number / 10 }
            let getter = Strand(colour, on: scheduler) {
                _ = try queue.get()
            } async: {
                _ = try await queue.get()
            }
            try await awaitUntil("it waits") { queue.balance == -1 }
            // In one turn of the worker on which the getter waits.
            try await scheduler.spawn {
                for number in [11, 10, 12, 5] { _ = try queue.tryPut(Parcel(number, alive)) }
                getter.cancel()
            }.join()
            #expect(await getter.failure is CancellationError)
            var got: [Int] = []
            while let token = try queue.tryGet() { got.append(token.number) }
            switch order {
            case "first in": #expect(got == [11, 10, 12, 5])
            case "last in": #expect(got == [11, 5, 12, 10])
            // Before its equals.
            default: #expect(got == [5, 11, 10, 12])
            }
        }
        #expect(alive.value == 0)
    }

    /// Getters and putters, some of whom are cancelled or run out of time at any point of their waits.
    @Test(arguments: orders, [Colour.fiber, .task])
    func `a wait that ends early loses nothing, wherever it is`(order: String, colour: Colour) async throws {
        try await forEachSeed(1...100) { seed in
            let alive = Counter()
            let scheduler = try #require(Scheduler.current)
            var random = Seeded(seed: seed)
            let queue: Queue<Parcel> = Self.queue(order, capacity: .random(in: 1...3, using: &random)) {
                $0.number % 5 < $1.number % 5
            }
            let put = Journal<Int>()
            let got = Journal<Int>()
            var strands: [Strand] = []
            for number in 0..<24 {
                let deadline: Deadline =
                    Int.random(in: 0..<4, using: &random) == 0
                    ? .after(.milliseconds(Int.random(in: 0...3, using: &random))) : .never
                if Bool.random(using: &random) {
                    strands.append(
                        Strand(colour, on: scheduler) {
                            try queue.put(Parcel(number, alive), deadline: deadline)
                            put.note(number)
                        } async: {
                            try await queue.put(Parcel(number, alive), deadline: deadline)
                            put.note(number)
                        })
                } else {
                    strands.append(
                        Strand(colour, on: scheduler) {
                            got.note(try queue.get(deadline: deadline).number)
                            try queue.taskDone()
                        } async: {
                            got.note(try await queue.get(deadline: deadline).number)
                            try queue.taskDone()
                        })
                }
                switch Int.random(in: 0..<6, using: &random) {
                case 0: try await Task.sleep(for: .milliseconds(1))
                case 1: await Task.yield()
                case 2, 3: strands.randomElement(using: &random)?.cancel()
                default: break
                }
            }
            // Those who wait in the end do so with reason: on one side only, and with nothing for them.
            try await awaitUntil("nobody waits without a reason") {
                (queue.balance <= 0 || queue.isFull) && (queue.balance >= 0 || queue.isEmpty)
            }
            for strand in strands { strand.cancel() }
            for strand in strands {
                let failure = await strand.failure
                #expect(failure == nil || failure is CancellationError || failure is TimeoutError)
            }
            #expect(queue.balance == 0)
            #expect(queue.unfinished == queue.count)
            while let token = try queue.tryGet() {
                got.note(token.number)
                try queue.taskDone()
            }
            #expect(got.all.sorted() == put.all.sorted())
            try await queue.join()
            #expect(alive.value == 0)
        }
    }

    @Test(arguments: orders, 0..<8)
    func `workers and threads share the work of a queue, and all of it is done once`(order: String, seed: UInt64)
        async throws
    {
        let alive = Counter()
        try await withScheduler(workers: 2) { scheduler in
            var random = Seeded(seed: seed)
            let queue: Queue<Parcel> = Self.queue(order, capacity: .random(in: 1...5, using: &random)) {
                $0.number % 5 < $1.number % 5
            }
            let done = Journal<Int>()
            let count = 150
            let workers = (0..<5).map { number in
                Strand(Colour.allCases.randomElement(using: &random)!, on: scheduler, worker: number % 2) {
                    for token in queue {
                        done.note(token.number)
                        try queue.taskDone()
                    }
                } async: {
                    for try await token in queue {
                        done.note(token.number)
                        try queue.taskDone()
                    }
                }
            }
            let putters = (0..<3).map { number in
                Strand(Colour.allCases.randomElement(using: &random)!, on: scheduler, worker: number % 2) {
                    for element in 0..<count { try queue.put(Parcel(number * count + element, alive)) }
                } async: {
                    for element in 0..<count { try await queue.put(Parcel(number * count + element, alive)) }
                }
            }
            for putter in putters { try await putter.end() }
            try await awaitUntil("all is done") { done.count == 3 * count }
            try await queue.join(deadline: .after(patience))
            #expect(done.all.sorted() == Array(0..<3 * count))
            queue.shutdown(immediately: seed % 2 == 0)
            for worker in workers { try await worker.end() }
            #expect(queue.unfinished == 0 && queue.isEmpty)
        }
        #expect(alive.value == 0)
    }
}
