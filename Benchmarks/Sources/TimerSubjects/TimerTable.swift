internal import CReference
public import Measure

/// Insertion and cancellation with many timers held.
///
/// The wheel is internal to the library, so its sources are compiled into this module once more;
/// they depend on nothing else of it.
public func measureTimers(_ plan: Plan) throws {
    for held in [1_000, 10_000, 100_000, 1_000_000] {
        let bench = TimerBench(held: held)
        var table = Comparison("Timers, \(held) held", plan)
        table.add("C list, relink any of them") { bench.relinkList() }
        // Timeouts of operations: most are cancelled soon after they were made.
        table.add("insert a timeout", goal: .atMost(50)) { bench.withTimeouts().insert }
        table.add("cancel a timeout", goal: .atMost(50)) { bench.withTimeouts().cancel }
        // The worst case for the memory: every cancel touches three cells that nobody touched lately.
        table.add("insert a sleeper", goal: .atMost(50)) { bench.withSleepers().insert }
        table.add("cancel any of them", goal: .atMost(50)) { bench.withSleepers().cancel }
        try table.run()
    }
}

private final class TimerBench {
    private static let batch = 1000
    private static let repetitions = 20

    private let held: Int
    /// Behind pointers, as in the library: dynamic exclusivity would be measured otherwise.
    private let wheel: UnsafeMutablePointer<TimerWheel>
    private let tokens: UnsafeMutablePointer<TimerToken>
    private let list: OpaquePointer
    private var random = SystemRandomNumberGenerator()

    init(held: Int) {
        self.held = held
        wheel = .allocate(capacity: 1)
        wheel.initialize(to: TimerWheel(now: reference_now()))
        tokens = .allocate(capacity: held)
        list = reference_list_create(UInt32(held))
        let now = reference_now()
        for index in 0..<held {
            tokens[index] = wheel.pointee.insert(deadline: now + distance(), payload: 0)
        }
    }

    deinit {
        wheel.deinitialize(count: 1)
        wheel.deallocate()
        tokens.deallocate()
        reference_list_destroy(list)
    }

    /// Ten seconds to seventy.
    private func distance() -> UInt64 {
        UInt64.random(in: 10_000_000_000..<70_000_000_000, using: &random)
    }

    /// Distinct places among the timers held.
    private func victims() -> [UInt32] {
        if held <= Self.batch { return (0..<UInt32(held)).shuffled(using: &random) }
        var chosen = Set<UInt32>()
        while chosen.count < Self.batch {
            chosen.insert(.random(in: 0..<UInt32(held), using: &random))
        }
        return Array(chosen)
    }

    func relinkList() -> Sample {
        var batches: [Double] = []
        for _ in 0..<Self.repetitions {
            let victims = victims()
            let elapsed = reference_list_relink(list, victims, UInt32(victims.count))
            batches.append(Double(elapsed) / Double(victims.count))
        }
        return Sample(nanoseconds: batches.median)
    }

    /// Timers of five seconds, cancelled in the order in which they were made.
    func withTimeouts() -> (insert: Sample, cancel: Sample) {
        var made = [TimerToken](repeating: .none, count: Self.batch)
        var spent = Spent()
        for _ in 0..<Self.repetitions {
            let start = reference_now()
            for index in made.indices {
                let deadline = start + 5_000_000_000 + UInt64(index) * 700
                made[index] = wheel.pointee.insert(deadline: deadline, payload: 0)
            }
            let middle = reference_now()
            for token in made where !wheel.pointee.cancel(token) { fatalError("a timer was lost") }
            spent.add(inserting: middle - start, cancelling: reference_now() - middle, made.count)
        }
        return spent.samples
    }

    /// Random ones of those held are cancelled, and replaced by others.
    func withSleepers() -> (insert: Sample, cancel: Sample) {
        var spent = Spent()
        for _ in 0..<Self.repetitions {
            let victims = victims()
            let now = reference_now()
            let deadlines = victims.map { _ in now + distance() }
            // Gathered first: where the tokens are kept is not the wheel's business.
            var chosen = victims.map { tokens[Int($0)] }
            let start = reference_now()
            for token in chosen where !wheel.pointee.cancel(token) {
                fatalError("a timer was lost")
            }
            let middle = reference_now()
            for index in chosen.indices {
                chosen[index] = wheel.pointee.insert(deadline: deadlines[index], payload: 0)
            }
            spent.add(inserting: reference_now() - middle, cancelling: middle - start, chosen.count)
            for (victim, token) in zip(victims, chosen) { tokens[Int(victim)] = token }
        }
        return spent.samples
    }
}

/// Batches are shorter than a time slice, so the middle one was not interrupted.
private struct Spent {
    private var inserting: [Double] = []
    private var cancelling: [Double] = []

    mutating func add(inserting: UInt64, cancelling: UInt64, _ operations: Int) {
        self.inserting.append(Double(inserting) / Double(operations))
        self.cancelling.append(Double(cancelling) / Double(operations))
    }

    var samples: (insert: Sample, cancel: Sample) {
        (Sample(nanoseconds: inserting.median), Sample(nanoseconds: cancelling.median))
    }
}
