internal import AsyncAlgorithms
internal import Measure
internal import Ringlet

/// What tasks pay for meeting each other, beside `AsyncChannel` of swift-async-algorithms, which has no buffer.
func measureTaskChannels(_ plan: Plan) throws {
    let count = 100_000
    var table = Comparison("Channel, one element between two tasks", plan)
    table.add("AsyncChannel, default pool") { try Scheduler.run { try await asyncChannelStream(count, on: nil) } }
    table.add("AsyncChannel on the worker") { try Scheduler.run { try await asyncChannelStream(count, on: here()) } }
    table.add("two tasks of the worker yield") { try Scheduler.run { try await taskYields(count) } }
    table.add("Channel, rendezvous", goal: .ratio(0.1)) {
        try Scheduler.run { try await taskStream(count, capacity: 0) }
    }
    table.add("Channel, buffer of 128", goal: .ratio(0.1)) {
        try Scheduler.run { try await taskStream(count, capacity: 128) }
    }
    try table.run()
}

private func asyncChannelStream(_ count: Int, on executor: (any TaskExecutor)?) async throws -> Sample {
    let channel = AsyncChannel<Int>()
    return try await race(count, on: executor) {
        for number in 0..<count { await channel.send(number) }
        channel.finish()
    } _: {
        var number = 0
        for await element in channel {
            check(element, number)
            number += 1
        }
    }
}

@inline(__always)
private func check(_ got: Int, _ expected: Int) {
    precondition(got == expected, "an element came out of order")
}

private func race(
    _ count: Int, on executor: (any TaskExecutor)? = here(), _ one: @escaping @Sendable () async throws -> Void,
    _ other: @escaping @Sendable () async throws -> Void
) async throws -> Sample {
    let watch = Stopwatch()
    let first = Task(executorPreference: executor) { try await one() }
    let second = Task(executorPreference: executor) { try await other() }
    try await first.value
    try await second.value
    return watch.sample(operations: count)
}

private func taskYields(_ count: Int) async throws -> Sample {
    let body: @Sendable () async -> Void = { for _ in 0..<count { await Task.yield() } }
    return try await race(2 * count, body, body)
}

private func taskStream(_ count: Int, capacity: Int) async throws -> Sample {
    let channel = Channel<Int>(capacity: capacity)
    return try await race(count) {
        for number in 0..<count { try await channel.send(number) }
    } _: {
        for number in 0..<count { check(try await channel.receive(), number) }
    }
}
