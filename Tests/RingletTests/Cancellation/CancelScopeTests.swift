import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct CancelScopeTests {
    // MARK: Fibers

    @Test func `scenario 56: a deadline is a cancellation inside and a timeout at the boundary`() async throws {
        try await inEveryOrder {
            let inside = Shared<(any Error)?>(nil)
            var scope: CancelScope?
            let error = errorThrown {
                try withDeadline(.after(.milliseconds(10))) {
                    scope = $0
                    inside.value = errorThrown { try Fiber.sleep(until: .never) }
                    #expect(scope!.isCancelled)
                    // Level-triggered: and the next one as well.
                    try Fiber.yield()
                }
            }
            #expect(inside.value is CancellationError)
            let timeout = try #require(error as? TimeoutError)
            #expect(timeout.scope === scope && timeout.deadline == scope!.deadline)
            #expect(scope!.hasExpired)
            #expect(AnyFiber.current!.isCancelled == false)
            try Fiber.yield()
        }
    }

    @Test func `scenario 57: of two equal deadlines the outer one is told`() async throws {
        try await inEveryOrder {
            let deadline = Deadline.after(.milliseconds(5))
            var innerError: (any Error)?
            let outer = CancelScope(deadline: deadline)
            let result: Void? = try outer.run { _ in
                innerError = errorThrown {
                    try withDeadline(deadline) { _ in try Fiber.sleep(until: .never) }
                }
                throw innerError!
            }
            #expect(result == nil)
            #expect(innerError is CancellationError)
            #expect(outer.hasExpired)
        }
    }

    @Test func `scenario 58: a cancellation from outside stays one`() async throws {
        try await inEveryOrder {
            let asleep = Flag()
            let fiber = Fiber {
                try withDeadline(.after(.seconds(1000))) { _ in
                    asleep.set()
                    try Fiber.sleep(until: .never)
                }
            }
            try yieldUntil("asleep") { asleep.isSet }
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
        }
    }

    @Test func `scenario 59: a deadline that has passed ends the first wait, and none never does`() async throws {
        try await inEveryOrder {
            let steps = Journal<String>()
            #expect(throws: TimeoutError.self) {
                try withDeadline(.now) { _ in
                    steps.note("runs")
                    try Fiber.yield()
                    steps.note("never")
                }
            }
            #expect(steps.all == ["runs"])
            let value = try withDeadline(.never) { _ in try Fiber.yield(); return 3 }
            #expect(value == 3)
            // asyncio's `wait_for` with a time of 0: what has ended gives its value, what does not wait runs, and what
            // goes on is left alone.
            let ended = Fiber { 4 }
            try ended.wait()
            let gate = Promise<Int>()
            let running = Fiber { try gate.value() }
            let past = Deadline(nanoseconds: 1)
            let joined = try ended.join(deadline: past)
            let within: Int = try withDeadline(past) { _ in try ended.join() }
            let computed: Int = try withDeadline(past) { _ in 6 }
            #expect(joined == 4 && within == 4 && computed == 6)
            #expect(throws: TimeoutError(deadline: past)) { try running.join(deadline: past) }
            #expect(throws: TimeoutError.self) { try withDeadline(past) { _ in _ = try running.join() } }
            try gate.succeed(5)
            #expect(try running.join() == 5)
        }
    }

    @Test func `scenario 60: a deadline is moved while the scope is active, and at no other time`() async throws {
        try await inEveryOrder {
            let scope = CancelScope(deadline: .after(.seconds(1000)))
            #expect(throws: CancelScopeError.notEntered) { try scope.reschedule(to: .never) }
            let ended: Void? = try scope.run { scope in
                try scope.reschedule(to: .after(.milliseconds(5)))
                try Fiber.sleep(until: .never)
            }
            #expect(ended == nil && scope.hasExpired)
            #expect(throws: CancelScopeError.hasEnded) { try scope.reschedule(to: .never) }
            #expect(throws: CancelScopeError.enteredTwice) { try scope.run { _ in } }

            let moved = CancelScope(deadline: .after(.milliseconds(500)))
            #expect(try moved.run { scope in
                try scope.reschedule(to: .never)
                try Fiber.sleep(for: .milliseconds(600))
                return 7
            } == 7)
            #expect(!moved.isCancelled)

            let passed = CancelScope()
            let cut: Void? = try passed.run { scope in
                try scope.reschedule(to: .now)
                #expect(throws: CancelScopeError.wasCancelled) { try scope.reschedule(to: .never) }
                try Fiber.yield()
            }
            #expect(cut == nil && passed.hasExpired)
        }
    }

    @Test func `scenario 61: the boundary waits for clean-up, and a returned value wins`() async throws {
        try await inEveryOrder {
            let steps = Journal<String>()
            #expect(throws: TimeoutError.self) {
                try withDeadline(.after(.milliseconds(5))) { _ in
                    do {
                        try Fiber.sleep(until: .never)
                    } catch {
                        try withoutCancellation { try Fiber.sleep(for: .milliseconds(5)) }
                        steps.note("clean")
                        throw error
                    }
                }
            }
            #expect(steps.all == ["clean"])
            let survivor = try withDeadline(.after(.milliseconds(5))) { _ in
                try? Fiber.sleep(until: .never)
                return "survived"
            }
            #expect(survivor == "survived")
            #expect(throws: Failure(number: 4)) {
                try withDeadline(.after(.milliseconds(5))) { _ in
                    do { try Fiber.sleep(until: .never) } catch { throw Failure(number: 4) }
                }
            }
        }
    }

    @Test func `scenario 62: nested timeouts are told apart, and the silent form has a default`() async throws {
        try await inEveryOrder {
            var outerScope: CancelScope?
            let error = errorThrown {
                try withDeadline(.after(.milliseconds(5))) { outer in
                    outerScope = outer
                    try withDeadline(.after(.seconds(1000))) { _ in try Fiber.sleep(until: .never) }
                }
            }
            #expect((error as? TimeoutError)?.scope === outerScope)

            let silent = CancelScope(deadline: .after(.milliseconds(5)))
            let value = try silent.run { _ in try Fiber.sleep(until: .never); return 1 }
            #expect(value ?? 2 == 2)

            // A silent scope swallows its own cancellation only.
            let other = TimeoutError(deadline: .now)
            #expect(throws: other) { try CancelScope(deadline: .now).run { _ in throw other } }
        }
    }

    @Test func `a scope that is cancelled before it is entered cancels on entry`() async throws {
        try await Scheduler.run {
            let scope = CancelScope()
            scope.cancel()
            let result: Int? = try scope.run { _ in
                try Fiber.yield()
                return 1
            }
            #expect(result == nil && !scope.hasExpired)
        }
    }

    @Test func `a scope is cancelled from a thread, a task and another worker, whatever it waits for`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let listener = try TCPListener(on: .loopback(port: 0))
            let endless = scheduler.spawn(onWorker: 1) { try Fiber.sleep(until: .never) }
            let waits: [@Sendable () throws -> Void] = [
                { try Fiber.sleep(until: .never) },
                { _ = try listener.accept() },
                { try endless.join() },
                { try Fiber.await { try await Task.sleep(for: .seconds(1000)) } },
                { while true { try Fiber.yield() } },
            ]
            for wait in waits {
                for way in 0..<3 {
                    let scope = CancelScope()
                    let entered = Flag()
                    let fiber = scheduler.spawn(onWorker: 0) {
                        let result: Void? = try scope.run { _ in
                            entered.set()
                            try wait()
                        }
                        try Fiber.yield()
                        return result == nil
                    }
                    try await awaitUntil("entered") { entered.isSet }
                    switch way {
                    case 0: try await onThread { scope.cancel() }
                    case 1: await Task { scope.cancel() }.value
                    default: try await scheduler.spawn(onWorker: 1) { scope.cancel() }.join()
                    }
                    #expect(try await fiber.join(deadline: .after(patience)))
                }
            }
            endless.cancel()
            try await listener.close()
        }
    }

    @Test func `a shielded part keeps out the scopes around it, and not those inside`() async throws {
        try await Scheduler.run {
            let outer = CancelScope()
            let steps = Journal<String>()
            let result: Void? = try outer.run { _ in
                outer.cancel()
                try withoutCancellation {
                    try Fiber.yield()
                    steps.note("shielded")
                    let inner = CancelScope()
                    let cut: Void? = try inner.run { _ in
                        inner.cancel()
                        try Fiber.yield()
                    }
                    #expect(cut == nil)
                    try Fiber.yield()
                    steps.note("after")
                }
                try Fiber.yield()
                steps.note("never")
            }
            #expect(result == nil)
            #expect(steps.all == ["shielded", "after"])
        }
    }

    @Test func `code awaited in place is cancelled with its scope, and with no other`() async throws {
        try await Scheduler.run {
            let scope = CancelScope()
            let cut: Void? = try scope.run { scope in
                try Fiber.await {
                    #expect(!Task.isCancelled)
                    try scope.reschedule(to: .after(.milliseconds(5)))
                    try await Task.sleep(for: .seconds(1000))
                }
            }
            #expect(cut == nil)
            #expect(try Fiber.await { Task.isCancelled } == false)

            // In a shielded part of a fiber that was cancelled it is not cancelled either.
            let fiber = Fiber {
                AnyFiber.current!.cancel()
                return try withoutCancellation { try Fiber.await { Task.isCancelled } }
            }
            #expect(try fiber.join() == false)
        }
    }

    // MARK: Tasks

    /// On threads of their own they begin at the same time as their maker goes on.
    @Test func `the body of a scope in a task begins when the scope has been entered, and not in one that was`() async throws {
        let begun = Counter()
        for _ in 0..<3_000 {
            let scope = CancelScope()
            try await scope.run { try $0.reschedule(to: .after(patience)) }
            await #expect(throws: CancelScopeError.enteredTwice) { try await scope.run { _ in begun.add() } }
            let cancelled = CancelScope()
            cancelled.cancel()
            let wasCancelled = try await cancelled.run { _ in Task.isCancelled }
            #expect(wasCancelled == true)
        }
        #expect(begun.value == 0)
    }

    /// In tasks of a worker, `TaskScopeScenarioTests` has them in every order.
    @Test func `scenarios 56 to 62 in tasks that no worker runs`() async throws {
        // 56
        let seen = Shared<CancelScope?>(nil)
        let timeout = await errorThrown {
            try await withDeadline(.after(.milliseconds(10))) { scope in
                seen.value = scope
                do {
                    try await Task.sleep(for: .seconds(1000))
                } catch {
                    #expect(error is CancellationError && Task.isCancelled)
                    throw error
                }
            }
        }
        #expect((timeout as? TimeoutError)?.scope === seen.value)
        #expect(seen.value!.hasExpired && !Task.isCancelled)

        // 57
        let deadline = Deadline.after(.milliseconds(5))
        let inner = Shared<(any Error)?>(nil)
        let outer = CancelScope(deadline: deadline)
        let result: Void? = try await outer.run { _ in
            inner.value = await errorThrown {
                try await withDeadline(deadline) { _ in try await Scheduler.sleep(until: .never) }
            }
            throw inner.value!
        }
        #expect(result == nil && outer.hasExpired && inner.value is CancellationError)

        // 58
        let entered = Flag()
        let task = Task {
            try await withDeadline(.after(.seconds(1000))) { _ in
                entered.set()
                try await Scheduler.sleep(until: .never)
            }
        }
        try await awaitUntil("entered") { entered.isSet }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }

        // 59
        await #expect(throws: TimeoutError.self) {
            try await withDeadline(.now) { _ in try await Scheduler.sleep(for: .seconds(1000)) }
        }
        #expect(try await withDeadline(.never) { _ in await Task.yield(); return 3 } == 3)

        // 60
        let scope = CancelScope(deadline: .after(.seconds(1000)))
        #expect(throws: CancelScopeError.notEntered) { try scope.reschedule(to: .never) }
        let ended: Void? = try await scope.run { scope in
            try scope.reschedule(to: .after(.milliseconds(5)))
            try await Task.sleep(for: .seconds(1000))
        }
        #expect(ended == nil && scope.hasExpired)
        #expect(throws: CancelScopeError.hasEnded) { try scope.reschedule(to: .never) }
        await #expect(throws: CancelScopeError.enteredTwice) { try await scope.run { _ in await Task.yield() } }

        // 61
        let steps = Journal<String>()
        await #expect(throws: TimeoutError.self) {
            try await withDeadline(.after(.milliseconds(5))) { _ in
                do {
                    try await Scheduler.sleep(until: .never)
                } catch {
                    try await withoutCancellation { try await Task.sleep(for: .milliseconds(5)) }
                    steps.note("clean")
                    throw error
                }
            }
        }
        #expect(steps.all == ["clean"])
        let survivor = try await withDeadline(.after(.milliseconds(5))) { _ in
            try? await Scheduler.sleep(until: .never)
            return "survived"
        }
        #expect(survivor == "survived")

        // 62
        let silent = CancelScope(deadline: .after(.milliseconds(5)))
        let value = try await silent.run { _ in try await Scheduler.sleep(until: .never); return 1 }
        #expect(value ?? 2 == 2)
    }

    @Test func `what a scope of a task refers to need not be sendable`() async throws {
        final class Plain { var count = 0 }
        let plain = Plain()
        try await withDeadline(.never) { _ in
            plain.count += 1
            await Task.yield()
            plain.count += 1
        }
        #expect(plain.count == 2)
    }

    @MainActor @Test func `a scope in an actor stays in it`() async throws {
        try await withDeadline(.never) { _ in
            MainActor.assertIsolated()
            await Task.yield()
            MainActor.assertIsolated()
        }
    }

    @Test func `the deadline of a task outlives the scheduler that served it`() async throws {
        let entered = Flag()
        let task = try await withScheduler { scheduler in
            let task = Task(executorPreference: scheduler.taskExecutor) {
                try await withDeadline(.after(.milliseconds(300))) { _ in
                    entered.set()
                    try await withTaskCancellationHandler {
                        try await Task.sleep(for: .seconds(1000))
                    } onCancel: {
                    }
                }
            }
            try await awaitUntil("entered") { entered.isSet }
            return task
        }
        await #expect(throws: TimeoutError.self) { try await task.value }
    }

    @Test func `the deadline of a task can be moved once the scheduler that served it has ended`() async throws {
        let entered = Counter()
        // Swift's own, which the shutdown does not end.
        let gates = (0..<2).map { _ in AsyncStream<Never>.makeStream() }
        let (soon, never) = try await withScheduler { scheduler in
            let soon = Task(executorPreference: scheduler.taskExecutor) {
                try await withDeadline(.never) { scope in
                    entered.add()
                    for await _ in gates[0].stream {}
                    try scope.reschedule(to: .after(.milliseconds(20)))
                    try await Task.sleep(for: .seconds(1000))
                }
            }
            let never = Task(executorPreference: scheduler.taskExecutor) {
                try await withDeadline(.after(patience)) { scope in
                    entered.add()
                    for await _ in gates[1].stream {}
                    try scope.reschedule(to: .after(.milliseconds(500)))
                    let old = scope.deadline
                    try scope.reschedule(to: .never)
                    // In the order of the deadlines, on the worker that has the timers now.
                    try await Scheduler.sleep(until: Deadline(nanoseconds: old.nanoseconds + 1_000_000))
                    return scope.isCancelled
                }
            }
            try await awaitUntil("both have entered") { entered.value == 2 }
            return (soon, never)
        }
        for gate in gates { gate.continuation.finish() }
        await #expect(throws: TimeoutError.self) { try await soon.value }
        #expect(try await never.value == false)
    }
}
