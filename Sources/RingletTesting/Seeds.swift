import Ringlet
import Synchronization

#if canImport(Testing)
    import Testing
#endif

/// Which seeds are to be tried.
enum Seeds {
    /// Those of the call, or the one that the environment names.
    static func wanted(_ seeds: ClosedRange<UInt64>) throws -> ClosedRange<UInt64> {
        guard let seed = try Environment.seed() else { return seeds }
        return seed...seed
    }
}

/// One seed's turn: whether it fails, and how that is told.
final class Trial: Sendable {
    private let seed: UInt64
    private let issues = Atomic<Int>(0)

    init(seed: UInt64) {
        self.seed = seed
    }

    /// How the failure is found again.
    private var advice: String { "seed \(seed); to run it alone, set RINGLET_SEED=\(seed)" }

    /// What `body` leaves is noted: Swift Testing says which issues were recorded in it, by a task-local of the test.
    func noteIssues(of body: @Sendable () async throws -> Void) async throws {
        #if canImport(Testing)
            guard let test = Test.current else { return try await body() }
            let noting: IssueHandlingTrait = .compactMapIssues { issue in
                guard issue.isFailure else { return issue }
                var issue = issue
                issue.comments.append(Comment(rawValue: self.advice))
                self.issues.add(1, ordering: .relaxed)
                return issue
            }
            try await noting.provideScope(for: test, testCase: Test.Case.current, performing: body)
        #else
            try await body()
        #endif
    }

    /// False when issues were recorded. Throws what the body threw. Says so in both cases.
    func passes(_ outcome: Result<Void, any Error>) throws -> Bool {
        let recorded = issues.load(ordering: .relaxed)
        if case .failure(let error) = outcome {
            StandardError.say("ringlet: failed with \(advice): \(error)")
            throw error
        }
        if recorded > 0 { StandardError.say("ringlet: failed with \(advice)") }
        return recorded == 0
    }
}
