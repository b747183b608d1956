import RingletTesting
import Testing

@testable import Ringlet

/// Work for a thread, between its end and the moment when its waiter hears of that. The test is the thread.
@Suite(.timeLimit(.patient)) struct BlockingJobTests {
    private static func failingJob() -> BlockingJob<Int> {
        let crew = ThreadCrew(CrewTerms(name: "model", limit: 1, idleTime: .zero))
        return BlockingJob(name: nil, .waits, on: crew, ancestors: []) { throw Failure(number: 3) }
    }

    @Test func `the error of work that has ended is not lost when its waiter is cancelled`() async throws {
        try await inEveryOrder { () throws in
            let (job, begun) = (Self.failingJob(), Flag())
            let waiter = Fiber {
                begun.set()
                return try job.wait("wait", deadline: .never)
            }
            try yieldUntil("it waits") { begun.isSet }
            job.perform()
            waiter.cancel()
            for _ in 0..<3 { try Fiber.yield() }
            job.announce()
            #expect(throws: Failure(number: 3)) { try waiter.join() }
        }
    }

    @Test func `the error of work that has ended is not lost when its waiter is cancelled, in a task`() async throws {
        try await inEveryOrder { () async throws in
            let (job, begun) = (Self.failingJob(), Flag())
            let waiter = taskHere {
                begun.set()
                return try await job.wait(deadline: .never)
            }
            try await yieldTaskUntil("it waits") { begun.isSet }
            job.perform()
            waiter.cancel()
            for _ in 0..<3 { await Task.yield() }
            job.announce()
            await #expect(throws: Failure(number: 3)) { try await waiter.value }
        }
    }

    @Test func `nor when the task was cancelled before it waits`() async throws {
        try await inEveryOrder { () async throws in
            let job = Self.failingJob()
            job.perform()
            let waiter = taskHere {
                CurrentThread.cancelTask()
                return try await job.wait(deadline: .never)
            }
            for _ in 0..<3 { await Task.yield() }
            job.announce()
            await #expect(throws: Failure(number: 3)) { try await waiter.value }
        }
    }
}
