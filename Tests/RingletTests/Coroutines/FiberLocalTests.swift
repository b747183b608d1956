import Testing

@testable import Ringlet

/// Says when it is freed.
private final class Token: Sendable {
    let name: String
    private let freed: Journal<String>

    init(_ name: String, _ freed: Journal<String>) {
        self.name = name
        self.freed = freed
    }

    deinit { freed.note(name) }
}

/// Not `Sendable`.
private final class Tally {
    var count = 0
}

@Suite struct FiberLocalTests {
    @Test func `each fiber and each thread has its own value`() {
        onPlainThread { #expect(throws: Never.self) { try count() } }
    }

    private func count() throws {
        let made = Counter()
        let local = FiberLocal(made.add())
        local.value = 100
        let sums = try Scheduler.run(SchedulerOptions(workers: 2)) {
            let scheduler = Scheduler.current!
            let fibers = (0..<10).map { number in
                scheduler.spawn(onWorker: number % 2) {
                    let first = local.value
                    for _ in 1...5 {
                        local.value += 1
                        try Fiber.yield()
                    }
                    return local.value - first
                }
            }
            return try fibers.map { try $0.join() }
        }
        #expect(sums == Array(repeating: 5, count: 10))
        // The thread's was made to be replaced.
        #expect(made.value == 11)
        #expect(local.value == 100)
        onPlainThread { #expect(local.value == 12) }
        local.removeValue()
        #expect(local.value == 13)
    }

    @Test func `a child inherits nothing, and what runs on a fiber is part of it`() async throws {
        let local = FiberLocal("none")
        let seen = try await Scheduler.run {
            local.value = "own"
            let child = Fiber { local.value }
            var seen = [try child.join()]
            let generator = Generator<String, Void, Void> { yield in
                try yield(local.value)
                local.value = "from inside"
            }
            while let value = try generator.next() { seen.append(value) }
            seen.append(local.value)
            return seen
        }
        #expect(seen == ["none", "own", "from inside"])
    }

    @Test func `the value is changed in place, also one that is not Sendable, over a wait`() async throws {
        let tally = FiberLocal(Tally())
        let list = FiberLocal([0])
        let (count, numbers) = try await Scheduler.run {
            try list.withValue { numbers in
                numbers.append(1)
                try Fiber.yield()
                numbers.append(2)
            }
            list.value.append(3)
            for _ in 1...3 { tally.withValue { $0.count += 1 } }
            return (tally.withValue { $0.count }, list.value)
        }
        #expect(count == 3)
        #expect(numbers == [0, 1, 2, 3])
    }

    @Test func `values are freed at the end of a fiber, before it is joined, and may wait and use others`() async throws {
        /// Waits as it is freed, and makes a value of another variable.
        final class Waiting: Sendable {
            let journal: Journal<String>
            let other: FiberLocal<Token?>

            init(_ journal: Journal<String>, _ other: FiberLocal<Token?>) {
                (self.journal, self.other) = (journal, other)
            }

            deinit {
                try? Fiber.yield()
                journal.note("waited")
                other.value = Token("late", journal)
            }
        }
        let freed = Journal<String>()
        let other = FiberLocal<Token?>(nil)
        let token = FiberLocal(Token("token", freed))
        let waiting = FiberLocal(Waiting(freed, other))
        try await Scheduler.run {
            let fiber = Fiber {
                _ = token.value
                _ = waiting.value
                freed.note("end")
            }
            try fiber.join()
            // The handle is held, the values are gone, in an order that depends on what other variables there were.
            #expect(freed.all.first == "end")
            #expect(freed.all.filter { $0 != "token" } == ["end", "waited", "late"])
            #expect(freed.count == 4)
            withExtendedLifetime(fiber) {}
            let cancelled = Fiber {
                _ = token.value
                try Fiber.sleep(until: .never)
            }
            try yieldUntil("it waits") { cancelled.isFinished || freed.count == 4 }
            try Fiber.yield()
            cancelled.cancel()
            #expect(throws: CancellationError.self) { try cancelled.join() }
            #expect(freed.all.last == "token" && freed.count == 5)
        }
    }

    @Test func `values of a plain thread are freed at its end`() {
        let freed = Journal<String>()
        let local = FiberLocal(Token("thread", freed))
        onPlainThread {
            #expect(local.value === local.value)
            #expect(freed.all.isEmpty)
        }
        #expect(freed.all == ["thread"])
    }

    @Test func `values of a variable that is gone are freed when their fiber makes one`() async throws {
        let freed = Journal<String>()
        let kept = FiberLocal(Token("kept", freed))
        try await Scheduler.run {
            _ = kept.value
            var gone: FiberLocal<Token>? = FiberLocal(Token("gone", freed))
            _ = gone!.value
            gone = nil
            #expect(freed.all.isEmpty)
            // It may be given the place of the other, whose value is not its.
            let next = FiberLocal("next")
            #expect(next.value == "next")
            #expect(freed.all == ["gone"])
        }
        #expect(freed.all == ["gone", "kept"])
    }

    @Test func `a callback has the value of the worker's thread`() async throws {
        let local = FiberLocal("none")
        let seen = Journal<String>()
        try await Scheduler.run {
            local.value = "fiber"
            let scheduler = Scheduler.current!
            scheduler.soon {
                seen.note(local.value)
                local.value = "thread"
            }
            scheduler.soon { seen.note(local.value) }
            try yieldUntil("both calls") { seen.count == 2 }
            #expect(local.value == "fiber")
        }
        #expect(seen.all == ["none", "thread"])
    }

    @Test func `in a task, in place and in a pool of threads access traps and says what to do`() async throws {
        let direct = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let local = FiberLocal(0)
            try await Scheduler.run { () async throws -> Void in local.value = 1 }
        }
        try expectReport(direct, says: "a FiberLocal has a value for each fiber and each plain thread")
        let inPlace = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let local = FiberLocal(0)
            try await Scheduler.run { () throws -> Void in try Fiber.await { local.value = 1 } }
        }
        try expectReport(inPlace, says: "Bind a TaskLocal there, or use the variable in Fiber { }.")
        let pooled = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let local = FiberLocal(0)
            try await ThreadPool.shared.run { local.value = 1 }
        }
        try expectReport(pooled, says: "this code runs in a task")
    }
}
