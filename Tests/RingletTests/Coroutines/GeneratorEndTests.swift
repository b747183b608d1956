import Foundation
import Glibc
import Ringlet
import Testing

@Suite struct GeneratorEndTests {
    // MARK: Closing

    @Test func `close unwinds the body`() throws {
        let log = Journal<String>()
        let generator = Generator(of: Int.self) { yield in
            let trace = FrameTrace(log)
            defer { log.note("deferred") }
            while true { try withExtendedLifetime(trace) { try yield(1) } }
        }
        _ = try generator.next()
        try generator.close()
        #expect(log.all == ["deferred", "unwound"])
        #expect(generator.isFinished)
        #expect(try generator.next() == nil)
        try generator.close()
    }

    @Test func `a body that has not begun never runs after close`() throws {
        let log = Journal<String>()
        let generator = Generator(of: Int.self) { _ in log.note("ran") }
        try generator.close()
        #expect(try generator.next() == nil)
        #expect(log.all.isEmpty)
    }

    @Test func `a body that catches the end may return, or throw`() throws {
        let returning = Generator(of: Int.self) { yield in
            do { try yield(1) } catch { return "caught" }
            return "not closed"
        }
        _ = try returning.next()
        #expect(try returning.close() == "caught")

        let throwing = Generator(of: Int.self) { yield in
            do { try yield(1) } catch { throw Failure() }
        }
        _ = try throwing.next()
        #expect(throws: Failure.self) { try throwing.close() }
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
        let log = Journal<String>()
        let generator = Generator(of: FrameTrace.self) { yield in
            while true { _ = try? yield(FrameTrace(log)) }
        }
        _ = try generator.next()
        #expect(log.all == ["unwound"])
        #expect(throws: GeneratorError.ignoredExit) { try generator.close() }
        #expect(log.all == ["unwound", "unwound"])
    }

    // MARK: Throwing in

    @Test func `an error that is thrown in may be answered with an element`() throws {
        let log = Journal<String>()
        let generator = Generator(of: Int.self) { yield in
            do { try yield(1) } catch let failure as Failure { try yield(failure.number) }
            log.note("went on")
        }
        #expect(try generator.next() == 1)
        #expect(try generator.throw(Failure(number: 7)) == 7)
        #expect(try generator.next() == nil)
        #expect(log.all == ["went on"])
    }

    @Test func `an error that is thrown in and not caught ends the body`() throws {
        let log = Journal<String>()
        let generator = Generator(of: Int.self) { yield in
            defer { log.note("unwound") }
            try yield(1)
        }
        _ = try generator.next()
        #expect(throws: Failure(number: 8)) { try generator.throw(Failure(number: 8)) }
        #expect(log.all == ["unwound"])
        #expect(generator.isFinished)
        #expect(throws: Failure(number: 8)) { try generator.result }
    }

    @Test func `an error that is caught may be the end`() throws {
        let generator = Generator(of: Int.self) { yield in
            do { try yield(1) } catch is Failure { return "caught" }
            return "not thrown"
        }
        _ = try generator.next()
        #expect(try generator.throw(Failure()) == nil)
        #expect(try generator.result == "caught")
    }

    @Test
    func `thrown into before it begins, a body never runs; after its end, the error comes back`()
        throws
    {
        let log = Journal<String>()
        let generator = Generator(of: Int.self) { _ in log.note("ran") }
        #expect(throws: Failure(number: 1)) { try generator.throw(Failure(number: 1)) }
        #expect(generator.isFinished && log.all.isEmpty)
        #expect(throws: Failure(number: 1)) { try generator.result }
        #expect(throws: Failure(number: 2)) { try generator.throw(Failure(number: 2)) }
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

    // MARK: The last reference

    @Test func `the last reference closes`() throws {
        let log = Journal<String>()
        do {
            let generator = Generator(of: Int.self) { yield in
                let trace = FrameTrace(log)
                try withExtendedLifetime(trace) { try yield(1) }
            }
            _ = try generator.next()
            #expect(log.all.isEmpty)
        }
        #expect(log.all == ["unwound"])
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

    // MARK: Memory

    @Test(
        .enabled(if: !addressSanitizer, "AddressSanitizer keeps what was freed"),
        .enabled(if: !threadSanitizer, "ThreadSanitizer's own memory grows"))
    func `generators that come and go leave nothing behind`() async throws {
        await #expect(processExitsWith: .success) {
            stopErrorNotes()
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
}
