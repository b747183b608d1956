import Glibc
import Ringlet
import RingletTesting
import Testing

private struct Oops: Error, Equatable {
    var number = 0
}

/// All that use one are on one thread.
private final class Log: @unchecked Sendable {
    var lines: [String] = []
    func add(_ line: String) { lines.append(line) }
}

/// A chain of `depth` generators, the innermost of which yields what it receives.
private func chain(_ depth: Int, _ log: Log) -> Generator<Int, Int, Int> {
    Generator(name: "\(depth)", stackSize: 16 * 1024 * 4) { yield in
        defer { log.add("unwound \(depth)") }
        if depth > 1 { return try yield.from(chain(depth - 1, log)) + 1 }
        var received = 0
        repeat { received = try yield(received) } while received != 0
        return 100
    }
}

/// Yields what it is sent, and errors' numbers; `ending` says what the exit does.
private func echo(_ log: Log, ending: @escaping () throws -> Void = {}) -> Generator<Int, Int, Int>
{
    Generator(name: "echo") { yield in
        var received = 0
        while true {
            do {
                received = try yield(received)
                if received < 0 { return received }
            } catch let oops as Oops where oops.number > 0 {
                received = oops.number
            } catch is GeneratorExit {
                log.add("echo exits")
                try ending()
                return -1
            }
        }
    }
}

@Suite struct DelegationTests {
    // MARK: Values

