import Ringlet
import Testing

private func walk(_ depth: Int, _ yield: Yielder<Int, Void>) throws {
    if depth > 0 { try walk(depth - 1, yield) }
    try yield(depth)
}

@Suite struct GeneratorTests {
    @Test func `the body begins at the first element`() throws {
        let log = Journal<String>()
        let generator = Generator(of: Int.self) { yield in
            log.note("begun")
            try yield(1)
        }
        #expect(log.all.isEmpty)
        #expect(try generator.next() == 1)
        #expect(log.all == ["begun"])
    }

    @Test func `elements come from any depth of calls, then nil for ever`() throws {
        let generator = Generator(of: Int.self) { try walk(3, $0) }
        #expect(Array(generator) == [0, 1, 2, 3])
        #expect(try generator.next() == nil)
        #expect(generator.isFinished)
    }

    @Test func `a sent value is what the pending yield returns`() throws {
        let echo = Generator(of: String.self, receiving: Int.self) { yield in
            var answer = "ready"
            var sum = 0
            while sum < 10 {
                let number = try yield(answer)
                sum += number
                answer = "\(number) makes \(sum)"
            }
            return sum
        }
        #expect(throws: GeneratorError.notStarted) { try echo.send(1) }
        #expect(try echo.start() == "ready")
        #expect(throws: GeneratorError.alreadyStarted) { try echo.start() }
        #expect(try echo.send(4) == "4 makes 4")
        #expect(try echo.result == nil)
        #expect(try echo.send(6) == nil)
        #expect(try echo.result == 10)
        #expect(try echo.send(1) == nil)
    }

    @Test func `next sends nil where nil can be sent`() throws {
        let generator = Generator(of: Int.self, receiving: Int?.self) { yield in
            var last = 0
            while true { last = try yield(last) ?? -1 }
        }
        #expect(try generator.next() == 0)
        #expect(try generator.send(5) == 5)
        #expect(try generator.next() == -1)
    }

    @Test func `an optional element that is nil is not the end`() throws {
        let generator = Generator(of: Int?.self) { yield in
            try yield(nil)
            try yield(2)
        }
        #expect(Array(generator) == [nil, 2])
    }

    @Test func `an error of the body comes out of next once`() throws {
        let generator = Generator(of: Int.self) { yield in
            try yield(1)
            throw Failure(number: 7)
        }
        #expect(try generator.next() == 1)
        #expect(throws: Failure(number: 7)) { try generator.next() }
        #expect(try generator.next() == nil)
        #expect(throws: Failure(number: 7)) { try generator.result }
    }

    @Test func `an error ends a loop and is kept`() throws {
        let generator = Generator(of: Int.self) { yield in
            try yield(1)
            throw Failure()
        }
        var seen: [Int] = []
        for element in generator { seen.append(element) }
        #expect(seen == [1])
        #expect(throws: Failure.self) { try generator.result }
    }

    @Test func `its state, and its description`() throws {
        var states: [Bool] = []
        var generator: Generator<Int, Void, Void>?
        generator = Generator(name: "numbers") { yield in
            states.append(generator?.isRunning ?? false)
            try yield(1)
        }
        let numbers = try #require(generator)
        #expect(
            numbers.isPending && !numbers.isRunning
                && "\(numbers)" == "generator 'numbers' (pending)")
        _ = try numbers.next()
        #expect(states == [true] && !numbers.isPending)
        #expect("\(numbers)" == "generator 'numbers' (suspended)")
        _ = try numbers.next()
        #expect(numbers.isFinished && "\(numbers)" == "generator 'numbers' (ended)")
        generator = nil
    }

    // MARK: Nesting

    @Test func `generators nest, and an inner body may yield to the outer caller`() throws {
        let outer = Generator(of: String.self) { out in
            let inner = Generator(of: Int.self) { yield in
                try out("from below")
                try yield(1)
                try out("from below again")
                try yield(2)
            }
            for number in inner { try out("\(number)") }
        }
        #expect(Array(outer) == ["from below", "1", "from below again", "2"])
    }

    @Test func `closing through a yield past a level unwinds both`() throws {
        let log = Journal<String>()
        let outer = Generator(of: Int.self) { out in
            defer { log.note("outer") }
            let inner = Generator(of: Int.self) { yield in
                defer { log.note("inner") }
                try out(1)
                try yield(2)
            }
            _ = try inner.next()
        }
        #expect(try outer.next() == 1)
        try outer.close()
        #expect(log.all == ["inner", "outer"])
    }

    @Test func `accesses in flight on both sides do not meet`() throws {
        final class Box { var list = [1] }
        let box = Box()
        func modify(_ list: inout [Int], _ body: () throws -> Void) rethrows {
            list.append(0)
            try body()
        }
        let own = Box()
        let generator = Generator(of: Int.self) { yield in
            try modify(&own.list) {
                try yield(1)
                try yield(2)
            }
        }
        var (first, second): (Int?, Int?)
        try modify(&box.list) { first = try generator.next() }
        try modify(&box.list) { second = try generator.next() }
        #expect(first == 1 && second == 2)
        #expect(try generator.next() == nil)
        #expect(own.list == [1, 0] && box.list == [1, 0, 0])
    }
}
