import Foundation
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

/// The kernel's number of this thread.
func threadNumber() -> Int32 {
    // "1234/task/1235"
    let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
    return link?.split(separator: "/").last.flatMap { Int32($0) } ?? -1
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
        #expect(try returning.close() == "caught")

        let throwing = Generator(of: Int.self) { yield in
            do { try yield(1) } catch { throw Oops() }
        }
        _ = try throwing.next()
        #expect(throws: Oops.self) { try throwing.close() }
    }

    @Test func `close hands back what a body returns that catches the exit by name`() throws {
        let generator = Generator(of: Int.self) { yield in
            do {
                while true { try yield(1) }
            } catch is GeneratorExit {
                return "cleaned up"
            }
        }
        _ = try generator.next()
        #expect(try generator.close() == "cleaned up")
        #expect(try generator.close() == nil)
        #expect(try generator.result == "cleaned up")
    }

    @Test func `a body that yields instead of ending can go on, and be closed again`() throws {
        let generator = Generator(of: Int.self) { yield in
            for number in 0..<3 { _ = try? yield(number) }
            try yield(3)
            try yield(4)
        }
        #expect(try generator.next() == 0)
        for _ in 1...2 { #expect(throws: GeneratorError.ignoredExit) { try generator.close() } }
        #expect(try generator.next() == 3)
        #expect(try generator.next() == 4)
        try generator.close()
        #expect(generator.isFinished)
        #expect(try generator.next() == nil)
    }

    @Test func `an element that is yielded instead of ending is not kept`() throws {
        let log = Log()
        let generator = Generator(of: Trace.self) { yield in
            while true { _ = try? yield(Trace(log)) }
        }
        _ = try generator.next()
        #expect(log.lines == ["unwound"])
        #expect(throws: GeneratorError.ignoredExit) { try generator.close() }
        #expect(log.lines == ["unwound", "unwound"])
    }

    // MARK: Throwing in

    @Test func `an error that is thrown in may be answered with an element`() throws {
        let log = Log()
        let generator = Generator(of: Int.self) { yield in
            do { try yield(1) } catch let oops as Oops { try yield(oops.number) }
            log.add("went on")
        }
        #expect(try generator.next() == 1)
        #expect(try generator.throw(Oops(number: 7)) == 7)
        #expect(try generator.next() == nil)
        #expect(log.lines == ["went on"])
    }

    @Test func `an error that is thrown in and not caught ends the body`() throws {
        let log = Log()
        let generator = Generator(of: Int.self) { yield in
            defer { log.add("unwound") }
            try yield(1)
        }
        _ = try generator.next()
        #expect(throws: Oops(number: 8)) { try generator.throw(Oops(number: 8)) }
        #expect(log.lines == ["unwound"])
        #expect(generator.isFinished)
        #expect(throws: Oops(number: 8)) { try generator.result }
    }

    @Test func `an error that is caught may be the end`() throws {
        let generator = Generator(of: Int.self) { yield in
            do { try yield(1) } catch is Oops { return "caught" }
            return "not thrown"
        }
        _ = try generator.next()
        #expect(try generator.throw(Oops()) == nil)
        #expect(try generator.result == "caught")
    }

    @Test
    func `thrown into before it begins, a body never runs; after its end, the error comes back`()
        throws
    {
        let log = Log()
        let generator = Generator(of: Int.self) { _ in log.add("ran") }
        #expect(throws: Oops(number: 1)) { try generator.throw(Oops(number: 1)) }
        #expect(generator.isFinished && log.lines.isEmpty)
        #expect(throws: Oops(number: 1)) { try generator.result }
        #expect(throws: Oops(number: 2)) { try generator.throw(Oops(number: 2)) }
        #expect(try generator.next() == nil)
    }

    @Test func `an exit that is thrown in comes back, or is answered`() throws {
        let passing = Generator(of: Int.self) { try $0(1) }
        _ = try passing.next()
        #expect(throws: GeneratorExit.self) { try passing.throw(GeneratorExit()) }

        let answering = Generator(of: Int.self) { yield in
            do { try yield(1) } catch is GeneratorExit { try yield(2) }
        }
        _ = try answering.next()
        #expect(try answering.throw(GeneratorExit()) == 2)
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

    // MARK: Memory

    @Test(.enabled(if: !addressSanitizer, "AddressSanitizer keeps what was freed"))
    func `generators that come and go leave nothing behind`() async throws {
        await #expect(processExitsWith: .success) {
            func cycle(_ count: Int) throws {
                for index in 0..<count {
                    let generator = Generator(of: [Int].self) { yield in
                        for number in 0..<3 { try yield([number]) }
                    }
                    // Ended, dropped half-way, dropped in a delegation, closed, never begun.
                    let outer = Generator(of: [Int].self) { try $0.from(generator) }
                    switch index % 5 {
                    case 0: for _ in generator {}
                    case 1: _ = try generator.next()
                    case 2: _ = try outer.next()
                    case 3: try outer.close()
                    default: break
                    }
                }
            }
            func residentPages() throws -> Int {
                let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
                return Int(text.split(separator: " ")[1]) ?? 0
            }
            try cycle(20_000)
            // The first look at the file needs memory of its own.
            _ = try residentPages()
            // A leak of a byte for each would be 12 pages in every round; other threads of the process
            // may need some in one.
            var growths: [Int] = []
            for _ in 0..<4 {
                let before = try residentPages()
                try cycle(50_000)
                growths.append(try residentPages() - before)
                if growths[growths.count - 1] <= 8 { return }
            }
            fatalError("\(growths) pages were left behind")
        }
    }

    // MARK: Fibers

    @Test func `a body in a fiber reads from a socket, and others run meanwhile`() throws {
        let log = Log()
        try Scheduler.run {
            let (client, server) = try connectedPair()
            let lines = Generator(of: String.self) { yield in
                var buffer = Buffer(capacity: 64)
                var rest = ""
                while try server.read(into: &buffer) > 0 {
                    rest += String(decoding: [UInt8](buffer), as: UTF8.self)
                    buffer.removeAll()
                    while let end = rest.firstIndex(of: "\n") {
                        try yield(String(rest[..<end]))
                        rest.removeSubrange(...end)
                    }
                }
                try server.close()
            }
            let writer = Fiber {
                for part in ["o", "ne\ntw", "o\nthree\n"] {
                    log.add("writes")
                    try client.write(Buffer(copying: part.utf8))
                    try Fiber.sleep(for: .milliseconds(1))
                }
                try client.close()
            }
            for line in lines { log.add(line) }
            try writer.join()
            _ = try lines.result
        }
        #expect(log.lines.first == "writes")
        #expect(log.lines.filter { $0 != "writes" } == ["one", "two", "three"])
    }

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

    @Test func `another thread is refused, and both are named`() throws {
        let generator = Generator(of: Int.self, name: "mine") { yield in
            try yield(1)
            try yield(2)
        }
        #expect(try generator.next() == 1)
        var errors: [GeneratorError] = []
        var there: Int32 = 0
        onPlainThread {
            there = threadNumber()
            for call in [
                { _ = try generator.next() }, { _ = try generator.throw(Oops()) },
                { _ = try generator.close() },
            ] {
                do { try call() } catch {
                    if let error = error as? GeneratorError { errors.append(error) }
                }
            }
        }
        #expect(
            errors
                == Array(repeating: .wrongThread(owner: threadNumber(), current: there), count: 3))
        #expect(
            "\(errors[0])".contains("thread \(there)")
                && "\(errors[0])".contains("\(threadNumber())"))
        #expect(try generator.next() == 2)
    }

    @Test func `a loop on another thread traps and both are named`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let generator = Generator(of: Int.self, name: "mine") { try $0(1) }
            onPlainThread { for _ in generator {} }
        }
        try expectReport(result, says: "generator 'mine'")
        try expectReport(result, says: "belongs to thread")
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

    @Test func `a body that will not end is reported when its last reference goes`() async throws {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            let generator = Generator(of: Int.self, name: "stubborn") { yield in
                while true { _ = try? yield(1) }
            }
            _ = try generator.next()
        }
        try expectReport(result, says: "generator 'stubborn' ended with an error that nobody saw")
        try expectReport(result, says: "ignored its exit")
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
}
