import Synchronization
import Testing

@testable import Ringlet

/// Three numbers; the clean-up waits, and then does `last`.
private func numbers(
    _ lines: Journal<String>, name: String? = nil, last: @escaping @Sendable () throws -> Void = {}
) -> AsyncGenerator<Int, Void, String> {
    AsyncGenerator(name: name) { yield in
        do {
            for number in 1...3 { try await yield(number) }
            lines.note("all")
        } catch {
            for _ in 0..<3 { await waitForAnotherTask() }
            lines.note("cleaned up\(Task.isCancelled ? ", cancelled" : "")")
            try last()
            throw error
        }
        return "three"
    }
}

/// `closing(_:)` returns when the body has ended, whichever way its own body ends.
@Suite(.timeLimit(.patient)) struct AsyncGeneratorClosingTests {
    @Test func `at the last element there is nothing to do`() async throws {
        let lines = Journal<String>()
        let sum = try await numbers(lines).closing { numbers in
            var sum = 0
            for try await number in numbers { sum += number }
            #expect(try numbers.result == "three")
            return sum
        }
        #expect(sum == 6 && lines.all == ["all"])
    }

    @Test func `a break and a return wait for the clean-up`() async throws {
        let lines = Journal<String>()
        let generator = numbers(lines)
        try await generator.closing { numbers in
            for try await _ in numbers { break }
            #expect(lines.all.isEmpty)
        }
        #expect(lines.all == ["cleaned up"] && generator.isFinished)
        let first = try await numbers(lines).closing { numbers in
            for try await number in numbers { return number }
            return 0
        }
        #expect(first == 1 && lines.all == ["cleaned up", "cleaned up"])
    }

    @Test func `one that has not begun never runs`() async throws {
        let lines = Journal<String>()
        let generator = numbers(lines)
        let wasPending = try await generator.closing { $0.isPending }
        #expect(wasPending)
        #expect(generator.isFinished && lines.all.isEmpty)
    }

    @Test func `an error waits for the clean-up, and is thrown`() async throws {
        let lines = Journal<String>()
        await #expect(throws: Failure(number: 1)) {
            try await numbers(lines).closing { numbers in
                for try await _ in numbers { throw Failure(number: 1) }
            }
        }
        #expect(lines.all == ["cleaned up"])
        // The generator's own, which ends it and the loop.
        let failing = AsyncGenerator(of: Int.self) { yield in
            try await yield(1)
            throw Failure(number: 2)
        }
        await #expect(throws: Failure(number: 2)) {
            try await failing.closing { for try await _ in $0 {} }
        }
    }

    @Test func `an error of the clean-up is thrown if there is no other, and is told if there is`() async throws {
        let lines = Journal<String>()
        let reports = Journal<String>()
        // Other tests report to the process's handler, too.
        let previous = UnseenError.setHandler { unseen in
            if unseen.source == "generator 'of the test'" { reports.note("\(unseen.origin) \(unseen.error)") }
        }
        defer { UnseenError.setHandler(previous) }
        func failing() -> AsyncGenerator<Int, Void, String> {
            numbers(lines, name: "of the test") { throw Failure(number: 3) }
        }
        await #expect(throws: Failure(number: 3)) {
            try await failing().closing { numbers in _ = try await numbers.next() }
        }
        #expect(reports.all.isEmpty)
        await #expect(throws: Failure(number: 4)) {
            try await failing().closing { numbers in
                _ = try await numbers.next()
                throw Failure(number: 4)
            }
        }
        #expect(reports.all == ["generator Failure(number: 3)"])
        #expect(lines.all == ["cleaned up", "cleaned up"])
    }

    @Test func `a body that yields instead of ending is told so`() async throws {
        let stubborn = AsyncGenerator(of: Int.self) { yield in
            do { try await yield(1) } catch { try await yield(2) }
        }
        await #expect(throws: GeneratorError.ignoredExit) {
            try await stubborn.closing { numbers in _ = try await numbers.next() }
        }
        try await stubborn.close()
    }

    @Test(arguments: [false, true])
    func `a cancelled task waits for the clean-up`(_ isInStep: Bool) async throws {
        let lines = Journal<String>()
        let gate = Gate()
        let task = Task {
            try await numbers(lines).closing { numbers in
                _ = try await numbers.next()
                if isInStep {
                    let waiting = AsyncGenerator(of: Int.self) { yield in
                        lines.note("waiting")
                        await gate.wait()
                        try Task.checkCancellation()
                    }
                    try await waiting.closing { _ = try await $0.next() }
                } else {
                    lines.note("waiting")
                    await gate.wait()
                    try Task.checkCancellation()
                }
            }
        }
        try await awaitUntil("the wait") { lines.all == ["waiting"] }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        // The generator's own task is cancelled by a cancelled step of its own only.
        #expect(lines.all == ["waiting", "cleaned up"])
    }

    @Test func `a cancelled step cancels the clean-up, which is waited for all the same`() async throws {
        let lines = Journal<String>()
        let generator = AsyncGenerator(of: Int.self) { yield in
            lines.note("in the step")
            do { try await Task.sleep(for: .seconds(3600)) } catch {
                try await withoutCancellation { try await waitByAnOperation() }
                lines.note("cleaned up")
                throw error
            }
        }
        try await withScheduler { scheduler in
            let task = Task(executorPreference: scheduler.taskExecutor) {
                try await generator.closing { for try await _ in $0 {} }
            }
            try await awaitUntil("the step") { !lines.all.isEmpty }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(lines.all == ["in the step", "cleaned up"])
        }
    }

    @Test func `the same in fibers`() async throws {
        let lines = Journal<String>()
        try await Scheduler.run { () throws in
            let sum = try numbers(lines).closing { numbers in
                var sum = 0
                while let number = try numbers.next() { sum += number }
                return sum
            }
            #expect(sum == 6 && lines.all == ["all"])
            #expect(try numbers(lines).closing { try $0.next() } == 1)
            #expect(lines.all == ["all", "cleaned up"])
            #expect(throws: Failure(number: 5)) {
                try numbers(lines).closing { numbers in
                    _ = try numbers.next()
                    throw Failure(number: 5)
                }
            }
            #expect(throws: Failure(number: 6)) {
                try numbers(lines) { throw Failure(number: 6) }.closing { _ = try $0.next() }
            }
            #expect(lines.all == ["all", "cleaned up", "cleaned up", "cleaned up"])
            let fiber = Fiber {
                try numbers(lines).closing { numbers in
                    _ = try numbers.next()
                    lines.note("waiting")
                    try Fiber.sleep(until: .never)
                }
            }
            while lines.all.last != "waiting" { try Fiber.yield() }
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(lines.all.last == "cleaned up")
        }
    }
}
