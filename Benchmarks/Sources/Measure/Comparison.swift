/// A table of subjects that are measured in turn, so that a slow minute of the machine hits all.
public struct Comparison {
    /// What a subject must not exceed.
    public enum Goal: Sendable {
        /// Operations that nothing was promised for.
        case none
        case atMost(Double)
        /// A multiple of the reference's time in the same round.
        case ratio(Double)
    }

    /// One line of the table.
    public struct Subject {
        let name: String
        let goal: Goal
        let allocationGoal: Double?
        let sample: () throws -> Sample
    }

    let title: String
    let plan: Plan
    var subjects: [Subject] = []

    /// A table without lines.
    public init(_ title: String, _ plan: Plan) {
        self.title = title
        self.plan = plan
    }

    /// Adds a line. The first one is the reference of the others.
    ///
    /// - Parameter allocations: The most allocations that an operation may need.
    public mutating func add(
        _ name: String, goal: Goal = .none, allocations: Double? = nil,
        sample: @escaping () throws -> Sample
    ) {
        if let only = plan.only, !name.contains(only) { return }
        subjects.append(
            Subject(name: name, goal: goal, allocationGoal: allocations, sample: sample))
    }

    /// Measures all subjects in all rounds and prints the table.
    public func run() throws {
        guard !subjects.isEmpty else { return }
        // Warms caches, pools and the branch predictor; thrown away.
        for subject in subjects { _ = try subject.sample() }
        var samples = [[Sample]](repeating: [], count: subjects.count)
        for round in 0..<plan.rounds {
            // Nobody always comes first.
            for turn in subjects.indices {
                let index = (turn + round) % subjects.count
                samples[index].append(try subjects[index].sample())
            }
        }
        print(samples)
    }
}

/// What was asked for on the command line.
public struct Plan: Sendable {
    /// How often each subject is measured.
    public var rounds: Int
    /// Measures only the lines that have this in their name, which a profiler is glad of.
    public var only: String?

    /// A plan that measures everything, or only the lines that have `only` in their name.
    public init(rounds: Int, only: String? = nil) {
        self.rounds = rounds
        self.only = only
    }
}

/// One measurement of one subject.
public struct Sample: Sendable {
    /// Of one operation.
    public var nanoseconds: Double
    /// Of one operation, on the measuring thread; nil where they were not counted.
    public var allocations: Double?

    /// A measurement, with allocations if they were counted.
    public init(nanoseconds: Double, allocations: Double? = nil) {
        self.nanoseconds = nanoseconds
        self.allocations = allocations
    }
}

// MARK: - The table

extension Comparison {
    private func print(_ samples: [[Sample]]) {
        let width = max(24, subjects.map(\.name.count).max() ?? 0)
        Swift.print("\n\(title) (\(plan.rounds) rounds)")
        Swift.print(
            "".padded(width) + "median ns".leading(11) + "min".leading(10) + "ratio".leading(8)
                + "allocs".leading(8) + "  goal")
        for (index, subject) in subjects.enumerated() {
            let times = samples[index].map(\.nanoseconds)
            let ratios = zip(times, samples[0].map(\.nanoseconds)).map { $0 / $1 }
            let allocations = samples[index].compactMap(\.allocations)
            Swift.print(
                subject.name.padded(width)
                    + text(times.median).leading(11)
                    + text(times.min() ?? 0).leading(10)
                    + (index == 0 || plan.only != nil ? "-" : text(ratios.median)).leading(8)
                    + (allocations.isEmpty ? "" : text(allocations.median)).leading(8)
                    + "  " + verdicts(subject, times, ratios, allocations))
        }
        flush()
    }

    private func verdicts(
        _ subject: Subject, _ times: [Double], _ ratios: [Double], _ allocations: [Double]
    ) -> String {
        var parts: [String] = []
        switch subject.goal {
        case .none: break
        // Without the table's own first line there is nothing to compare with.
        case .ratio where plan.only != nil: break
        case .atMost(let limit):
            parts.append("<= \(text(limit)) ns: \(verdict(times, limit))")
        case .ratio(let limit):
            parts.append("ratio <= \(text(limit)): \(verdict(ratios, limit))")
        }
        if let limit = subject.allocationGoal, !allocations.isEmpty {
            // Counts do not suffer from noise; what start-up adds is less than a hundredth.
            let isMet = allocations.median <= limit + 0.01
            parts.append("allocs <= \(text(limit)): \(isMet ? "met" : "MISSED")")
        }
        return parts.joined(separator: ", ")
    }
}

/// Says whether a goal was met: by the median, or on a busy machine at least by the best round.
public func verdict(_ values: [Double], _ limit: Double) -> String {
    if values.median <= limit { return "met" }
    return (values.min() ?? .infinity) <= limit ? "met by the best round" : "MISSED"
}
