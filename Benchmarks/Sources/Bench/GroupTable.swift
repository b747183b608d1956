internal import Measure
internal import Ringlet

/// Groups of many children that do nothing, by the child.
func measureGroups(_ plan: Plan) throws {
    for count in [1_000, 1_000_000] {
        var table = Comparison("A group of \(count) children, each", plan)
        let repeats = max(1, 100_000 / count)
        table.add("TaskGroup on the worker") {
            try Scheduler.run { await taskGroups(repeats, count, on: here()) }
        }
        table.add("TaskGroup, default pool") { try Scheduler.run { await taskGroups(repeats, count, on: nil) } }
        table.add("discarding TaskGroup on the worker") {
            try Scheduler.run { await discardingTaskGroups(repeats, count, on: here()) }
        }
        table.add("Group, fibers", goal: .ratio(0.5)) { try Scheduler.run { try fiberGroups(repeats, count) } }
        table.add("Group, tasks", goal: .ratio(0.5)) {
            try Scheduler.run { try await groupsOfTasks(repeats, count) }
        }
        try table.run()
    }
}

private func taskGroups(_ repeats: Int, _ count: Int, on executor: (any TaskExecutor)?) async -> Sample {
    let watch = Stopwatch()
    for _ in 0..<repeats {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<count { group.addTask(executorPreference: executor) {} }
            await group.waitForAll()
        }
    }
    return watch.sample(operations: repeats * count)
}

private func discardingTaskGroups(_ repeats: Int, _ count: Int, on executor: any TaskExecutor) async -> Sample {
    let watch = Stopwatch()
    for _ in 0..<repeats {
        await withDiscardingTaskGroup { group in
            for _ in 0..<count { group.addTask(executorPreference: executor) {} }
        }
    }
    return watch.sample(operations: repeats * count)
}

private func fiberGroups(_ repeats: Int, _ count: Int) throws -> Sample {
    let watch = Stopwatch()
    for _ in 0..<repeats {
        try withGroup { group in
            for _ in 0..<count { try group.spawn {} }
        }
    }
    return watch.sample(operations: repeats * count)
}

private func groupsOfTasks(_ repeats: Int, _ count: Int) async throws -> Sample {
    let watch = Stopwatch()
    for _ in 0..<repeats {
        try await withGroup { group in
            for _ in 0..<count { try group.spawn { () async in } }
        }
    }
    return watch.sample(operations: repeats * count)
}
