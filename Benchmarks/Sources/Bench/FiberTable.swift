internal import CReference
internal import CSubjects
internal import Glibc
internal import Measure
internal import Ringlet

/// The rungs of the fiber host, and what a suspension with its resumption may cost on each.
let rungs: [(name: String, goal: Double)] = [("hc", 45), ("nc", 100), ("plain", 200)]

/// A fiber that suspends and is resumed by the worker's loop.
func measureFibers(_ plan: Plan) throws {
    let count = 200_000
    var table = Comparison("Fiber, suspend and resume through the worker", plan)
    table.add("context alone, both ways") {
        try sample(count: UInt64(count) * 5, subject_switch_from_clean_base)
    }
    for rung in rungs {
        table.add("two fibers yield, \(rung.name)", goal: .atMost(rung.goal), allocations: 0) {
            try onRung(rung.name) { try yieldInPair(count) }
        }
    }
    table.add("two C coroutines yield") {
        try sample(count: UInt64(count), each: 2, subject_c_yield)
    }
    try table.run()
}

/// Runs `body` with the rung forced for the schedulers that it makes.
func onRung<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
    setenv("RINGLET_FIBER_HOST", name, 1)
    defer { unsetenv("RINGLET_FIBER_HOST") }
    return try body()
}

private func yieldInPair(_ count: Int) throws -> Sample {
    try Scheduler.run {
        let first = Fiber { for _ in 0..<count { try Fiber.yield() } }
        let second = Fiber { for _ in 0..<count { try Fiber.yield() } }
        // Both have begun before the clock starts.
        try Fiber.yield()
        let watch = Stopwatch()
        try first.join()
        try second.join()
        return watch.sample(operations: 2 * count)
    }
}
