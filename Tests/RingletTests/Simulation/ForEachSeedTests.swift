import Foundation
import Ringlet
import RingletTesting
import Testing

/// What `forEachSeed` does with a seed that fails.
@Suite struct ForEachSeedTests {
    @Test
    func `each seed runs once, in order, in both colours`() async throws {
        let seeds = Journal<UInt64>()
        let note: @Sendable (UInt64) -> Void = { seed in
            #expect(Simulation.seed == seed)
            seeds.note(seed)
        }
        try await onThread { try forEachSeed(1...3) { note($0) } }
        try await forEachSeed(4...5) { note($0) }
        try await forEachSeed(6...7) {
            await Task.yield()
            note($0)
        }
        #expect(seeds.all == [1, 2, 3, 4, 5, 6, 7])
    }

    @Test
    func `an error ends the trials with its seed`() throws {
        let seeds = Journal<UInt64>()
        #expect(throws: Failure(number: 3)) {
            try forEachSeed(1...9) { seed in
                seeds.note(seed)
                if seed == 3 { throw Failure(number: 3) }
            }
        }
        #expect(seeds.all == [1, 2, 3])
    }

    @Test
    func `an expectation that fails ends the trials with its seed, in fibers and tasks`() async throws {
        let seeds = Journal<UInt64>()
        let comments = Journal<String>()
        // In place of the test's own record, which would be a failure.
        let record: IssueHandlingTrait = .compactMapIssues { issue in
            for comment in issue.comments { comments.note(comment.rawValue) }
            return nil
        }
        try await record.provideScope(for: #require(Test.current), testCase: Test.Case.current) {
            try await forEachSeed(1...9) { seed in
                seeds.note(seed)
                try Fiber { #expect(seed != 2) }.join()
            }
            try await forEachSeed(11...19) { seed in
                seeds.note(seed)
                await Task.yield()
                withKnownIssue { #expect(seed != 12) } when: { seed == 12 }
                #expect(seed != 13)
            }
        }
        #expect(seeds.all == [1, 2, 11, 12, 13])
        #expect(comments.all.filter { $0.contains("RINGLET_SEED=") }.count == 2)
    }

    @Test
    func `RINGLET_SEED runs one seed alone`() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            unsafe setenv("RINGLET_SEED", "4711", 1)
            let seeds = Journal<UInt64>()
            do {
                try await forEachSeed(1...9) { seed in
                    seeds.note(seed)
                    throw Failure()
                }
            } catch {}
            precondition(seeds.all == [4711])
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("seed 4711"))
        #expect(text.contains("RINGLET_SEED=4711"))
    }
}
