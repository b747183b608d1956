import Testing

@testable import Ringlet

/// A fiber's task serves the next one, if it is as it was.
@Suite(.timeLimit(.patient)) struct IdleTaskTests {
    @TaskLocal static var value = 0
    private static let local = FiberLocal(0)

    /// What a fiber finds in its task.
    private struct Findings: Equatable, Sendable {
        var value = IdleTaskTests.value
        /// Which tasks have none of.
        var local = AnyFiber.current == nil ? 0 : IdleTaskTests.local.value
        var isCancelled = Task.isCancelled
        var priority = Task.currentPriority
        var basePriority = Task.basePriority
    }

    /// Tasks that wait for a fiber on the current worker.
    private static var idle: Int { CurrentThread.worker?.idleTasks.count ?? 0 }

    private static var isReusing: Bool { CurrentThread.worker?.rung == .slot }

    /// On a thread of its own: the task of a test has locals, with which a fiber's task is made where the fiber is.
    private static func run(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await onThread { try Scheduler.run { try body() } }
    }

    @Test func `a task that is as it was made serves one fiber after another`() async throws {
        try await Self.run {
            func address() -> Int { unsafe withUnsafeCurrentTask { unsafe $0.hashValue } }
            let first = try Fiber { address() }.join()
            let idle = Self.idle
            if Self.isReusing { #expect(idle > 0) }
            for _ in 0..<100 {
                let next = try Fiber { address() }.join()
                if Self.isReusing { #expect(next == first) }
                #expect(Self.idle == idle)
            }
        }
    }

    @Test func `what one fiber does to its task, the next one does not find`() async throws {
        try await Self.run {
            let fresh = Findings()
            let others: [@Sendable () throws -> Void] = [
                { try Self.$value.withValue(1) { try Fiber.yield() } },
                { _ = try Fiber.await { await Task.yield() } },
                { AnyFiber.current?.cancel() },
                { try Self.$value.withValue(2) { try Fiber.await { await Task.yield() } } },
                { throw Failure() },
                { try Fiber { try Fiber.yield() }.join() },
                { Self.local.value = 1 },
            ]
            for _ in 0..<20 {
                for other in others {
                    _ = try? Fiber { try other() }.join()
                    let found = try Fiber { Findings() }.join()
                    #expect(found == fresh)
                }
            }
        }
    }

    @Test func `a fiber inherits what is bound where it is spawned, and nothing else`() async throws {
        try await Self.run {
            for number in 1...20 {
                let (inside, empty) = Self.$value.withValue(number) {
                    (Fiber { Self.value }, Fiber(locals: .empty) { Self.value })
                }
                let after = Fiber { Self.value }
                let found = try [inside.join(), after.join(), empty.join()]
                #expect(found == [number, 0, 0])
            }
        }
    }

    @Test(arguments: [TaskPriority.background, .low, .medium, .high, TaskPriority(rawValue: 19)])
    func `the priority is that of any task that is made there`(priority: TaskPriority) async throws {
        try await withScheduler { scheduler in
            let executor = scheduler.taskExecutor(ofWorker: 0)
            for chosen in [nil, TaskPriority.low, .high] {
                let found = try await Task(executorPreference: executor, priority: priority) {
                    try await Self.findings(chosen, on: executor)
                }.value
                #expect(found.fibers == found.tasks)
                #expect(found.fibers.allSatisfy { $0 == found.fibers[0] })
            }
        }
    }

    private static func findings(_ priority: TaskPriority?, on executor: any TaskExecutor) async throws
        -> (fibers: [Findings], tasks: [Findings])
    {
        var fibers: [Findings] = []
        var tasks: [Findings] = []
        for _ in 0..<3 {
            fibers.append(try await Fiber(priority: priority) { Findings() }.join())
            // Nobody waits for it meanwhile, who might raise its priority.
            let found = Shared<Findings?>(nil)
            Task(executorPreference: executor, priority: priority) { found.value = Findings() }
            try await awaitUntil("the task has run") { found.value != nil }
            if let found = found.value { tasks.append(found) }
        }
        return (fibers, tasks)
    }

    @Test func `after a peak most tasks end, and after a scheduler all`() async throws {
        try await Self.run {
            let fibers = (0..<1000).map { _ in Fiber { try Fiber.yield() } }
            for fiber in fibers { try fiber.join() }
            #expect(Self.idle <= IdleTasks.limit)
            if Self.isReusing { #expect(Self.idle >= IdleTasks.limit / 2) }
            // Of another priority.
            for _ in 0..<10 {
                let found = try Fiber(priority: .low) { Findings() }.join()
                #expect(found.basePriority == .low)
            }
        }
    }
}
