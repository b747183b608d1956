import SystemPackage
import Testing

@testable import Ringlet

/// Many elements by the fibers of a pool (scenario 74).
@Suite(.timeLimit(.patient)) struct FiberPoolMapTests {
    @Test func `74 results come in order, or as they are completed`() async throws {
        try await inEveryOrder {
            let pool = try FiberPool(capacity: 3)
            let gates = (0..<3).map { _ in Flag() }
            let work: @Sendable (Int) throws -> Int = { number in
                try yieldUntil("its turn") { gates[number].isSet }
                if number > 0 { gates[number - 1].set() }
                return number
            }
            gates[2].set()
            var results = try pool.mapUnordered(0..<3, work)
            var all: [Int] = []
            while let number = try results.next() { all.append(number) }
            #expect(all == [2, 1, 0])
            results = try pool.mapOrdered(0..<3, work)
            all = []
            while let number = try results.next() { all.append(number) }
            #expect(all == [0, 1, 2])
            #expect(try results.next() == nil)
        }
    }

    @Test func `74 a task iterates over the results`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let pool = try FiberPool(capacity: 2, on: scheduler)
            var ordered: [Int] = []
            for try await square in try pool.mapOrdered(0..<50, bound: 4, { $0 * $0 }) { ordered.append(square) }
            #expect(ordered == (0..<50).map { $0 * $0 })
            var unordered: Set<Int> = []
            for try await number in try pool.mapUnordered(0..<50, { $0 }) { unordered.insert(number) }
            #expect(unordered == Set(0..<50))
        }
    }

    @Test func `nothing is begun before it is asked for, and no more than the bound ahead`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 10)
            let begun = Counter()
            let results = try pool.mapOrdered(0..<100, bound: 3) { begun.add(); return $0 }
            for _ in 0..<10 { try Fiber.yield() }
            #expect(begun.value == 0)
            for number in 0..<100 {
                #expect(try results.next() == number)
                for _ in 0..<5 { try Fiber.yield() }
                #expect(begun.value == min(number + 4, 100))
            }
            #expect(try results.next() == nil)
        }
    }

    @Test func `an element's error comes at its place, and the others after it`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 2)
            let results = try pool.mapOrdered(0..<4) { number in
                if number == 1 { throw Failure(number: 1) }
                return number
            }
            #expect(try results.next() == 0)
            #expect(throws: Failure(number: 1)) { try results.next() }
            #expect(try results.next() == 2)
            #expect(try results.next() == 3)
            #expect(try results.next() == nil)
        }
    }

    @Test func `a source's error comes behind what it gave, in both orders and colours`() async throws {
        try await withScheduler { scheduler in
            let pool = try FiberPool(capacity: 2, on: scheduler)
            for isOrdered in [true, false] {
                @Sendable func results() throws -> FiberPool.Results<Int> {
                    var count = 0
                    let pull = { () throws -> Int? in
                        count += 1
                        if count == 3 { throw Failure(number: 3) }
                        return count
                    }
                    return try isOrdered
                        ? pool.mapOrdered(pulling: pull) { $0 } : pool.mapUnordered(pulling: pull) { $0 }
                }
                var taken: [Int] = []
                await #expect(throws: Failure(number: 3)) {
                    for try await number in try results() { taken.append(number) }
                }
                #expect(taken == [1, 2])
                let outcome = try await scheduler.spawn {
                    let results = try results()
                    let first = try (results.next(), results.next())
                    let error = errorThrown { _ = try results.next() } as? Failure
                    return try [first.0, first.1, error?.number, results.next()]
                }.join()
                #expect(outcome == [1, 2, 3, nil])
            }
        }
    }

    @Test func `map throws the first error and leaves nothing behind, in both colours`() async throws {
        try await withScheduler { scheduler in
            let pool = try FiberPool(capacity: 3, on: scheduler)
            let work: @Sendable (Int) throws -> Int = { number in
                if number == 1 { throw Failure(number: 1) }
                if number > 1 { try Fiber.sleep(until: .never) }
                return number
            }
            await #expect(throws: Failure(number: 1)) { try await pool.map(0..<10, work) }
            #expect(pool.fibers.isEmpty)
            let error = try await scheduler.spawn { errorThrown { _ = try pool.map(0..<10, work) } as? Failure }.join()
            #expect(error == Failure(number: 1))
            #expect(pool.fibers.isEmpty)
        }
    }

    @Test func `a consumer that is cancelled ends the rest, in both colours`() async throws {
        try await withScheduler { scheduler in
            let pool = try FiberPool(capacity: 2, on: scheduler)
            let endless: @Sendable (Int) throws -> Int = { _ in
                try Fiber.sleep(until: .never)
                return 0
            }
            let task = Task { try await pool.map(0..., endless) }
            try await awaitUntil("it is full") { pool.freeCount == 0 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(pool.fibers.isEmpty)
            let fiber = scheduler.spawn { try pool.mapOrdered(0..., endless).next() }
            try await awaitUntil("it is full") { pool.freeCount == 0 }
            fiber.cancel()
            await #expect(throws: CancellationError.self) { try await fiber.join() }
            try await pool.join()
        }
    }

    @Test func `results that are dropped or stopped end the rest`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 2)
            let work: @Sendable (Int) throws -> Int = { number in
                if number > 0 { try Fiber.sleep(until: .never) }
                return number
            }
            #expect(try pool.mapOrdered(0..., work).next() == 0)
            try pool.join()
            let results = try pool.mapOrdered(0..., work)
            #expect(try results.next() == 0)
            results.stop()
            #expect(try results.next() == nil)
            try pool.join()
        }
    }

    @Test(arguments: [0, -1])
    func `a bound below one is refused`(_ bound: Int) async throws {
        let pool = try FiberPool(capacity: 1)
        #expect(throws: FiberPoolError.invalidBound(bound)) { try pool.mapOrdered(0..<1, bound: bound) { $0 } }
        #expect(throws: FiberPoolError.invalidBound(bound)) { try pool.mapUnordered(0..<1, bound: bound) { $0 } }
    }

    @Test func `nothing is mapped to nothing`() async throws {
        try await Scheduler.run {
            let pool = try FiberPool(capacity: 1)
            #expect(try pool.map([Int]()) { $0 } == [])
            #expect(try pool.mapUnordered([Int]()) { $0 }.next() == nil)
        }
    }
}