    @Test(arguments: [1, 2, 10, 500])
    func `values go in and out at any depth, and what is returned goes up`(_ depth: Int) throws {
        let log = Log()
        let outer = chain(depth, log)
        #expect(try outer.start() == 0)
        for number in [5, 6, 7] { #expect(try outer.send(number) == number) }
        #expect(log.lines.isEmpty)
        #expect(try outer.send(0) == nil)
        #expect(try outer.result == 99 + depth)
        #expect(log.lines == (1...depth).map { "unwound \($0)" })
        #expect(try outer.send(1) == nil)
    }

    @Test func `a body goes on after a delegation, and may begin another`() throws {
        let generator = Generator(of: Int.self) { yield in
            try yield(0)
            let sum = try yield.from(
                Generator { inner in
                    try inner(1)
                    return 41
                })
            try yield(sum + 1)
            try yield.from([2, 3])
            try yield.from(Generator { _ in })
            try yield.from(Generator { try $0.from(4...5) })
        }
        #expect(Array(generator) == [0, 1, 42, 2, 3, 4, 5])
    }

    @Test
    func `a generator that has begun goes on in a delegation; one that has ended is its value`()
        throws
    {
        let inner = Generator(of: Int.self) { yield in
            try yield.from(1...3)
            return "three"
        }
        _ = try inner.next()
        var values: [String] = []
        let outer = Generator(of: Int.self) { yield in
            values.append(try yield.from(inner))
            values.append(try yield.from(inner))
        }
        #expect(Array(outer) == [2, 3])
        #expect(values == ["three", "three"])
    }

    @Test func `where values are sent, one that waits for a value cannot be delegated to`() throws {
        let inner = echo(Log())
        _ = try inner.start()
        let outer = Generator(of: Int.self, receiving: Int.self) { try $0.from(inner) }
        #expect(throws: GeneratorError.alreadyStarted) { try outer.start() }
        #expect(try inner.send(3) == 3)
    }

    @Test func `nil is sent to one that has begun, where nil can be sent`() throws {
        let inner = Generator(of: Int.self, receiving: Int?.self) { yield in
            var last = 0
            while last < 9 { last = try yield(last) ?? -1 }
        }
        _ = try inner.start()
        let outer = Generator(of: Int.self, receiving: Int?.self) { try $0.from(inner) }
        #expect(try outer.next() == -1)
        #expect(try outer.send(4) == 4)
        #expect(try outer.next() == -1)
        #expect(try outer.send(9) == nil)
    }

    @Test func `a sequence cannot receive`() throws {
        let outer = Generator(of: Int.self, receiving: Int?.self) { yield in
            do { try yield.from(1...3) } catch GeneratorError.cannotReceive { try yield(-1) }
        }
        #expect(try outer.next() == 1)
        #expect(try outer.next() == 2)
        #expect(try outer.send(7) == -1)
    }

    // MARK: Errors

    @Test func `an error of the inner body is thrown at the delegation`() throws {
        let generator = Generator(of: Int.self) { yield in
            do {
                try yield.from(
                    Generator { inner in
                        try inner(1); throw Oops(number: 3)
                    })
            } catch let oops as Oops {
                try yield(oops.number)
            }
        }
        #expect(Array(generator) == [1, 3])
    }

    @Test func `an error thrown in is handled inside first, then at each delegation`() throws {
        let log = Log()
        let outer = Generator(of: Int.self, receiving: Int.self) { yield in
            do {
                return try yield.from(
                    Generator { middle in
                        defer { log.add("middle") }
                        return try middle.from(echo(log))
                    })
            } catch is Oops {
                return try yield(-100)
            }
        }
        #expect(try outer.start() == 0)
        #expect(try outer.throw(Oops(number: 5)) == 5)
        #expect(try outer.send(6) == 6)
        #expect(try outer.throw(Oops(number: -5)) == -100)
        #expect(log.lines == ["middle"])
        #expect(try outer.send(77) == nil)
        #expect(try outer.result == 77)
    }

    @Test func `an error thrown in during a delegation to a sequence is thrown there`() throws {
        let generator = Generator(of: Int.self) { yield in
            do { try yield.from(1...) } catch is Oops { try yield(-1) }
        }
        _ = try generator.next()
        #expect(try generator.throw(Oops()) == -1)
    }

    // MARK: The exit

    @Test func `the exit closes from inside, and is thrown even where the inner body returned`()
        throws
    {
        let log = Log()
        let outer = Generator(of: Int.self, receiving: Int.self) { yield in
            do {
                log.add("\(try yield.from(echo(log)))")
            } catch is GeneratorExit {
                log.add("outer exits")
                return "closed"
            }
            return "not closed"
        }
        _ = try outer.start()
        #expect(try outer.close() == "closed")
        #expect(log.lines == ["echo exits", "outer exits"])
    }

    @Test func `what the inner body throws at its exit replaces the exit`() throws {
        let log = Log()
        let outer = Generator(of: Int.self, receiving: Int.self) { yield in
            try yield.from(echo(log, ending: { throw Oops(number: 4) }))
        }
        _ = try outer.start()
        #expect(throws: Oops(number: 4)) { try outer.throw(GeneratorExit()) }
    }

    @Test func `an inner body that yields at its exit is an error for the outer one`() throws {
        let inner = Generator(of: Int.self) { yield in
            do { try yield(1) } catch is GeneratorExit { try yield(2) }
            try yield(3)
        }
        let outer = Generator(of: Int.self) { yield in
            do {
                try yield.from(inner)
            } catch GeneratorError.ignoredExit {
                return "ignored"
            }
            return ""
        }
        _ = try outer.next()
        #expect(try outer.close() == "ignored")
        #expect(try inner.next() == 3)
        #expect(outer.delegate == nil)
    }

    @Test func `an exit that the outer body ignores leaves it usable`() throws {
        let outer = Generator(of: Int.self) { yield in
            do { try yield.from(1...9) } catch is GeneratorExit {}
            try yield.from(Generator { try $0.from(20...29) })
        }
        _ = try outer.next()
        #expect(throws: GeneratorError.ignoredExit) { try outer.close() }
        #expect(try outer.next() == 21)
        try outer.close()
        #expect(outer.isFinished)
    }

    @Test(arguments: [1, 3, 100])
    func `the last reference unwinds a chain from inside`(_ depth: Int) throws {
        let log = Log()
        do {
            let outer = chain(depth, log)
            _ = try outer.start()
        }
        #expect(log.lines == (1...depth).map { "unwound \($0)" })
    }

    // MARK: Several that use one

    @Test func `one generator may be the source of two`() throws {
        let source = Generator(of: Int.self) { yield in
            try yield.from(1...5)
            return "done"
        }
        func consumer() -> Generator<Int, Void, String> { Generator { try $0.from(source) } }
        let (one, two) = (consumer(), consumer())
        var seen: [Int?] = []
        for _ in 1...3 {
            seen.append(try one.next())
            seen.append(try two.next())
        }
        #expect(seen == [1, 2, 3, 4, 5, nil])
        #expect(try two.result == "done")
        #expect(try one.next() == nil)
        #expect(try one.result == "done")
    }

    @Test func `somebody else may advance the inner generators meanwhile`() throws {
        let leaf = Generator(of: Int.self) { yield in
            try yield.from(1...4)
            return 10
        }
        let middle = Generator(of: Int.self) { yield in
            let sum = try yield.from(leaf)
            try yield.from(Generator { try $0.from(sum...sum + 2) })
        }
        let outer = Generator(of: Int.self) { try $0.from(middle) }
        #expect(try outer.next() == 1)
        #expect(try leaf.next() == 2)
        #expect(try middle.next() == 3)
        #expect(try outer.next() == 4)
        #expect(try middle.next() == 10)
        #expect(try outer.next() == 11)
        #expect(try middle.next() == 12)
        #expect(try middle.next() == nil)
        #expect(try outer.next() == nil)
        #expect(outer.isFinished)
    }

    @Test func `an inner generator that somebody else closes has no value`() throws {
        let inner = Generator(of: Int.self) { yield in try yield.from(1...) }
        let outer = Generator(of: Int.self) { yield in
            do { try yield.from(inner) } catch GeneratorError.closed { try yield(-1) }
        }
        #expect(try outer.next() == 1)
        try inner.close()
        #expect(try outer.next() == -1)
    }

    // MARK: Circles, and yields past a level

    @Test func `a circle of delegations is refused at the place that closes it`() throws {
        var first: Generator<Int, Void, Void>?
        var refused: [GeneratorError] = []
        let third = Generator(of: Int.self) { yield in
            do { try yield.from(try #require(first)) } catch let error as GeneratorError {
                refused.append(error)
            }
            try yield(3)
        }
        let second = Generator(of: Int.self) { try $0.from(third) }
        first = Generator { yield in try yield.from(second) }
        let root = Generator(of: Int.self) { try $0.from(try #require(first)) }
        #expect(try root.next() == 3)
        #expect(refused == [.alreadyRunning])
        first = nil
    }

    @Test
    func `those that wait in a delegation count as running, and cannot be advanced from inside`()
        throws
    {
        var generators: [Generator<Int, Void, Void>] = []
        var refused = 0
        let leaf = Generator(of: Int.self) { yield in
            for generator in generators {
                #expect(generator.isRunning)
                do { _ = try generator.next() } catch GeneratorError.alreadyRunning { refused += 1 }
                do { try generator.close() } catch GeneratorError.alreadyRunning { refused += 1 }
            }
            try yield(1)
        }
        let middle = Generator(of: Int.self) { try $0.from(leaf) }
        let outer = Generator(of: Int.self) { try $0.from(middle) }
        generators = [outer, middle, leaf]
        #expect(try outer.next() == 1)
        #expect(refused == 6)
        #expect(!generators.contains { $0.isRunning })
        generators = []
    }

    @Test func `a body may yield by the handle of one that delegates to it`() throws {
        let outer = Generator(of: Int.self) { out in
            try out.from(
                Generator { middle in
                    try middle.from(
                        Generator { inner in
                            try out(1)
                            try middle(2)
                            try inner(3)
                            try out.from([4, 5])
                            try out.from(Generator { try $0(6) })
                        })
                })
        }
        #expect(Array(outer) == [1, 2, 3, 4, 5, 6])
    }

    @Test func `a yield at the exit by the handle of the one that delegates ignores the exit`()
        throws
    {
        let outer = Generator(of: Int.self) { out in
            do {
                try out.from(
                    Generator { inner in
                        do { try inner(1) } catch is GeneratorExit { try out(2) }
                    })
            } catch GeneratorError.ignoredExit { return "ignored" }
            return ""
        }
        _ = try outer.next()
        #expect(try outer.close() == "ignored")
    }

    @Test func `the end of the chain is found again after it has changed, in and between steps`()
        throws
    {
        // What was innermost is freed before the next is asked for, or looked at.
        var outer: Generator<Int, Void, Void>?
        outer = Generator { out in
            for number in stride(from: 0, to: 30, by: 3) {
                try out.from(Generator { try $0(number) })
                try out.from(
                    Generator { middle in
                        try middle.from(Generator { try $0.from([number + 1]) })
                        try out(number + 2)
                        #expect(outer?.isRunning == true)
                    })
            }
        }
        let numbers = try #require(outer)
        for number in 0..<30 {
            #expect(try numbers.next() == number)
            #expect(!numbers.isRunning && "\(numbers)".contains("delegates"))
        }
        #expect(try numbers.next() == nil)
        #expect(!numbers.isRunning && numbers.delegate == nil)
        outer = nil
    }

    @Test func `a delegation past a level suspends both`() throws {
        let log = Log()
        let outer = Generator(of: Int.self) { out in
            let inner = Generator(of: String.self) { yield in
                defer { log.add("inner") }
                log.add(
                    try out.from(
                        Generator {
                            try $0.from(1...2); return "value"
                        }))
                try yield("element")
                try out.from(Generator { try $0.from(3...) })
            }
            for text in inner { log.add(text) }
        }
        #expect(try (1...4).map { _ in try outer.next() } == [1, 2, 3, 4])
        #expect(log.lines == ["value", "element"])
        try outer.close()
        #expect(log.lines == ["value", "element", "inner"])
    }

    @Test func `a wait in the innermost body suspends the fiber, and its cancellation ends there`()
        async throws
    {
        let lines = try await Simulation.run { () throws -> [String] in
            let log = Log()
            let fiber = Fiber {
                let outer = Generator(of: Int.self) { yield in
                    do {
                        try yield.from(
                            Generator { inner in
                                try Fiber.sleep(for: .milliseconds(1))
                                try inner(1)
                                do { try Fiber.sleep(for: .seconds(60)) } catch is CancellationError
                                {
                                    log.add("innermost")
                                    throw CancellationError()
                                }
                            })
                    } catch is CancellationError {
                        log.add("outer")
                    }
                }
                for number in outer { log.add("\(number)") }
            }
            while log.lines.isEmpty { try Fiber.yield() }
            fiber.cancel()
            try fiber.join()
            return log.lines
        }
        #expect(lines == ["1", "innermost", "outer"])
    }

    @Test func `what it delegates to can be seen`() throws {
        let inner = Generator(of: Int.self, name: "inner") { try $0.from(1...) }
        let outer = Generator(of: Int.self, name: "outer") { try $0.from(inner) }
        #expect(outer.delegate == nil)
        _ = try outer.next()
        #expect(outer.delegate === inner)
        #expect(inner.delegate == nil)
        #expect("\(outer)" == "generator 'outer' (suspended), delegates to generator 'inner'")
        try outer.close()
        #expect(outer.delegate == nil && inner.isFinished)
    }

    @Test func `another thread's generator cannot be delegated to`() throws {
        var theirs: Generator<Int, Void, Void>?
        onPlainThread { theirs = Generator { try $0(1) } }
        let outer = Generator(of: Int.self) { try $0.from(try #require(theirs)) }
        #expect {
            try outer.next()
        } throws: { error in
            if case GeneratorError.wrongThread = error { true } else { false }
        }
    }
}
