import Glibc
import Ringlet
import SystemPackage
import Testing

private struct Oops: Error, Equatable {
    var number = 0
}

private enum Locals {
    @TaskLocal static var value = 0
}

/// All that use one are on one thread.
private final class Log: @unchecked Sendable {
    var lines: [String] = []
    func add(_ line: String) { lines.append(line) }
}

/// Adds a line when the last reference goes: a frame that holds one was unwound.
private final class Trace {
    let log: Log
    init(_ log: Log) { self.log = log }
    deinit { log.add("unwound") }
}

/// Runs `body` on a thread of its own and waits.
func onPlainThread(_ body: @escaping () -> Void) {
    final class Box {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
    unsafe pthread_create(
        &thread, nil,
        { box in
            unsafe Unmanaged<Box>.fromOpaque(box.unsafelyUnwrapped).takeRetainedValue().body()
            return nil
        }, box)
    pthread_join(thread, nil)
}

/// Expects that a test process ended with `text` on its stderr.
func expectReport(_ result: ExitTest.Result?, says text: String) throws {
    let output = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(output.contains(text), "\(output)")
}

private func walk(_ depth: Int, _ yield: Yielder<Int, Void>) throws {
    if depth > 0 { try walk(depth - 1, yield) }
    try yield(depth)
}

@Suite struct GeneratorTests {
    @Test func `the body begins at the first element`() throws {
        let log = Log()
        let generator = Generator(of: Int.self) { yield in
            log.add("begun")
            try yield(1)
        }
        #expect(log.lines.isEmpty)
        #expect(try generator.next() == 1)
        #expect(log.lines == ["begun"])
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
            throw Oops(number: 7)
        }
        #expect(try generator.next() == 1)
        #expect(throws: Oops(number: 7)) { try generator.next() }
        #expect(try generator.next() == nil)
        #expect(throws: Oops(number: 7)) { try generator.result }
    }

    @Test func `an error ends a loop and is kept`() throws {
        let generator = Generator(of: Int.self) { yield in
            try yield(1)
            throw Oops()
        }
        var seen: [Int] = []
        for element in generator { seen.append(element) }
        #expect(seen == [1])
        #expect(throws: Oops.self) { try generator.result }
    }

    // MARK: Closing

    @Test func `close unwinds the body`() throws {
        let log = Log()
        let generator = Generator(of: Int.self) { yield in
            let trace = Trace(log)
            defer { log.add("deferred") }
            while true { try withExtendedLifetime(trace) { try yield(1) } }
        }
        _ = try generator.next()
        try generator.close()
        #expect(log.lines == ["deferred", "unwound"])
        #expect(generator.isFinished)
        #expect(try generator.next() == nil)
        try generator.close()
    }

    @Test func `a body that has not begun never runs after close`() throws {
        let log = Log()
        let generator = Generator(of: Int.self) { _ in log.add("ran") }
        try generator.close()
        #expect(try generator.next() == nil)
        #expect(log.lines.isEmpty)
    }

    @Test func `a body that catches the end may return, or throw`() throws {
        let returning = Generator(of: Int.self) { yield in
            do { try yield(1) } catch { return "caught" }
            return "not closed"
        }
        _ = try returning.next()
        try returning.close()
        #expect(try returning.result == "caught")

        let throwing = Generator(of: Int.self) { yield in
            do { try yield(1) } catch { throw Oops() }
        }
        _ = try throwing.next()
        #expect(throws: Oops.self) { try throwing.close() }
    }

    @Test func `a yield while closing throws again`() throws {
        let generator = Generator(of: Int.self) { yield in
            var refused = 0
            for number in 0..<10 {
                do { try yield(number) } catch { refused += 1 }
            }
            return refused
        }
        _ = try generator.next()
        try generator.close()
        #expect(try generator.result == 10)
    }

    @Test func `the last reference closes`() throws {
        let log = Log()
        do {
            let generator = Generator(of: Int.self) { yield in
                let trace = Trace(log)
                try withExtendedLifetime(trace) { try yield(1) }
            }
            _ = try generator.next()
            #expect(log.lines.isEmpty)
        }
        #expect(log.lines == ["unwound"])
    }

    @Test func `dropped on another thread, a body is unwound by its own`() throws {
        var unwoundOn: [pthread_t] = []
        var held: Generator<Int, Void, Void>? = Generator(of: Int.self) { yield in
            defer { unwoundOn.append(pthread_self()) }
            try yield(1)
        }
        _ = try held?.next()
        onPlainThread { held = nil }
        #expect(unwoundOn.isEmpty)
        _ = try Generator(of: Int.self) { try $0(1) }.next()
        #expect(unwoundOn == [pthread_self()])
    }

    @Test func `a thread unwinds at its exit what was dropped elsewhere`() throws {
        var held: Generator<Int, Void, Void>?
        var log: [String] = []
        onPlainThread {
            held = Generator(of: Int.self) { yield in
                defer { log.append("unwound") }
                try yield(1)
            }
            _ = try? held?.next()
            onPlainThread { held = nil }
            log.append("dropped")
        }
        #expect(log == ["dropped", "unwound"])
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
        let log = Log()
        let outer = Generator(of: Int.self) { out in
            defer { log.add("outer") }
            let inner = Generator(of: Int.self) { yield in
                defer { log.add("inner") }
                try out(1)
                try yield(2)
            }
            _ = try inner.next()
        }
        #expect(try outer.next() == 1)
        try outer.close()
        #expect(log.lines == ["inner", "outer"])
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

    // MARK: Task-locals

    @Test(arguments: [false, true])
    func `interleaved bindings are each body's own`(inTask: Bool) async throws {
        func check() throws {
            func make(_ base: Int) -> Generator<Int, Void, Void> {
                Generator { yield in
                    for step in 1...3 {
                        try Locals.$value.withValue(base + step) {
                            try yield(Locals.value)
                            try yield(Locals.value)
                        }
                    }
                }
            }
            let (first, second) = (make(10), make(20))
            try Locals.$value.withValue(5) {
                for step in 1...3 {
                    for _ in 1...2 {
                        let one = try first.next()
                        #expect(one == 10 + step)
                        #expect(Locals.value == 5)
                        let two = try second.next()
                        #expect(two == 20 + step)
                    }
                }
                #expect(Locals.value == 5)
            }
            #expect(Locals.value == 0)
            try first.close()
        }
        if inTask { return try check() }
        var failure: (any Error)?
        onPlainThread { do { try check() } catch { failure = error } }
        #expect(failure == nil)
    }

    @Test func `the body is in no task, and the caller stays in its own`() async throws {
        let generator = Generator(of: Bool.self) { yield in
            try yield(unsafe withUnsafeCurrentTask { unsafe $0 != nil })
        }
        let before = unsafe withUnsafeCurrentTask { unsafe $0?.hashValue }
        #expect(try generator.next() == false)
        let after = unsafe withUnsafeCurrentTask { unsafe $0?.hashValue }
        #expect(before != nil && after == before)
    }

    // MARK: Fibers

    @Test func `a wait in the body suspends the whole fiber`() throws {
        let order = try Scheduler.run {
            let log = Log()
            let other = Fiber {
                for number in 1...3 {
                    log.add("other \(number)")
                    try Fiber.yield()
                }
            }
            let outer = Generator(of: Int.self) { out in
                let inner = Generator(of: Int.self) { yield in
                    // As often as it takes: a busy machine stops the process for longer than one sleep.
                    while !other.isFinished { try Fiber.sleep(for: .milliseconds(1)) }
                    try yield(1)
                    let two = try Fiber.await {
                        try await Task.sleep(for: .milliseconds(1))
                        return 2
                    }
                    try yield(two)
                }
                for number in inner { try out(number) }
            }
            for number in outer { log.add("\(number)") }
            _ = try other.join()
            return log.lines
        }
        #expect(order == ["other 1", "other 2", "other 3", "1", "2"])
    }

    @Test func `cancelling the fiber ends the wait in the body`() throws {
        let wasCancelled = try Scheduler.run {
            let fiber = Fiber {
                let generator = Generator(of: Int.self) { yield in
                    try Fiber.sleep(for: .seconds(60))
                    try yield(1)
                }
                do {
                    _ = try generator.next()
                    return false
                } catch is CancellationError {
                    return true
                }
            }
            try Fiber.yield()
            fiber.cancel()
            return try fiber.join()
        }
        #expect(wasCancelled)
    }

    @Test func `a generator outlives the scheduler that ran inside its body`() throws {
        let generator = Generator(of: Int.self) { yield in
            try yield(Scheduler.run { 1 })
            try yield(Scheduler.run { 2 })
        }
        #expect(Array(generator) == [1, 2])
    }

    // MARK: Errors and traps

    @Test func `a stack that is too small is refused`() {
        let generator = Generator(of: Int.self, stackSize: 1000) { try $0(1) }
        #expect(throws: Errno.invalidArgument) { try generator.next() }
        #expect(String(describing: generator) == "a generator (pending)")
    }

    @Test func `asking for an element from inside traps`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            var generator: Generator<Int, Void, Void>?
            generator = Generator(name: "loop") { _ in _ = try generator?.next() }
            _ = try generator?.next()
        }
        try expectReport(result, says: "'loop' is running")
    }

    @Test func `another thread traps and both are named`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let generator = Generator(of: Int.self, name: "mine") { try $0(1) }
            onPlainThread { _ = try? generator.next() }
        }
        try expectReport(result, says: "generator 'mine' belongs to thread")
    }

    @Test func `a yield from code that the body did not call traps`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            var leaked: Yielder<Int, Void>?
            let generator = Generator(of: Int.self) { yield in
                leaked = yield
                try yield(1)
            }
            _ = try generator.next()
            try leaked?(2)
        }
        try expectReport(result, says: "by code that its body did not call")
    }

    @Test func `a yield inside a task on the body's stack traps`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let generator = Generator(of: Int.self) { yield in
                nonisolated(unsafe) let yield = yield
                Task.immediate { try unsafe yield(1) }
            }
            _ = try generator.next()
        }
        try expectReport(result, says: "inside a task")
    }

    @Test func `a body that will not be closed traps`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let generator = Generator(of: Int.self) { yield in
                while true { _ = try? yield(1) }
            }
            _ = try generator.next()
            try generator.close()
        }
        try expectReport(result, says: "goes on for ever")
    }
}
