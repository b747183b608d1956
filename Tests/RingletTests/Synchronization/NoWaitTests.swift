import RingletTesting
import Testing

@testable import Ringlet

/// A wait that need not wait does not throw: neither for a cancellation nor for a deadline that has passed.
@Suite(.timeLimit(.patient)) struct NoWaitTests {
    @Test(arguments: Colour.cancellable)
    func `what need not wait goes on in a strand that was cancelled`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let begun = Event()
            let strand = Strand(colour, on: scheduler) {
                begun.set()
                do { try Event().wait() } catch is CancellationError {}
                try Self.passAll()
            } async: {
                begun.set()
                do { try await Event().wait() } catch is CancellationError {}
                try await Self.passAll()
            }
            try await begun.wait()
            strand.cancel()
            #expect(await strand.failure == nil)
        }
    }

    private static let past = Deadline(nanoseconds: 0)

    private static func passAll() throws {
        let event = Event()
        event.set()
        try event.wait(deadline: past)
        try Lock().lock(deadline: past)
        try RecursiveLock().lock(deadline: past)
        try Semaphore(1).acquire(deadline: past)
        try CapacityLimiter(capacity: 1).acquire(deadline: past)
        let channel = Channel<Int>(capacity: 1)
        try channel.send(1, deadline: past)
        #expect(try channel.receive(deadline: past) == 1)
        let queue = Queue<Int>()
        try queue.join(deadline: past)
        try queue.put(1, deadline: past)
        #expect(try queue.get(deadline: past) == 1)
        try queue.taskDone()
        try queue.join(deadline: past)
        #expect(try Barrier(parties: 1).wait(deadline: past) == 0)
        let broken = Barrier(parties: 2)
        broken.abort()
        #expect(throws: BarrierError.broken) { try broken.wait(deadline: past) }
    }

    private static func passAll() async throws {
        let event = Event()
        event.set()
        try await event.wait(deadline: past)
        try await Lock().lock(deadline: past)
        try await RecursiveLock().lock(deadline: past)
        try await Semaphore(1).acquire(deadline: past)
        try await CapacityLimiter(capacity: 1).acquire(deadline: past)
        let channel = Channel<Int>(capacity: 1)
        try await channel.send(1, deadline: past)
        #expect(try await channel.receive(deadline: past) == 1)
        let queue = Queue<Int>()
        try await queue.join(deadline: past)
        try await queue.put(1, deadline: past)
        #expect(try await queue.get(deadline: past) == 1)
        try queue.taskDone()
        try await queue.join(deadline: past)
        #expect(try await Barrier(parties: 1).wait(deadline: past) == 0)
        let broken = Barrier(parties: 2)
        broken.abort()
        await #expect(throws: BarrierError.broken) { try await broken.wait(deadline: past) }
    }

    @Test(arguments: Colour.cancellable)
    func `the value of work that has ended is told in a strand that was cancelled`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let job = ThreadPool.shared.spawn { 7 }
            #expect(try await job.join() == 7)
            let begun = Event()
            let strand = Strand(colour, on: scheduler) {
                begun.set()
                do { try Event().wait() } catch is CancellationError {}
                #expect(try job.join(deadline: Self.past) == 7)
            } async: {
                begun.set()
                do { try await Event().wait() } catch is CancellationError {}
                #expect(try await job.join(deadline: Self.past) == 7)
            }
            try await begun.wait()
            strand.cancel()
            #expect(await strand.failure == nil)
        }
    }

    @Test func `the last party lets the others go on, although it was cancelled`() async throws {
        try await inEveryOrder {
            let barrier = Barrier(parties: 2)
            let first = Fiber { try barrier.wait() }
            try yieldUntil("it waits") { barrier.waiting == 1 }
            let last = Fiber {
                AnyFiber.current!.cancel()
                return try barrier.wait()
            }
            #expect(try last.join() == 1)
            #expect(try first.join() == 0)
        }
    }
}
