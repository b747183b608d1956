import Glibc
import SystemPackage
import Testing

@testable import Ringlet

/// Work for threads of which some cannot be started.
@Suite(.timeLimit(.patient)) struct ThreadCrewTests {
    private static func crew(
        limit: Int, startThread: @escaping @Sendable (CrewThread) -> Int32
    ) -> ThreadCrew {
        ThreadCrew(CrewTerms(name: "crew", limit: limit, idleTime: .seconds(3600)), startThread: startThread)
    }

    private static func submit<Success>(
        to crew: ThreadCrew, _ work: sending @escaping () throws -> Success
    ) -> BlockingJob<Success> {
        let job = BlockingJob(name: nil, .shares, on: crew, ancestors: Lineage.current, work: work)
        job.submit()
        return job
    }

    private static func end(_ crew: ThreadCrew) async throws {
        crew.close(droppingWaiting: false)
        try await awaitUntil("all threads have ended") { crew.inspect { $0.threads } == 0 }
    }

    @Test func `work whose thread does not start is done by one that has come to rest meanwhile`() async throws {
        let gate = ThreadGate()
        let starts = Counter()
        let isIdle = Shared<(@Sendable () -> Bool)?>(nil)
        let crew = Self.crew(limit: 2) { thread in
            starts.add()
            if starts.value == 1 { return thread.start() }
            gate.open()
            while isIdle.value?() != true { sched_yield() }
            return Errno.resourceTemporarilyUnavailable.rawValue
        }
        isIdle.value = { [weak crew] in crew?.inspect { $0.idle.count == 1 } ?? true }
        let first = Self.submit(to: crew) { gate.pass() }
        let second = Self.submit(to: crew) { 7 }
        #expect(try await second.wait(deadline: .after(patience)) == 7)
        try await first.wait(deadline: .after(patience))
        #expect(starts.value == 2)
        try await Self.end(crew)
    }

    @Test(arguments: [1, 2])
    func `work is refused that nobody can do but threads that may wait for it`(limit: Int) async throws {
        let starts = Counter()
        let crew = Self.crew(limit: limit) { thread in
            starts.add()
            return starts.value == 2 ? Errno.resourceTemporarilyUnavailable.rawValue : thread.start()
        }
        let outer = Self.submit(to: crew) {
            let refused = Self.submit(to: crew) { 1 }
            #expect(throws: ThreadPoolError.noThread(.resourceTemporarilyUnavailable)) {
                _ = try refused.wait("wait", deadline: .after(patience))
            }
            // The thread more that it was entitled to has not been had, so the next one gets it.
            return try Self.submit(to: crew) { 2 }.wait("wait", deadline: .after(patience))
        }
        #expect(try await outer.wait(deadline: .after(patience)) == 2)
        try await Self.end(crew)
        #expect(crew.inspect { $0.grants } == 0)
    }

    @Test func `a larger limit for which there are no threads is no reason to try for ever`() async throws {
        let gate = ThreadGate()
        let starts = Counter()
        let crew = Self.crew(limit: 1) { thread in
            starts.add()
            return starts.value == 1 ? thread.start() : Errno.resourceTemporarilyUnavailable.rawValue
        }
        let first = Self.submit(to: crew) { gate.pass() }
        let others = (0..<3).map { number in Self.submit(to: crew) { number } }
        crew.resize(to: 3)
        #expect(starts.value == 2)
        gate.open()
        try await first.wait(deadline: .after(patience))
        for (number, job) in others.enumerated() {
            #expect(try await job.wait(deadline: .after(patience)) == number)
        }
        try await Self.end(crew)
    }
}
