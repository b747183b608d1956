import Testing

@testable import Ringlet

/// Cancel scopes of tasks, as numbered scenarios, each under a hundred orders. For those of fibers see
/// `CancelScopeTests`.
@Suite(.timeLimit(.patient)) struct TaskScopeScenarioTests {
    @Test func `scenario 56 in a task: a deadline is a cancellation inside and a timeout at the boundary`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let inside = Shared<[(any Error)?]>([])
            let scope = Shared<CancelScope?>(nil)
            let deadline = Deadline.after(.milliseconds(10))
            let error = await errorThrown {
                try await withDeadline(deadline) {
                    scope.value = $0
                    for _ in 0..<2 {
                        // Level-triggered: the second one at once.
                        inside.value.append(await errorThrown { try await Scheduler.sleep(until: .never) })
                        #expect($0.isCancelled && Task.isCancelled)
                    }
                    try Task.checkCancellation()
                }
            }
            #expect(inside.value.count == 2 && inside.value.allSatisfy { $0 is CancellationError })
            let timeout = try #require(error as? TimeoutError)
            #expect(timeout.scope === scope.value && timeout.deadline == deadline)
            #expect(scope.value!.hasExpired && !Task.isCancelled)
            try await Scheduler.sleep(for: .microseconds(1))
        }
    }

    @Test func `scenario 57 in a task: of two equal deadlines the outer one is told`() async throws {
        try await inEveryOrder { () async throws in
            let deadline = Deadline.after(.milliseconds(5))
            let innerError = Shared<(any Error)?>(nil)
            let outer = CancelScope(deadline: deadline)
            let result: Void? = try await outer.run { _ in
                innerError.value = await errorThrown {
                    try await withDeadline(deadline) { _ in try await Scheduler.sleep(until: .never) }
                }
                throw innerError.value!
            }
            #expect(result == nil && outer.hasExpired)
            #expect(innerError.value is CancellationError)
        }
    }

    @Test func `scenario 58 in a task: a cancellation from outside stays one`() async throws {
        try await inEveryOrder { () async throws in
            let isInside = Flag()
            let scope = Shared<CancelScope?>(nil)
            let task = taskHere {
                try await withDeadline(.after(.seconds(1000))) {
                    scope.value = $0
                    isInside.set()
                    try await Scheduler.sleep(until: .never)
                }
            }
            try await yieldTaskUntil("it is inside") { isInside.isSet }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(!scope.value!.hasExpired)
        }
    }

    @Test func `scenario 59 in a task: a deadline that has passed ends the first wait, and none never does`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let steps = Journal<String>()
            await #expect(throws: TimeoutError.self) {
                try await withDeadline(.now) { _ in
                    steps.note("runs")
                    try await Scheduler.sleep(for: .seconds(1000))
                    steps.note("never")
                }
            }
            #expect(steps.all == ["runs"])
            let value = try await withDeadline(.never) { _ in
                try await Scheduler.sleep(for: .milliseconds(2))
                return 3
            }
            #expect(value == 3)
            // asyncio's `wait_for` with a time of 0: what has ended gives its value, what does not wait runs, and what
            // goes on is left alone.
            let ended = Fiber { 4 }
            try await ended.wait()
            let gate = Promise<Int>()
            let running = Fiber { try gate.value() }
            let past = Deadline(nanoseconds: 1)
            let joined = try await ended.join(deadline: past)
            let within: Int = try await withDeadline(past) { _ in try await ended.join() }
            let computed: Int = try await withDeadline(past) { _ in 6 }
            #expect(joined == 4 && within == 4 && computed == 6)
            await #expect(throws: TimeoutError(deadline: past)) { try await running.join(deadline: past) }
            await #expect(throws: TimeoutError.self) {
                try await withDeadline(past) { _ in _ = try await running.join() }
            }
            try gate.succeed(5)
            #expect(try await running.join() == 5)
        }
    }

    @Test func `scenario 60 in a task: a deadline is moved while the scope is active, and at no other time`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let scope = CancelScope(deadline: .after(.seconds(1000)))
            #expect(throws: CancelScopeError.notEntered) { try scope.reschedule(to: .never) }
            let ended: Void? = try await scope.run { scope in
                try scope.reschedule(to: .after(.milliseconds(5)))
                try await Scheduler.sleep(until: .never)
            }
            #expect(ended == nil && scope.hasExpired)
            #expect(throws: CancelScopeError.hasEnded) { try scope.reschedule(to: .never) }
            await #expect(throws: CancelScopeError.enteredTwice) { try await scope.run { _ in await Task.yield() } }

            let moved = CancelScope(deadline: .after(.milliseconds(500)))
            let value = try await moved.run { scope in
                try scope.reschedule(to: .never)
                try await Scheduler.sleep(for: .milliseconds(600))
                return 7
            }
            #expect(value == 7)
            #expect(!moved.isCancelled && moved.deadline == .never)

            let passed = CancelScope()
            let cut: Void? = try await passed.run { scope in
                try scope.reschedule(to: .now)
                #expect(throws: CancelScopeError.wasCancelled) { try scope.reschedule(to: .never) }
                try await Scheduler.sleep(for: .seconds(1000))
            }
            #expect(cut == nil && passed.hasExpired)
        }
    }

    @Test func `scenario 61 in a task: the boundary waits for clean-up, and a returned value wins`() async throws {
        try await inEveryOrder { () async throws in
            let steps = Journal<String>()
            await #expect(throws: TimeoutError.self) {
                try await withDeadline(.after(.milliseconds(5))) { _ in
                    do {
                        try await Scheduler.sleep(until: .never)
                    } catch {
                        try await withoutCancellation { try await Scheduler.sleep(for: .milliseconds(5)) }
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
            await #expect(throws: Failure(number: 4)) {
                try await withDeadline(.after(.milliseconds(5))) { _ in
                    do { try await Scheduler.sleep(until: .never) } catch { throw Failure(number: 4) }
                }
            }
        }
    }

    @Test func `scenario 62 in a task: nested timeouts are told apart, and the silent form has a default`()
        async throws
    {
        try await inEveryOrder { () async throws in
            let scopes = Shared<[CancelScope]>([])
            for innerFires in [false, true] {
                scopes.value = []
                let (short, long) = (Deadline.after(.milliseconds(5)), Deadline.after(.seconds(1000)))
                let error = await errorThrown {
                    try await withDeadline(innerFires ? long : short) { outer in
                        scopes.value.append(outer)
                        try await withDeadline(innerFires ? short : long) { inner in
                            scopes.value.append(inner)
                            try await Scheduler.sleep(until: .never)
                        }
                    }
                }
                #expect((error as? TimeoutError)?.scope === scopes.value[innerFires ? 1 : 0])
                #expect(scopes.value.map(\.hasExpired) == [!innerFires, innerFires])
            }

            let silent = CancelScope(deadline: .after(.milliseconds(5)))
            let value = try await silent.run { _ in try await Scheduler.sleep(until: .never); return 1 }
            #expect(value ?? 2 == 2)

            // A silent scope swallows its own cancellation only.
            let other = TimeoutError(deadline: .now)
            await #expect(throws: other) {
                try await CancelScope(deadline: .now).run { _ in
                    await Task.yield()
                    throw other
                }
            }
        }
    }

    /// It has inherited the task-locals of the scope, and is not in it.
    @Test func `a task that a scope leaves behind has deadlines of its own`() async throws {
        try await inEveryOrder { () async throws in
            for staysOpen in [false, true] {
                let outer = CancelScope(deadline: .after(.milliseconds(10)))
                let task = try await outer.run { _ in
                    let task = taskHere {
                        // Until the deadline outside has passed.
                        try await Scheduler.sleep(for: .milliseconds(20))
                        try await withDeadline(.after(.milliseconds(5))) { _ in
                            try await Scheduler.sleep(until: .never)
                        }
                    }
                    if staysOpen { _ = try await withoutCancellation { await task.result } }
                    return task
                }
                let error = await errorThrown { try await task?.value }
                #expect(error is TimeoutError)
                #expect(outer.hasExpired == staysOpen)
            }
        }
    }
}
