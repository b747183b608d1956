internal import CReference
internal import Measure
internal import Ringlet
internal import SystemPackage

/// A message from one thread to another one that sleeps, and back: on the clock of the wall, for each way.
func measureHandOff(_ plan: Plan) throws {
    let count = 20_000
    var table = Comparison("From thread to thread and back, each way, by the wall", plan)
    table.add("eventfd") { try sample(reference_eventfd_handoff(UInt64(count)), count) }
    table.add("futex") { try sample(reference_futex_handoff(UInt64(count)), count) }
    table.add("Channel, two fibers of two workers", goal: .ratio(1)) { try acrossWorkers(count) }
    try table.run()
}

private func sample(_ elapsed: Int64, _ count: Int) throws -> Sample {
    if elapsed < 0 { throw Errno(rawValue: CInt(-elapsed)) }
    return Sample(nanoseconds: Double(elapsed) / Double(2 * count))
}

private func acrossWorkers(_ count: Int) throws -> Sample {
    try Scheduler.run(SchedulerOptions(workers: 2)) {
        guard let scheduler = Scheduler.current else { fatalError("outside a scheduler") }
        let there = Channel<Int>(capacity: 1)
        let back = Channel<Int>(capacity: 1)
        let other = scheduler.spawn(onWorker: 1) {
            for _ in 0..<count { try back.send(there.receive()) }
        }
        // Begins when the other worker is up.
        let start = reference_now()
        for number in 0..<count {
            try there.send(number)
            let answer = try back.receive()
            precondition(answer == number, "a message came out of order")
        }
        let elapsed = reference_now() - start
        try other.join()
        return Sample(nanoseconds: Double(elapsed) / Double(2 * count))
    }
}
