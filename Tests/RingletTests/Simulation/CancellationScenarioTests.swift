import RingletTesting
import SystemPackage
import Testing

@testable import Ringlet

/// What becomes of spawned work and of its cancellation, as numbered scenarios, each under a hundred orders.
@Suite struct CancellationScenarioTests {
    @Test func `scenario 44: an immediate task has run to its first wait when it is spawned`() async throws {
        try await inEveryOrder { () async throws in
            let steps = Journal<String>()
            let spawner = CurrentThread.worker
            let task = Task.immediate {
                steps.note("body")
                #expect(CurrentThread.worker === spawner)
            }
            steps.note("spawner")
            await task.value
            #expect(steps.all == ["body", "spawner"])
        }
    }

    @TaskLocal private static var word = "unbound"

    @Test func `scenario 44: an immediate task has its maker's task-locals, and its maker is current again afterwards`()
        async throws
    {
        try await inEveryOrder { () throws in
            let maker = try #require(AnyFiber.current)
            let executor = try #require(Scheduler.current).taskExecutor
            let ended = Flag()
            // Until its first wait it runs on the stack of its maker, and so in that fiber.
            Task.immediate(executorPreference: executor) {
                #expect(AnyFiber.current === maker)
                ended.set()
            }
            // One that does not wait needs no turn.
            #expect(ended.isSet && AnyFiber.current === maker)
            let task = Self.$word.withValue("bound") {
                Task.immediate(executorPreference: executor) { () -> [String] in
                    let before = Self.word
                    await Task.yield()
                    #expect(AnyFiber.current == nil)
                    return [before, Self.word]
                }
            }
            #expect(AnyFiber.current === maker && Self.word == "unbound")
            try Fiber.yield()
            #expect(AnyFiber.current === maker)
            let words = try Fiber.await { await task.value }
            #expect(words == ["bound", "bound"])
        }
        try await inEveryOrder { () async throws in
            let executor = try #require(Scheduler.current).taskExecutor
            let task = Self.$word.withValue("bound") {
                Task.immediate(executorPreference: executor) { () -> [String] in
                    let before = Self.word
                    #expect(AnyFiber.current == nil)
                    await Task.yield()
                    #expect(AnyFiber.current == nil)
                    return [before, Self.word]
                }
            }
            #expect(Self.word == "unbound" && !Task.isCancelled && AnyFiber.current == nil)
            let words = await task.value
            #expect(words == ["bound", "bound"])
        }
    }

    @Test func `scenario 44: an immediate task that is cancelled before its first wait does not wait`() async throws {
        @Sendable func start() throws -> Task<Bool, any Error> {
            Task.immediate(executorPreference: try #require(Scheduler.current).taskExecutor) {
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                do { try await Scheduler.sleep(until: .never) } catch is CancellationError { return true }
                return false
            }
        }
        try await inEveryOrder { () throws in
            let task = try start()
            #expect(AnyFiber.current?.isCancelled == false)
            let isCut = try Fiber.await { try await task.value }
            #expect(isCut)
        }
        try await inEveryOrder { () async throws in
            let task = try start()
            #expect(!Task.isCancelled)
            let isCut = try await task.value
            #expect(isCut)
        }
    }

    @Test func `scenario 45: work whose handle nobody keeps runs to its end`() async throws {
        try await inEveryOrder { () throws in
            let ended = Counter()
            for number in 0..<20 {
                Fiber {
                    try Fiber.sleep(for: .microseconds(number % 3))
                    ended.add()
                }
            }
            try yieldUntil("all have ended") { ended.value == 20 }
        }
        try await inEveryOrder { () async throws in
            let ended = Counter()
            let executor = try #require(Scheduler.current).taskExecutor
            for number in 0..<20 {
                Task(executorPreference: executor) {
                    try await Scheduler.sleep(for: .microseconds(number % 3))
                    ended.add()
                }
            }
            while ended.value < 20 { await Task.yield() }
        }
    }

