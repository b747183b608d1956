import Foundation
import RingletTesting
import Testing

@testable import Ringlet

/// Runs on worker 0 of its scheduler.
private actor Tally {
    private let scheduler: Scheduler
    private(set) var total = 0
    private(set) var strayed = 0

    init(scheduler: Scheduler) { self.scheduler = scheduler }

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe scheduler.actorExecutor }

    func add(_ amount: Int) {
        preconditionIsolated()
        if CurrentThread.worker?.index != 0 { strayed += 1 }
        total += amount
    }

    func addSlowly(_ amount: Int) async {
        let before = total
        await Task.yield()
        // Others may have come in between; the actor is isolated again.
        preconditionIsolated()
        if CurrentThread.worker?.index != 0 { strayed += 1 }
        total += amount
        if total < before + amount { strayed += 1 }
    }
}

private actor Ordinary {
    private(set) var workers: Set<Int?> = []

    func visit() { workers.insert(CurrentThread.worker?.index) }
}

@Suite(.timeLimit(.patient)) struct TaskTests {
    @Test func `a task comes back to its worker after every kind of wait`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            for index in 0..<2 {
                let task = Task(executorPreference: scheduler.taskExecutor(ofWorker: index)) {
                    var seen: [Int?] = [CurrentThread.worker?.index]
                    await Task.yield()
                    seen.append(CurrentThread.worker?.index)
                    try await Task.sleep(for: .microseconds(10))
                    seen.append(CurrentThread.worker?.index)
                    let number = await withCheckedContinuation { continuation in
                        Thread.detachNewThread { continuation.resume(returning: 3) }
                    }
                    seen.append(CurrentThread.worker?.index)
                    let pair = try await connectedPair()
                    try await pair.client.close()
                    seen.append(CurrentThread.worker?.index)
                    _ = try await scheduler.spawn(onWorker: 1 - index) { number }.join()
                    seen.append(CurrentThread.worker?.index)
                    await Task { await Task.yield() }.value
                    seen.append(CurrentThread.worker?.index)
                    return seen
                }
                let seen = try await task.value
                #expect(seen == Array(repeating: index, count: 7))
            }
        }
    }

    @Test func `a thousand continuations are resumed from other threads`() async throws {
        try await withScheduler { scheduler in
            let waiting = Journal<CheckedContinuation<Int, Never>>()
            let tasks = (0..<1000).map { _ in
                Task(executorPreference: scheduler.taskExecutor) {
                    let number = await withCheckedContinuation { continuation in
                        waiting.note(continuation)
                    }
                    return CurrentThread.worker == nil ? -1 : number
                }
            }
            try await awaitUntil("all wait") { waiting.count == 1000 }
            let continuations = waiting.all
            for half in 0..<2 {
                try await onThread {
                    for number in stride(from: half, to: 1000, by: 2) {
                        continuations[number].resume(returning: 1)
                    }
                }
            }
            var sum = 0
            for task in tasks { sum += await task.value }
            #expect(sum == 1000)
        }
    }

    // MARK: Sleeping

    @Test func `a cancelled sleep of a task ends at once`() async throws {
        try await withScheduler { scheduler in
            let began = Flag()
            let task = Task(executorPreference: scheduler.taskExecutor) {
                began.set()
                try await Task.sleep(for: .seconds(1000))
            }
            try await awaitUntil("it sleeps") { began.isSet }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test func `a hundred tasks wake in the order of their sleeps`() async throws {
        try await forEachSeed(1...100) { _ in
            let order = Journal<Int>()
            let tasks = (0..<100).map { number in
                Task(executorPreference: Simulation.executor) {
                    // Sleeps begin in another order than they end in.
                    let place = number * 37 % 100
                    try await Task.sleep(for: .seconds(1 + place))
                    order.note(place)
                }
            }
            for task in tasks { try await task.value }
            #expect(order.all == Array(0..<100))
        }
    }

    // MARK: Actors

    @Test func `an actor with the scheduler's executor runs on worker 0`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let tally = Tally(scheduler: scheduler)
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    switch number % 3 {
                    case 0:
                        group.addTask { await tally.add(1) }
                    case 1:
                        group.addTask(executorPreference: scheduler.taskExecutor) {
                            await tally.addSlowly(1)
                        }
                    default:
                        scheduler.spawn {
                            try Fiber.await { await tally.add(1) }
                        }
                    }
                }
            }
            try await awaitUntil("the fibers have added too") { await tally.total == 300 }
            #expect(await tally.strayed == 0)
        }
    }

    @Test func `an ordinary actor runs where the task prefers to`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let actor = Ordinary()
            try await Task(executorPreference: scheduler.taskExecutor(ofWorker: 1)) {
                for _ in 0..<10 {
                    await actor.visit()
                    guard CurrentThread.worker?.index == 1 else { throw Failure(number: 1) }
                }
            }.value
            #expect(await actor.workers == [1])
        }
    }

    // MARK: Structure

    @Test func `groups and async let stay on the worker`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let seen = await Task(executorPreference: scheduler.taskExecutor(ofWorker: 1)) {
                async let one = CurrentThread.worker?.index
                let many = await withTaskGroup(of: Int?.self) { group in
                    for _ in 0..<20 { group.addTask { CurrentThread.worker?.index } }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                return many + [await one]
            }.value
            #expect(seen == Array(repeating: 1, count: 21))
        }
    }

    @Test func `fibers and tasks spawn and await each other`() async throws {
        try await withScheduler { scheduler in
            let fiber = scheduler.spawn {
                let values = try Fiber.await {
                    try await withThrowingTaskGroup(of: Int.self) { group in
                        for number in 0..<10 {
                            group.addTask {
                                try await scheduler.spawn { () -> Int in
                                    try Fiber.yield()
                                    return number
                                }.join()
                            }
                        }
                        return try await group.reduce(0, +)
                    }
                }
                return values
            }
            let sum = try await fiber.join()
            #expect(sum == 45)
        }
    }

    @Test func `a yield storm of tasks does not starve fibers, nor the other way round`() async throws {
        try await withScheduler { scheduler in
            let stop = Flag()
            let tasks = (0..<10).map { _ in
                Task(executorPreference: scheduler.taskExecutor) {
                    while !stop.isSet { await Task.yield() }
                }
            }
            let fibers = (0..<10).map { _ in
                scheduler.spawn { while !stop.isSet { try Fiber.yield() } }
            }
            try await scheduler.spawn { for _ in 0..<100 { try Fiber.yield() } }.join()
            await Task(executorPreference: scheduler.taskExecutor) {
                for _ in 0..<100 { await Task.yield() }
            }.value
            stop.set()
            for task in tasks { await task.value }
            for fiber in fibers { try await fiber.join() }
        }
    }

    // MARK: After the scheduler

    @Test func `a task that outlives its scheduler still ends`() async throws {
        let scheduler = try Scheduler()
        let inside = Flag()
        let release = Flag()
        let task = Task(executorPreference: scheduler.taskExecutor) {
            inside.set()
            while !release.isSet { await Task.yield() }
            let pair = try await connectedPair()
            try await pair.client.close()
            return CurrentThread.worker == nil
        }
        try await awaitUntil("it runs") { inside.isSet }
        Task {
            try await awaitUntil("the shutdown has begun") { scheduler.state.isShuttingDown }
            release.set()
        }
        _ = try await onThread { scheduler.shutdown() }
        do {
            _ = try await task.value
        } catch is CancellationError {
            // Where its first operation began before the worker had ended.
        }
    }
}
