import RingletTesting
import Testing

@testable import Ringlet

/// Queues as asyncio's and gevent's promise them, under a hundred orders where the order is free.
@Suite(.timeLimit(.patient)) struct QueueTests {
    private static let simulated: [Colour] = [.fiber, .task]

    @Test(arguments: simulated)
    func `71: a full queue lets those who put wait, and admits them in their order`(colour: Colour) async throws {
        try await forEachSeed(1...100) { _ in
            let scheduler = try #require(Scheduler.current)
            let queue = Queue<Int>(capacity: 1)
            try await queue.put(0)
            #expect(try !queue.tryPut(9))
            var putters: [Strand] = []
            for number in 1...2 {
                putters.append(
                    Strand(colour, on: scheduler) {
                        try queue.put(number)
                    } async: {
                        try await queue.put(number)
                    })
                try await awaitUntil("it waits") { queue.balance == number }
            }
            #expect(queue.isFull && queue.count == 1)
            // The place goes to the first, and who comes now cannot overtake.
            #expect(try queue.tryGet() == 0)
            #expect(try !queue.tryPut(9))
            #expect(queue.balance == 1)
            #expect(try queue.tryGet() == 1)
            #expect(try queue.tryGet() == 2)
            #expect(try queue.tryGet() == nil)
            for putter in putters { try await putter.end() }
        }
    }

    @Test(arguments: simulated)
    func `71: those who get wait, and are served in their order`(colour: Colour) async throws {
        try await forEachSeed(1...100) { seed in
            let scheduler = try #require(Scheduler.current)
            let queue = [Queue<Int>(), Queue(.lastInFirstOut), Queue(.priority)][Int(seed % 3)]
            let served = Shared<[Int: Int]>([:])
            var getters: [Strand] = []
            for number in 0..<4 {
                getters.append(
                    Strand(colour, on: scheduler) {
                        let element = try queue.get()
                        served.value[number] = element
                    } async: {
                        let element = try await queue.get()
                        served.value[number] = element
                    })
                try await awaitUntil("it waits") { queue.balance == -number - 1 }
            }
            for element in [3, 1, 2, 0] { #expect(try queue.tryPut(element)) }
            #expect(try queue.tryGet() == nil)
            for getter in getters { try await getter.end() }
            #expect(served.value == [0: 3, 1: 1, 2: 2, 3: 0])
        }
    }

    @Test(arguments: simulated)
    func `71: the newest first, and by priority`(colour: Colour) async throws {
        struct Job: Equatable {
            let priority: Int
            let name: String
        }
        try await forEachSeed(1...100) { seed in
            let scheduler = try #require(Scheduler.current)
            let stack = Queue([0, 1], .lastInFirstOut, capacity: 3)
            let jobs = Queue<Job>(.priority { $0.priority < $1.priority }, capacity: 5)
            let names = Array("abcde").map(String.init)
            let order = Journal<Int>()
            let urgent = Journal<Job>()
            try await Strand(colour, on: scheduler) {
                try stack.put(2)
                for (number, name) in names.enumerated() { try jobs.put(Job(priority: -(number % 3), name: name)) }
                for _ in 0..<3 { order.note(try stack.get()) }
                for _ in 0..<5 { urgent.note(try jobs.get()) }
            } async: {
                try await stack.put(2)
                for (number, name) in names.enumerated() {
                    try await jobs.put(Job(priority: -(number % 3), name: name))
                }
                for _ in 0..<3 { order.note(try await stack.get()) }
                for _ in 0..<5 { urgent.note(try await jobs.get()) }
            }.end()
            #expect(order.all == [2, 1, 0])
            // Equals come as they were put.
            #expect(urgent.all.map(\.name) == ["c", "b", "e", "a", "d"])
        }
    }

    @Test(arguments: simulated)
    func `71: a join waits for what was put to be done`(colour: Colour) async throws {
        try await forEachSeed(1...100) { _ in
            let scheduler = try #require(Scheduler.current)
            let queue = Queue<Int>(capacity: 2)
            // Nothing was put, so there is nothing to wait for.
            try await queue.join()
            #expect(throws: QueueError.nothingUnfinished) { try queue.taskDone() }
            let done = Counter()
            let workers = (0..<2).map { _ in
                Strand(colour, on: scheduler) {
                    for _ in queue {
                        try Fiber.yield()
                        done.add()
                        try queue.taskDone()
                    }
                } async: {
                    for try await _ in queue {
                        await Task.yield()
                        done.add()
                        try queue.taskDone()
                    }
                }
            }
            for number in 0..<7 { try await queue.put(number) }
            try await Strand(colour, on: scheduler) {
                try queue.join()
            } async: {
                try await queue.join()
            }.end()
            #expect(done.value == 7)
            #expect(queue.unfinished == 0)
            #expect(throws: QueueError.nothingUnfinished) { try queue.taskDone() }
            queue.shutdown()
            for worker in workers { try await worker.end() }
        }
    }

    @Test(arguments: simulated)
    func `a look leaves the element, and waits for one that nobody took`(colour: Colour) async throws {
        try await forEachSeed(1...100) { _ in
            let scheduler = try #require(Scheduler.current)
            let queue = Queue<Int>(.priority)
            #expect(try queue.tryPeek() == nil)
            let seen = Journal<Int>()
            let look = {
                Strand(colour, on: scheduler) {
                    seen.note(try queue.peek())
                } async: {
                    seen.note(try await queue.peek())
                }
            }
            let watchers = [look(), look()]
            try await awaitUntil("they wait") { queue.core.locked { $0.watchers.count } == 2 }
            let getter = Strand(colour, on: scheduler) {
                _ = try queue.get()
            } async: {
                _ = try await queue.get()
            }
            try await awaitUntil("it waits") { queue.balance == -1 }
            // The getter's, which nobody sees.
            #expect(try queue.tryPut(5))
            try await getter.end()
            #expect(seen.count == 0)
            #expect(try queue.tryPut(7))
            for watcher in watchers { try await watcher.end() }
            #expect(seen.all == [7, 7])
            #expect(try queue.tryPut(6))
            #expect(try queue.tryPeek() == 6)
            #expect(queue.count == 2)
            let interrupted = Queue<Int>()
            let deadline = Deadline.after(.seconds(2))
            await #expect(throws: TimeoutError(deadline: deadline)) { _ = try await interrupted.peek(deadline: deadline) }
            #expect(interrupted.core.locked { $0.watchers.isEmpty })
            interrupted.shutdown()
            #expect(throws: QueueError.shutDown) { _ = try interrupted.tryPeek() }
        }
    }

    @Test(arguments: simulated)
    func `a wait ends at its deadline, with nothing put and nothing got`(colour: Colour) async throws {
        try await forEachSeed(1...100) { _ in
            let scheduler = try #require(Scheduler.current)
            let queue = Queue<Int>(capacity: 1)
            let deadline = Deadline.after(.seconds(3))
            let getter = Strand(colour, on: scheduler) {
                _ = try queue.get(deadline: deadline)
            } async: {
                _ = try await queue.get(deadline: deadline)
            }
            #expect(await getter.failure as? TimeoutError == TimeoutError(deadline: deadline))
            #expect(Simulation.now == .seconds(3))
            try await queue.put(1)
            let late = Deadline.after(.seconds(3))
            let waits = [
                Strand(colour, on: scheduler) {
                    try queue.put(2, deadline: late)
                } async: {
                    try await queue.put(2, deadline: late)
                },
                Strand(colour, on: scheduler) {
                    try queue.join(deadline: late)
                } async: {
                    try await queue.join(deadline: late)
                },
            ]
            for wait in waits { #expect(await wait.failure as? TimeoutError == TimeoutError(deadline: late)) }
            #expect(queue.count == 1 && queue.balance == 0 && queue.unfinished == 1)
            #expect(try queue.tryGet() == 1)
        }
    }

    @Test(arguments: Colour.allCases)
    func `a select gets from one queue or puts into another`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let full = Queue([1], capacity: 1)
            let empty = Queue<Int>(.priority)
            let chosen = Journal<String>()
            let strand = Strand(colour, on: scheduler) {
                for _ in 0..<3 {
                    chosen.note(
                        try select(.put(2, in: full) { "put" }, .get(from: empty) { "got \($0 ?? -1)" }))
                }
            } async: {
                for _ in 0..<3 {
                    chosen.note(
                        try await select(.put(2, in: full) { "put" }, .get(from: empty) { "got \($0 ?? -1)" }))
                }
            }
            try await awaitUntil("it waits") { empty.balance == -1 }
            #expect(try empty.tryPut(7))
            try await awaitUntil("it waits again") { chosen.count == 1 && empty.balance == -1 }
            #expect(try full.tryGet() == 1)
            try await awaitUntil("it waits again") { chosen.count == 2 && empty.balance == -1 }
            #expect(try full.tryPeek() == 2)
            #expect(full.unfinished == 2)
            empty.shutdown()
            try await strand.end()
            #expect(chosen.all == ["got 7", "put", "got -1"])
            full.shutdown()
            #expect(throws: QueueError.shutDown) { try select(.put(2, in: full) {}, otherwise: {}) }
        }
    }

    @Test func `a queue without room, or with too much in it, is refused`() async {
        await #expect(processExitsWith: .failure) { _ = Queue<Int>(capacity: 0) }
        await #expect(processExitsWith: .failure) { _ = Queue([1, 2], capacity: 1) }
    }
}
