import Synchronization
import Testing

@testable import Ringlet

/// A body that waits at its `gate` in the middle of a step.
func gated(_ gate: Gate, _ lines: Journal<String>) -> AsyncGenerator<Int, Void, Void> {
    AsyncGenerator { yield in
        try await yield(1)
        lines.note("in the step")
        await gate.wait()
        try await yield(2)
    }
}

@Suite(.timeLimit(.patient)) struct AsyncGeneratorTests {
    // MARK: Values, as of a generator that does not wait

    @Test func `the body begins at the first element, and may wait between two`() async throws {
        let lines = Journal<String>()
        let numbers = AsyncGenerator(of: Int.self) { yield in
            lines.note("begun")
            for number in 1...3 {
                await waitForAnotherTask()
                try await yield(number)
            }
            return "three"
        }
        #expect(numbers.isPending && lines.all.isEmpty)
        var seen: [Int] = []
        for try await number in numbers { seen.append(number) }
        #expect(seen == [1, 2, 3] && lines.all == ["begun"])
        #expect(try numbers.result == "three")
        #expect(numbers.isFinished)
        #expect(try await numbers.next() == nil)
    }

    @Test func `a sent value is what the pending yield returns`() async throws {
        let sums = AsyncGenerator(of: Int.self, receiving: Int.self) { yield in
            var sum = 0
            while sum < 10 { sum += try await yield(sum) }
            return sum
        }
        await #expect(throws: GeneratorError.notStarted) { try await sums.send(1) }
        #expect(try await sums.start() == 0)
        await #expect(throws: GeneratorError.alreadyStarted) { try await sums.start() }
        #expect(try await sums.send(4) == 4)
        #expect(try await sums.send(6) == nil)
        #expect(try sums.result == 10)
    }

    @Test func `next sends nil where nil can be sent`() async throws {
        let numbers = AsyncGenerator(of: Int.self, receiving: Int?.self) { yield in
            var last = 0
            while true { last = try await yield(last) ?? -1 }
        }
        #expect(try await numbers.next() == 0)
        #expect(try await numbers.send(5) == 5)
        #expect(try await numbers.next() == -1)
        try await numbers.close()
    }

    @Test func `an error thrown in may be answered, be the end, or come back`() async throws {
        let answering = AsyncGenerator(of: Int.self) { yield in
            do { try await yield(1) } catch let oops as Failure { try await yield(oops.number) }
        }
        _ = try await answering.next()
        #expect(try await answering.throw(Failure(number: 7)) == 7)
        await #expect(throws: Failure(number: 8)) { try await answering.throw(Failure(number: 8)) }
        await #expect(throws: Failure(number: 9)) { try await answering.throw(Failure(number: 9)) }
        #expect(throws: Failure(number: 8)) { try answering.result }
        #expect(try await answering.next() == nil)

        let lines = Journal<String>()
        let unstarted = AsyncGenerator(of: Int.self) { _ in lines.note("ran") }
        await #expect(throws: Failure(number: 1)) { try await unstarted.throw(Failure(number: 1)) }
        #expect(unstarted.isFinished && lines.all.isEmpty)
    }

    @Test func `close waits for the clean-up, and hands back what is returned`() async throws {
        let lines = Journal<String>()
        let numbers = AsyncGenerator(of: Int.self) { yield in
            do {
                while true { try await yield(1) }
            } catch is GeneratorExit {
                await waitForAnotherTask()
                lines.note("cleaned up")
                return "closed"
            }
        }
        _ = try await numbers.next()
        #expect(try await numbers.close() == "closed")
        #expect(lines.all == ["cleaned up"])
        #expect(try await numbers.close() == nil)

        let unstarted = AsyncGenerator(of: Int.self) { _ in lines.note("ran") }
        #expect(try await unstarted.close() == nil)
        #expect(try await unstarted.next() == nil)
        #expect(lines.all.count == 1)
    }

    @Test func `a body that yields at its exit can go on, and be closed again`() async throws {
        let numbers = AsyncGenerator(of: Int.self) { yield in
            for number in 0..<2 { do { try await yield(number) } catch {} }
            try await yield(2)
        }
        _ = try await numbers.next()
        await #expect(throws: GeneratorError.ignoredExit) { try await numbers.close() }
        #expect(try await numbers.next() == 2)
        try await numbers.close()
        #expect(numbers.isFinished)
    }

    @Test func `elements of sequences are passed on`() async throws {
        let inner = AsyncGenerator(of: Int.self) { yield in try await yield.from(1...3) }
        let outer = AsyncGenerator(of: Int.self) { yield in
            try await yield.from(inner)
            try await yield(4)
        }
        var seen: [Int] = []
        for try await number in outer { seen.append(number) }
        #expect(seen == [1, 2, 3, 4])
    }

    // MARK: One at a time

    @Test func `scenario 24: a second step in the middle of one is refused, and the end cleans up`()
        async throws
    {
        let lines = Journal<String>()
        try await withScheduler { scheduler in
            let gate = Gate()
            let numbers = gated(gate, lines)
            _ = try await numbers.next()
            let second = Task { try await numbers.next() }
            try await awaitUntil("the step") { lines.all == ["in the step"] }
            #expect(numbers.isRunning)
            await #expect(throws: GeneratorError.alreadyRunning) { try await numbers.next() }
            await #expect(throws: GeneratorError.alreadyRunning) {
                try await numbers.throw(Failure())
            }
            await #expect(throws: GeneratorError.alreadyRunning) { try await numbers.close() }
            gate.open()
            #expect(try await second.value == 2)
            #expect(try await numbers.next() == nil)

            // Dropped, it cleans up on its scheduler.
            let dropped = Task(executorPreference: scheduler.taskExecutor) {
                let numbers = cleaning("dropped", lines, on: scheduler)
                for try await _ in numbers { break }
            }
            try await dropped.value
            try await awaitUntil("the clean-up") { lines.all.last == "dropped: on the scheduler" }

            // Held, it is closed with the scheduler.
            let held = Task(executorPreference: scheduler.taskExecutor) {
                let numbers = cleaning("held", lines, on: scheduler)
                _ = try await numbers.next()
                return numbers
            }
            let numbersHeld = try await held.value
            #expect(!numbersHeld.isFinished)
            #expect(scheduler.shutdown(deadline: .after(patience)) == ShutdownReport())
            #expect(lines.all.last == "held: on the scheduler")
            #expect(numbersHeld.isFinished)
            #expect(try await numbersHeld.next() == nil)
        }
    }

    /// Its clean-up waits in a way that a shutdown would cut short.
    private func cleaning(
        _ name: String, _ lines: Journal<String>, on scheduler: Scheduler
    ) -> AsyncGenerator<Int, Void, Void> {
        AsyncGenerator { yield in
            do {
                while true { try await yield(1) }
            } catch {
                try await waitByAnOperation()
                lines.note("\(name): \(scheduler.isCurrent ? "on the scheduler" : "elsewhere")")
                throw error
            }
        }
    }

    @Test func `tasks that contend for one generator get each element once, or are refused`()
        async throws
    {
        let numbers = AsyncGenerator(of: Int.self) { yield in
            for number in 0..<2000 { try await yield(number) }
            throw Failure(number: 3)
        }
        let (seen, failures) = (Journal<Int>(), Counter())
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    while !numbers.isFinished {
                        do {
                            if let number = try await numbers.next() { seen.note(number) }
                        } catch GeneratorError.alreadyRunning {
                            await Task.yield()
                        } catch {
                            failures.add()
                        }
                    }
                }
            }
        }
        #expect(seen.all.sorted() == Array(0..<2000))
        #expect(failures.value == 1)
    }

    @Test func `a yield while nobody has asked is refused`() async throws {
        let leaked = Synchronization.Mutex<AsyncYielder<Int, Void>?>(nil)
        let numbers = AsyncGenerator(of: Int.self) { yield in
            leaked.withLock { $0 = yield }
            try await yield(1)
        }
        _ = try await numbers.next()
        let yield = try #require(leaked.withLock { $0 })
        await #expect(throws: GeneratorError.notRunning) { try await yield(2) }
        #expect(try await numbers.next() == nil)
        await #expect(throws: GeneratorError.notRunning) { try await yield(2) }
    }

    // MARK: Tasks and fibers

    @Test func `cancelling who waits for an element cancels the body`() async throws {
        let lines = Journal<String>()
        let numbers = gated(Gate(), lines)
        _ = try await numbers.next()
        let waiting = Task { try await numbers.next() }
        try await awaitUntil("the step") { !lines.all.isEmpty }
        waiting.cancel()
        #expect(try await waiting.value == 2)
        // Closing passes no cancellation on, and the body's task stays cancelled.
        try await numbers.close()
    }

    @Test func `a fiber may ask for the elements, with the plain forms`() throws {
        let lines = Journal<String>()
        try Scheduler.run {
            let (client, server) = try connectedPair()
            let chunks = AsyncGenerator(of: [UInt8].self) { yield in
                var buffer = Buffer(capacity: 16)
                while try await server.read(into: &buffer) > 0 {
                    try await yield([UInt8](buffer))
                    buffer.removeAll()
                }
                try await server.close()
            }
            for text in ["one", "two"] {
                let writer = Fiber { try client.write(Buffer(copying: text.utf8)) }
                lines.note(String(decoding: try chunks.next() ?? [], as: UTF8.self))
                try writer.join()
            }
            try client.close()
            #expect(try chunks.next() == nil)

            let sums = AsyncGenerator(of: Int.self, receiving: Int.self) { yield in
                do {
                    var sum = 0
                    while true { sum += try await yield(sum) }
                } catch is Failure { return try await yield(-1) }
            }
            #expect(try sums.start() == 0)
            #expect(try sums.send(2) == 2)
            #expect(try sums.throw(Failure()) == -1)
            #expect(try sums.close() == nil)
        }
        #expect(lines.all == ["one", "two"])
    }

    @Test func `its description`() async throws {
        let numbers = AsyncGenerator(of: Int.self, name: "numbers") { try await $0(1) }
        #expect("\(numbers)" == "generator 'numbers' (pending)" && numbers.name == "numbers")
        _ = try await numbers.next()
        #expect("\(numbers)" == "generator 'numbers' (suspended)")
        try await numbers.close()
        #expect("\(numbers)" == "generator 'numbers' (ended)")
    }
}