    @Test func `scenario 50: clean-up runs from the inside to the outside, and a second cancellation changes nothing`()
        async throws
    {
        try await inEveryOrder { () throws in
            let steps = Journal<String>()
            let promise = Promise<Void>()
            let outer = Fiber {
                defer { steps.note("outer") }
                try withGroup { group in
                    try group.spawn {
                        defer { steps.note("inner") }
                        defer { promise.cancel() }
                        defer { withoutCancellation { try? Fiber.sleep(for: .microseconds(50)) } }
                        try promise.value()
                    }
                    try Fiber.sleep(until: .never)
                }
            }
            try Fiber.sleep(for: .microseconds(10))
            #expect(outer.cancel())
            try Fiber.yield()
            #expect(outer.cancel())
            #expect(throws: CancellationError.self) { try outer.join() }
            #expect(!outer.cancel())
            #expect(steps.all == ["inner", "outer"])
            #expect(promise.outcome?.isCancelled == true)
        }
        try await inEveryOrder { () async throws in
            let steps = Journal<String>()
            let promise = Promise<Void>()
            let executor = try #require(Scheduler.current).taskExecutor
            let outer = Task(executorPreference: executor) {
                defer { steps.note("outer") }
                try await withGroup { group in
                    try group.spawn { () async throws in
                        do {
                            try await promise.value()
                        } catch {
                            try? await withoutCancellation { try await Scheduler.sleep(for: .microseconds(50)) }
                            promise.cancel()
                            steps.note("inner")
                            throw error
                        }
                    }
                    try await Scheduler.sleep(until: .never)
                }
            }
            try await Scheduler.sleep(for: .microseconds(10))
            outer.cancel()
            await Task.yield()
            outer.cancel()
            await #expect(throws: CancellationError.self) { try await outer.value }
            #expect(steps.all == ["inner", "outer"])
            #expect(promise.outcome?.isCancelled == true)
        }
    }

    @Test func `scenario 51: the value of a body that swallows its cancellation stands`() async throws {
        try await inEveryOrder { () throws in
            let fiber = Fiber { () -> Int in
                try? Fiber.sleep(until: .never)
                return 5
            }
            let interrupted = Fiber { () -> Int in
                try? Fiber.sleep(until: .never)
                try Fiber.yield()
                return AnyFiber.current?.interruptCount ?? -1
            }
            try Fiber.sleep(for: .microseconds(1))
            fiber.cancel()
            interrupted.interrupt()
            #expect(try fiber.join() == 5 && fiber.isCancelled)
            #expect(try interrupted.join() == 1)
        }
        try await inEveryOrder { () async throws in
            let executor = try #require(Scheduler.current).taskExecutor
            let task = Task(executorPreference: executor) { () -> Int in
                try? await Scheduler.sleep(until: .never)
                return 5
            }
            try await Scheduler.sleep(for: .microseconds(1))
            task.cancel()
            #expect(await task.value == 5 && task.isCancelled)
        }
    }

    /// Had the operation not ended, its buffer would take bytes that the second reader waits for: a deadlock.
    @Test func `scenario 55: a read that is cancelled in flight has ended before its buffer is free`() async throws {
        try await forEachSeed(1...100) { _ in
            let (client, server) = Simulation.connectedPair()
            let reads = Flag()
            let reader = Fiber {
                var buffer = Buffer(capacity: 16)
                reads.set()
                let outcome = Result { try server.read(into: &buffer) }
                return (try? outcome.get(), buffer.count)
            }
            try yieldUntil("it reads") { reads.isSet }
            reader.cancel()
            try client.write(Buffer(copying: [1, 2, 3]))
            let (count, held) = try reader.join()
            #expect(held == count ?? 0)
            var rest = Buffer(capacity: 16)
            var total = held
            while total < 3 { total += try server.read(into: &rest) }
            #expect(total == 3)
        }
        try await forEachSeed(1...100) { _ in
            let (client, server) = Simulation.connectedPair()
            let reader = Task(executorPreference: Simulation.executor) { () -> (Int?, Int) in
                var buffer = Buffer(capacity: 16)
                let count = try? await server.read(into: &buffer)
                return (count, buffer.count)
            }
            await Task.yield()
            reader.cancel()
            try await client.write(Buffer(copying: [1, 2, 3]))
            let (count, held) = await reader.value
            #expect(held == count ?? 0)
            var rest = Buffer(capacity: 16)
            var total = held
            while total < 3 { total += try await server.read(into: &rest) }
            #expect(total == 3)
        }
    }
}
