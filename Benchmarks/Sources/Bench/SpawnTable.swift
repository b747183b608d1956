internal import CSubjects
internal import Measure
internal import Ringlet

/// The whole life of something empty: spawn, run, join, free.
func measureSpawn(_ plan: Plan) throws {
    let count = 50_000
    var table = Comparison("Spawn and join", plan)
    table.add("context: stack, run, free") {
        try sample(count: UInt64(count), subject_context_life)
    }
    table.add("Task on the worker, .value", goal: .atMost(420)) {
        try Scheduler.run { await tasks(count, on: here()) }
    }
    table.add("Task, default pool, .value") {
        try Scheduler.run { await tasks(count, on: nil) }
    }
    for rung in rungs {
        table.add(
            "Fiber, join, \(rung.name)",
            goal: rung.name == "hc" ? .atMost(600) : .none
        ) {
            try onRung(rung.name) { try Scheduler.run { try fibers(count) } }
        }
    }
    table.add("C coroutine, spawn, join, release", goal: .atMost(150)) {
        try sample(count: UInt64(count), subject_c_spawn_join)
    }
    try table.run()
}

private func tasks(_ count: Int, on executor: (any TaskExecutor)?) async -> Sample {
    let watch = Stopwatch()
    for _ in 0..<count {
        await Task(executorPreference: executor) {}.value
    }
    return watch.sample(operations: count)
}

private func fibers(_ count: Int) throws -> Sample {
    let watch = Stopwatch()
    for _ in 0..<count {
        try Fiber {}.join()
    }
    return watch.sample(operations: count)
}
