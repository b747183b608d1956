import RingletTesting
import Testing

@testable import Ringlet

/// How queues end, as Python's do since 3.13.
@Suite(.timeLimit(.patient)) struct QueueShutdownTests {
    private static let simulated: [Colour] = [.fiber, .task]

    @Test(arguments: simulated)
    func `71: a graceful shutdown refuses puts, and lets gets have what is there`(colour: Colour) async throws {
        try await forEachSeed(1...100) { _ in
            let scheduler = try #require(Scheduler.current)
            let queue = Queue([1, 2], capacity: 2)
            let putter = Strand(colour, on: scheduler) {
                try queue.put(3)
            } async: {
                try await queue.put(3)
            }
            let joiner = Strand(colour, on: scheduler) {
                try queue.join()
            } async: {
                try await queue.join()
            }
            try await awaitUntil("they wait") { queue.balance == 1 && !queue.core.locked { $0.joiners.isEmpty } }
            queue.shutdown()
            queue.shutdown()
            #expect(queue.isShutDown)
            #expect(await putter.failure as? QueueError == .shutDown)
            #expect(throws: QueueError.shutDown) { _ = try queue.tryPut(4) }
            await #expect(throws: QueueError.shutDown) { try await queue.put(4) }
            var got: [Int] = []
            for try await element in queue { got.append(element) }
            #expect(got == [1, 2])
            #expect(throws: QueueError.shutDown) { _ = try queue.tryGet() }
            // What was got is still to be done.
            #expect(queue.unfinished == 2)
            try queue.taskDone()
            #expect(!queue.core.locked { $0.joiners.isEmpty })
            try queue.taskDone()
            try await joiner.end()
            #expect(throws: QueueError.nothingUnfinished) { try queue.taskDone() }
        }
    }

    @Test(arguments: simulated)
    func `71: a shutdown of an empty queue ends the gets that wait`(colour: Colour) async throws {
        for immediately in [false, true] {
            try await forEachSeed(1...100) { _ in
                let scheduler = try #require(Scheduler.current)
                let queue = Queue<Int>(.priority)
                let getters = (0..<3).map { _ in
                    Strand(colour, on: scheduler) {
                        _ = try queue.get()
                    } async: {
                        _ = try await queue.get()
                    }
                }
                let watcher = Strand(colour, on: scheduler) {
                    _ = try queue.peek()
                } async: {
                    _ = try await queue.peek()
                }
                try await awaitUntil("they wait") {
                    queue.balance == -3 && !queue.core.locked { $0.watchers.isEmpty }
                }
                queue.shutdown(immediately: immediately)
                for strand in getters + [watcher] { #expect(await strand.failure as? QueueError == .shutDown) }
                try await queue.join()
            }
        }
    }

    @Test(arguments: simulated)
    func `71: an immediate shutdown drops what is there, and joins wait for the rest`(colour: Colour) async throws {
        try await forEachSeed(1...100) { seed in
            let alive = Counter()
            let scheduler = try #require(Scheduler.current)
            let queue = Queue<Parcel>(seed % 2 == 0 ? .firstInFirstOut : .lastInFirstOut, capacity: 3)
            for number in 0..<3 { try await queue.put(Parcel(number, alive)) }
            let putter = Strand(colour, on: scheduler) {
                try queue.put(Parcel(3, alive))
            } async: {
                try await queue.put(Parcel(3, alive))
            }
            let joiner = Strand(colour, on: scheduler) {
                try queue.join()
            } async: {
                try await queue.join()
            }
            try await awaitUntil("they wait") { queue.balance == 1 && !queue.core.locked { $0.joiners.isEmpty } }
            // Admits the putter.
            _ = try #require(try queue.tryGet())
            try await putter.end()
            // Graceful first: the second is still possible.
            if seed % 3 == 0 { queue.shutdown() }
            queue.shutdown(immediately: true)
            #expect(alive.value == 0)
            #expect(queue.isEmpty && queue.unfinished == 1)
            #expect(throws: QueueError.shutDown) { _ = try queue.tryGet() }
            #expect(throws: QueueError.shutDown) { _ = try queue.tryPut(Parcel(4, alive)) }
            #expect(!queue.core.locked { $0.joiners.isEmpty })
            try queue.taskDone()
            try await joiner.end()
        }
    }

    @Test(arguments: simulated)
    func `71: an immediate shutdown ends a join when nobody has an element`(colour: Colour) async throws {
        try await forEachSeed(1...100) { _ in
            let scheduler = try #require(Scheduler.current)
            let queue = Queue([1, 2, 3])
            let joiner = Strand(colour, on: scheduler) {
                try queue.join()
            } async: {
                try await queue.join()
            }
            try await awaitUntil("it waits") { !queue.core.locked { $0.joiners.isEmpty } }
            queue.shutdown(immediately: true)
            try await joiner.end()
            #expect(throws: QueueError.nothingUnfinished) { try queue.taskDone() }
        }
    }

    @Test(arguments: simulated)
    func `an element on its way to a cancelled getter is dropped with the others`(colour: Colour) async throws {
        let alive = Counter()
        try await withScheduler { scheduler in
            let queue = Queue<Parcel>()
            let getter = Strand(colour, on: scheduler) {
                _ = try queue.get()
            } async: {
                _ = try await queue.get()
            }
            try await awaitUntil("it waits") { queue.balance == -1 }
            // In one turn of the worker on which the getter waits.
            try await scheduler.spawn {
                _ = try queue.tryPut(Parcel(1, alive))
                getter.cancel()
                queue.shutdown(immediately: true)
            }.join()
            #expect(await getter.failure is CancellationError)
            try #require(queue.unfinished == 0)
            try await queue.join()
        }
        #expect(alive.value == 0)
    }
}
