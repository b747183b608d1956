internal import Measure
internal import Ringlet

/// A tree of fibers or tasks, ten to each inner one, that adds up the numbers of its leaves: on the clock of the wall,
/// since threads share the work.
func measureSkynet(_ plan: Plan) throws {
    let leaves = 1_000_000
    let peers = try Program.peers("skynet")
    for threads in [1, 2] {
        var table = Comparison("Skynet, \(leaves) leaves, \(threads) thread\(threads == 1 ? "" : "s"), each leaf", plan)
        for peer in peers {
            table.add(peer.name) { try Program.sample(peer.command + ["\(threads)", "\(leaves)"]) }
        }
        let options = SchedulerOptions(workers: threads)
        table.add("Ringlet, fibers", goal: peers.isEmpty ? .none : .ratio(1)) {
            try Scheduler.run(options) {
                try timed(leaves) { try spread(leaves, threads) }
            }
        }
        table.add("Ringlet, tasks", goal: peers.isEmpty ? .none : .ratio(1)) {
            try Scheduler.run(options) { await timed(leaves) { await spreadByTasks(leaves, threads) } }
        }
        try table.run()
    }
}

private func timed(_ leaves: Int, _ body: () throws -> Int) rethrows -> Sample {
    let start = ContinuousClock.now
    check(try body(), leaves)
    return Sample(nanoseconds: (ContinuousClock.now - start) / .nanoseconds(leaves))
}

private func timed(_ leaves: Int, _ body: () async -> Int) async -> Sample {
    let start = ContinuousClock.now
    check(await body(), leaves)
    return Sample(nanoseconds: (ContinuousClock.now - start) / .nanoseconds(leaves))
}

private func check(_ sum: Int, _ leaves: Int) {
    precondition(sum == leaves * (leaves - 1) / 2, "the sum is wrong")
}

// MARK: Fibers

/// The root, whose children go to all workers in turn. Further down each stays on its parent's.
private func spread(_ leaves: Int, _ workers: Int) throws -> Int {
    guard let scheduler = Scheduler.current else { fatalError("outside a scheduler") }
    let part = leaves / 10
    let children = (0..<10).map { child in
        scheduler.spawn(onWorker: child % workers) { try sum(child * part, part) }
    }
    return try children.reduce(0) { try $0 + $1.join() }
}

private func sum(_ number: Int, _ size: Int) throws -> Int {
    if size == 1 { return number }
    let part = size / 10
    let children = (0..<10).map { child in Fiber { try sum(number + child * part, part) } }
    return try children.reduce(0) { try $0 + $1.join() }
}

// MARK: Tasks

private func spreadByTasks(_ leaves: Int, _ workers: Int) async -> Int {
    guard let scheduler = Scheduler.current else { fatalError("outside a scheduler") }
    let part = leaves / 10
    let children = (0..<10).map { child in
        let executor = scheduler.taskExecutor(ofWorker: child % workers)
        return Task(executorPreference: executor) { await sum(child * part, part, on: executor) }
    }
    var total = 0
    for child in children { total += await child.value }
    return total
}

private func sum(_ number: Int, _ size: Int, on executor: any TaskExecutor) async -> Int {
    if size == 1 { return number }
    let part = size / 10
    let children = (0..<10).map { child in
        Task(executorPreference: executor) { await sum(number + child * part, part, on: executor) }
    }
    var total = 0
    for child in children { total += await child.value }
    return total
}
