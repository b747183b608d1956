internal import Measure
internal import Ringlet

/// A Swift task that suspends and goes on through the loop.
func measureTasks(_ plan: Plan) throws {
    let count = 100_000
    var table = Comparison("Task, suspend and resume", plan)
    table.add("runtime alone: resumed at once") {
        try Scheduler.run { await resumeAtOnce(count) }
    }
    table.add("pair of continuations, worker", goal: .atMost(180), allocations: 0) {
        try Scheduler.run { await pingPong(count, on: here()) }
    }
    table.add("Task.yield in a pair, worker") {
        try Scheduler.run { await yieldInPair(count, on: here()) }
    }
    table.add("Scheduler.sleep until now, worker", allocations: 0) {
        try Scheduler.run { try await sleepUntilNow(count) }
    }
    try table.run()
}

/// The executor of the worker that runs this task.
func here() -> any TaskExecutor {
    guard let scheduler = Scheduler.current else { fatalError("outside a scheduler") }
    return scheduler.taskExecutor
}

/// A place where one task leaves its continuation for another. Behind a pointer, since a class's
/// property would add dynamic exclusivity to what is measured.
private struct Mailbox: @unchecked Sendable {
    private let slot: UnsafeMutablePointer<UnsafeContinuation<Void, Never>?>

    init() {
        slot = .allocate(capacity: 1)
        slot.initialize(to: nil)
    }

    func free() { slot.deallocate() }
    func leave(_ continuation: UnsafeContinuation<Void, Never>?) { slot.pointee = continuation }
    func take() -> UnsafeContinuation<Void, Never>? {
        defer { slot.pointee = nil }
        return slot.pointee
    }
}

/// Both suspend in turn, and each is resumed by the other: every hand-over passes through the queue.
private func pingPong(_ count: Int, on executor: any TaskExecutor) async -> Sample {
    let mailbox = Mailbox()
    defer { mailbox.free() }
    let body: @Sendable () async -> Void = {
        for _ in 0..<count {
            await withUnsafeContinuation { (mine: UnsafeContinuation<Void, Never>) in
                let other = mailbox.take()
                mailbox.leave(mine)
                other?.resume()
            }
        }
        mailbox.take()?.resume()
    }
    let watch = Stopwatch()
    let first = Task(executorPreference: executor, operation: body)
    let second = Task(executorPreference: executor, operation: body)
    await first.value
    await second.value
    return watch.sample(operations: 2 * count)
}

private func yieldInPair(_ count: Int, on executor: any TaskExecutor) async -> Sample {
    let body: @Sendable () async -> Void = { for _ in 0..<count { await Task.yield() } }
    let watch = Stopwatch()
    let first = Task(executorPreference: executor, operation: body)
    let second = Task(executorPreference: executor, operation: body)
    await first.value
    await second.value
    return watch.sample(operations: 2 * count)
}

/// A sleep that is over when it begins: a timer, a wait, and a turn.
private func sleepUntilNow(_ count: Int) async throws -> Sample {
    let watch = Stopwatch()
    for _ in 0..<count { try await Scheduler.sleep(until: Deadline(nanoseconds: 0)) }
    return watch.sample(operations: count)
}

/// The task never leaves the thread: what the runtime costs without a queue.
private func resumeAtOnce(_ count: Int) async -> Sample {
    let watch = Stopwatch()
    for _ in 0..<count {
        await withUnsafeContinuation { (mine: UnsafeContinuation<Void, Never>) in mine.resume() }
    }
    return watch.sample(operations: count)
}
