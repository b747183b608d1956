import Dispatch
import Foundation
import Testing

@testable import Ringlet

private enum Local {
    @TaskLocal static var number = 0
    @TaskLocal static var text = "none"
}

/// What a fiber has that a raw stack has not: the identity of a task of its own. Holds on every rung.
@Suite(.timeLimit(.patient)) struct FiberHostTests {
    /// Awaits in place with a binding of its own and a suspension in the middle.
    private static func seenInPlace(_ number: Int) throws -> Bool {
        try Fiber.await {
            guard Local.number == number else { return false }
            let inner = await Local.$number.withValue(number + 1000) {
                await Task.yield()
                return Local.number == number + 1000
            }
            await Task.yield()
            return inner && Local.number == number
        }
    }

    @Test func `interleaved fibers keep their own task-locals over every wait`() async throws {
        try await Scheduler.run {
            let fibers = (1...4).map { base in
                Fiber { () -> Bool in
                    var right = true
                    func check(_ holds: Bool) { if !holds { right = false } }
                    for round in 0..<10 {
                        let number = base * 100 + round
                        try Local.$number.withValue(number) {
                            try Fiber.yield()
                            check(Local.number == number)
                            try Local.$text.withValue("\(number)") {
                                try Fiber.sleep(for: .microseconds(base))
                                check(Local.text == "\(number)" && Local.number == number)
                                check(try Self.seenInPlace(number))
                                try Local.$number.withValue(-number) {
                                    try Fiber.yield()
                                    check(Local.number == -number)
                                    check(try Self.seenInPlace(-number))
                                }
                                try Fiber.yield()
                                check(Local.number == number)
                            }
                            check(Local.text == "none")
                            try Fiber.yield()
                            check(Local.number == number)
                        }
                        check(Local.number == 0)
                        try Fiber.yield()
                    }
                    return right
                }
            }
            for fiber in fibers {
                let right = try fiber.join()
                #expect(right)
            }
        }
    }

    @Test func `a thousand fibers hold twelve bindings each`() async throws {
        @Sendable func nest(_ base: Int, _ depth: Int) throws -> Bool {
            if depth == 0 {
                try Fiber.yield()
                return true
            }
            return try Local.$number.withValue(base + depth) {
                try Fiber.yield()
                let below = try nest(base, depth - 1)
                try Fiber.yield()
                return below && Local.number == base + depth
            }
        }
        let right = try await Scheduler.run {
            let fibers = (0..<1000).map { base in Fiber { try nest(base * 20, 12) } }
            return try fibers.reduce(0) { try $0 + ($1.join() ? 1 : 0) }
        }
        #expect(right == 1000)
    }

    @Test func `fibers and tasks inherit the locals of where they are made`() async throws {
        try await Scheduler.run {
            try Local.$text.withValue("outside") {
                let fiber = Fiber { () -> [String] in
                    var seen = [Local.text]
                    try Fiber.yield()
                    seen.append(Local.text)
                    let task = Task { Local.text }
                    seen.append(try Fiber.await { await task.value })
                    seen.append(try Fiber { Local.text }.join())
                    let detached = Task.detached { Local.text }
                    seen.append(try Fiber.await { await detached.value })
                    return seen
                }
                let seen = try fiber.join()
                #expect(seen == ["outside", "outside", "outside", "outside", "none"])
            }
        }
    }

    /// The current task, as a number.
    private static func task() -> UInt {
        unsafe withUnsafeCurrentTask { task in
            unsafe task.map { UInt(bitPattern: unsafe $0.hashValue) } ?? 0
        }
    }

    @Test func `a fiber is the same task from beginning to end, and no other fiber's`() async throws {
        try await Scheduler.run {
            let fibers = (0..<10).map { _ in
                Fiber { () -> Set<UInt> in
                    var seen: Set<UInt> = [Self.task()]
                    for _ in 0..<10 {
                        try Fiber.yield()
                        seen.insert(Self.task())
                        try Fiber.sleep(for: .microseconds(5))
                        seen.insert(Self.task())
                        seen.insert(
                            try Fiber.await {
                                await Task.yield()
                                return Self.task()
                            })
                    }
                    return seen
                }
            }
            var all: Set<UInt> = [Self.task()]
            for fiber in fibers {
                let seen = try fiber.join()
                #expect(seen.count == 1)
                all.formUnion(seen)
            }
            #expect(!all.contains(0))
            #expect(all.count == 11)
        }
    }

    @Test func `while a fiber is parked its task is not the thread's`() async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let release = Flag()
            let asleep = Counter()
            let fibers = (0..<3).map { _ in
                scheduler.spawn {
                    asleep.add()
                    while !release.isSet { try Fiber.sleep(for: .milliseconds(1)) }
                }
            }
            try await awaitUntil("they sleep") { asleep.value == 3 }
            for _ in 0..<20 {
                let seen = Shared<Bool?>(nil)
                worker.perform { _ in seen.value = CurrentThread.isInTask }
                try await awaitUntil("the message") { seen.value != nil }
                #expect(seen.value == false)
            }
            release.set()
            for fiber in fibers { try await fiber.join() }
        }
    }

    // MARK: Cancellation

    @Test func `a cancellation handler around waits runs when the fiber is cancelled`() async throws {
        try await withScheduler { scheduler in
            let handled = Counter()
            let inside = Flag()
            let fiber = scheduler.spawn {
                try Fiber.await {
                    await withTaskCancellationHandler {
                        inside.set()
                        while !Task.isCancelled { await Task.yield() }
                    } onCancel: {
                        handled.add()
                    }
                }
                return Task.isCancelled
            }
            let bystander = scheduler.spawn { () -> Bool in
                while !fiber.isFinished { try Fiber.yield() }
                return Task.isCancelled
            }
            try await awaitUntil("it waits in place") { inside.isSet }
            _ = try await onThread { fiber.cancel() }
            let cancelled = try await fiber.join()
            #expect(cancelled)
            #expect(handled.value == 1)
            let disturbed = try await bystander.join()
            #expect(!disturbed)
        }
    }

    @Test func `a sleep in place is cancelled with the fiber`() async throws {
        try await withScheduler { scheduler in
            let inside = Flag()
            let fiber = scheduler.spawn {
                try Fiber.await {
                    inside.set()
                    try await Task.sleep(for: .seconds(1000))
                }
            }
            try await awaitUntil("it sleeps") { inside.isSet }
            fiber.cancel()
            await #expect(throws: CancellationError.self) {
                try await fiber.join(deadline: .after(patience))
            }
        }
    }

    @Test func `storms of cancels from other threads hit exactly the fibers they are meant for`()
        async throws
    {
        try await withScheduler(workers: 2) { scheduler in
            for round in 0..<20 {
                let fibers = (0..<16).map { index in
                    scheduler.spawn(onWorker: index % 2) { () -> Bool in
                        var right = true
                        do {
                            try Local.$number.withValue(index) {
                                for step in 0..<40 {
                                    try Fiber.yield()
                                    if step % 8 == 0 {
                                        try Fiber.await {
                                            await withTaskCancellationHandler {
                                                await Task.yield()
                                            } onCancel: {
                                            }
                                        }
                                    }
                                    if Local.number != index { right = false }
                                }
                            }
                        } catch is CancellationError {}
                        return right && Local.number == 0 && (index % 3 != 0 || Task.isCancelled)
                            && (index % 3 == 0 || !Task.isCancelled)
                    }
                }
                let threads = (0..<2).map { half in
                    Task {
                        try await onThread {
                            for index in stride(from: 0, to: 16, by: 3) {
                                if half == 1 { usleep(useconds_t(round * 3)) }
                                fibers[index].cancel()
                            }
                        }
                    }
                }
                for thread in threads { try await thread.value }
                for (index, fiber) in fibers.enumerated() {
                    do {
                        let right = try await fiber.join()
                        // A fiber may have ended before its cancel came.
                        if index % 3 != 0 { #expect(right) }
                    } catch is CancellationError {
                        // Cancelled before it began.
                        #expect(index % 3 == 0)
                    }
                }
            }
        }
    }

    // MARK: Exclusivity

    private final class Account {
        var balance = 0
        var history: [Int] = []
    }

    /// A long access: the caller modifies while the fiber waits.
    private static func deposit(_ amount: Int, into balance: inout Int) throws {
        try Fiber.yield()
        balance += amount
        try Fiber.yield()
    }

    @Test func `accesses that are held over waits do not disturb those of other fibers`() async throws {
        try await Scheduler.run {
            let fibers = (0..<20).map { number in
                Fiber { () -> Int in
                    // One each: two modifications of the same property at a time are an error.
                    let account = Account()
                    for _ in 0..<20 {
                        try Self.deposit(number, into: &account.balance)
                        try Self.append(number, to: &account.history) {
                            try Self.deposit(1, into: &account.balance)
                        }
                    }
                    return account.balance + account.history.count
                }
            }
            for (number, fiber) in fibers.enumerated() {
                let total = try fiber.join()
                #expect(total == 20 * number + 20 + 20)
            }
        }
    }

    private static func append(
        _ number: Int, to history: inout [Int], between: () throws -> Void
    ) throws {
        history.append(number)
        try between()
        try Fiber.await { await Task.yield() }
        try Fiber.sleep(for: .microseconds(number))
    }

    // MARK: Priorities

    @Test func `a fiber has the priority it was given, and what it makes inherits it`() async throws {
        try await Scheduler.run {
            let low = Fiber(priority: .low) { () -> [TaskPriority] in
                try Fiber.yield()
                let task = Task { Task.currentPriority }
                let inherited = try Fiber.await { await Task { await task.value }.value }
                return [Task.currentPriority, inherited]
            }
            let high = Fiber(priority: .high) { () -> TaskPriority in
                try Fiber.yield()
                return Task.currentPriority
            }
            let lows = try low.join()
            #expect(lows.allSatisfy { $0 >= .low })
            #expect(lows[0] == .low)
            let highs = try high.join()
            #expect(highs == .high)
        }
    }

    /// Escalation is for any thread while the task lives.
    @safe private struct Handle: @unchecked Sendable {
        let task: UnsafeCurrentTask?

        init() { unsafe task = withUnsafeCurrentTask { unsafe $0 } }

        func escalate(to priority: TaskPriority) {
            if let task = unsafe task { unsafe task.escalatePriority(to: priority) }
        }
    }

    @Test func `a parked fiber's task is raised by another thread`() async throws {
        try await withScheduler { scheduler in
            let handle = Shared<Handle?>(nil)
            let raised = Flag()
            let fiber = scheduler.spawn(priority: .low) { () -> [TaskPriority] in
                let before = Task.currentPriority
                handle.value = Handle()
                try yieldUntil("raised") { raised.isSet }
                let after = Task.currentPriority
                let inPlace = try Fiber.await { Task.currentPriority }
                return [before, after, inPlace]
            }
            let bystander = scheduler.spawn(priority: .low) { () -> TaskPriority in
                try yieldUntil("raised") { raised.isSet }
                return Task.currentPriority
            }
            try await onThread {
                try blockUntil("the handle") { handle.value != nil }
                handle.value?.escalate(to: .high)
                raised.set()
            }
            let priorities = try await fiber.join()
            #expect(priorities == [.low, .high, .high])
            let other = try await bystander.join()
            #expect(other == .low)
        }
    }

    // MARK: Structured concurrency in place

    @Test func `groups, async let, immediate tasks and sleeps work in place`() async throws {
        try await Scheduler.run {
            let fibers = (0..<5).map { number in
                Fiber { () -> Int in
                    try Local.$number.withValue(number) {
                        try Fiber.yield()
                        let immediate = Task.immediate { () -> Int in
                            let before = Local.number
                            await Task.yield()
                            return before + Local.number
                        }
                        let sum = try Fiber.await {
                            async let one = Local.number
                            let many = try await withThrowingTaskGroup(of: Int.self) { group in
                                for _ in 0..<4 {
                                    group.addTask {
                                        try await Task.sleep(for: .microseconds(10))
                                        return Local.number
                                    }
                                }
                                return try await group.reduce(0, +)
                            }
                            try await Task.sleep(for: .microseconds(10))
                            return await one + many + immediate.value
                        }
                        try Fiber.yield()
                        return sum + Local.number
                    }
                }
            }
            for (number, fiber) in fibers.enumerated() {
                let sum = try fiber.join()
                #expect(sum == 8 * number)
            }
        }
    }

    /// An executor on threads that Ringlet knows nothing of.
    private final class ForeignExecutor: SerialExecutor {
        private let queue = DispatchQueue(label: "elsewhere")

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
        }
    }

    private actor Elsewhere {
        private let executor = ForeignExecutor()

        nonisolated var unownedExecutor: UnownedSerialExecutor {
            unsafe executor.asUnownedSerialExecutor()
        }

        func visit(_ number: Int) -> (isElsewhere: Bool, number: Int) {
            (CurrentThread.worker == nil, number + 1)
        }
    }

    private actor Here {
        var count = 0
        func visit() async -> Bool {
            count += 1
            await Task.yield()
            return CurrentThread.worker != nil
        }
    }

    @Test func `hops to actors in place come back to the fiber's own thread`() async throws {
        let elsewhere = Elsewhere()
        let here = Here()
        try await Scheduler.run {
            let fibers = (0..<8).map { number in
                Fiber { () -> Bool in
                    let worker = CurrentThread.worker
                    var right = worker != nil
                    for step in 0..<20 {
                        let away = try Fiber.await { await elsewhere.visit(step) }
                        right = right && away.isElsewhere && away.number == step + 1
                        right = right && CurrentThread.worker === worker
                        let near = try Fiber.await { await here.visit() }
                        right = right && near && CurrentThread.worker === worker
                        try Fiber.yield()
                    }
                    return right && number >= 0
                }
            }
            for fiber in fibers {
                let right = try fiber.join()
                #expect(right)
            }
        }
    }

    @Test func `what an await in place throws is thrown in the fiber`() async throws {
        try await Scheduler.run {
            let fiber = Fiber { () -> Int in
                do {
                    try Fiber.await {
                        await Task.yield()
                        throw Failure(number: 4)
                    }
                    return 0
                } catch let failure as Failure {
                    try Fiber.yield()
                    return failure.number
                }
            }
            let number = try fiber.join()
            #expect(number == 4)
        }
    }

    @Test func `awaits in place nest in the fibers that the awaited code makes`() async throws {
        try await Scheduler.run {
            let fiber = Fiber {
                try Fiber.await {
                    try await Fiber {
                        try Fiber.await {
                            try await Fiber { () -> Int in
                                try Fiber.yield()
                                return 5
                            }.join()
                        }
                    }.join()
                }
            }
            let value = try fiber.join()
            #expect(value == 5)
        }
    }
}
