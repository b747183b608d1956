import Foundation
import Ringlet
import Synchronization
import Testing

/// What becomes of coroutines that nobody refers to any more. One test after the other: they look
/// at figures of the process.
@Suite(.serialized) struct CoroutineDropTests {
    @Test func `scenario 11: the last reference unwinds before it is gone`() throws {
        let log = Journal<String>()
        var coroutine: Coroutine<Int>? = Coroutine { first in
            defer { log.note("cleaned") }
            return try Coroutine.switchToParent(first)
        }
        try coroutine?.switch(1)
        log.note("drop")
        coroutine = nil
        log.note("dropped")
        #expect(log.all == ["drop", "cleaned", "dropped"])
    }

    @Test(arguments: [false, true])
    func `nothing of one that has ended is kept`(_ isTraced: Bool) throws {
        weak var ended: Coroutine<Int>?
        weak var closed: Coroutine<Int>?
        if isTraced { AnyCoroutine.setTracer { _ in } }
        do {
            let one = Coroutine<Int> { first in first }
            let two = Coroutine<Int> { first in try Coroutine.switchToParent(first) }
            (ended, closed) = (one, two)
            try one.switch(1)
            try two.switch(1)
            try two.close()
        }
        #expect(ended == nil && closed == nil)
        AnyCoroutine.setTracer(nil)
    }

    @Test func `scenario 12: an error that escapes is reported once`() throws {
        let reports = Journal<String>()
        // Other tests report to the process's handler, too.
        let previous = UnseenError.setHandler { unseen in
            if unseen.origin == .coroutine { reports.note("\(unseen.source): \(unseen.error)") }
        }
        defer { UnseenError.setHandler(previous) }
        do {
            let coroutine = Coroutine(name: "messy") {
                do { try Coroutine.switchToParent() } catch { throw Failure(number: 12) }
            }
            try coroutine.switch()
        }
        // The exit signal itself is no error.
        do {
            let coroutine = Coroutine(name: "tidy") { try Coroutine.switchToParent() }
            try coroutine.switch()
        }
        #expect(reports.all == ["coroutine 'messy': Failure(number: 12)"])
    }

    @Test func `without a handler the report is a line on stderr`() async throws {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            do {
                let coroutine = Coroutine(name: "messy") {
                    do { try Coroutine.switchToParent() } catch { throw Failure(number: 12) }
                }
                try coroutine.switch()
            }
            exit(0)
        }
        try expectReport(
            result,
            says: "coroutine 'messy' ended with an error that nobody saw: Failure(number: 12)")
    }

    @Test func `scenario 13: dropped elsewhere, it is unwound by its owner's next use`() throws {
        let log = Journal<String>()
        let here = pthread_self()
        let other = Coroutine<Int> { first in
            var value = first
            while true { value = try Coroutine.switchToParent(value) }
        }
        try other.switch(0)
        let box = Box()
        box.coroutine = Coroutine<Int>(name: "given away") { first in
            defer { log.note(pthread_equal(pthread_self(), here) != 0 ? "here" : "elsewhere") }
            return try Coroutine.switchToParent(first)
        }
        try box.coroutine?.switch(1)
        onPlainThread { box.coroutine = nil }
        #expect(log.all == [])
        #expect(CoroutineCounters.current.waitingForOwner >= 1)
        // A switch to another one, which has begun long ago.
        #expect(try other.switch(5) == 5)
        #expect(log.all == ["here"])
        try other.close()
    }

    @Test func `one that is dropped elsewhere is unwound when its thread exits`() throws {
        let log = Journal<String>()
        let box = Box()
        onPlainThread {
            box.coroutine = Coroutine<Int> { first in
                defer { log.note("cleaned") }
                return try Coroutine.switchToParent(first)
            }
            _ = try? box.coroutine?.switch(1)
            onPlainThread { box.coroutine = nil }
        }
        #expect(log.all == ["cleaned"])
    }

    @Test func `what a thread leaves suspended is leaked, counted, and said when dropped`()
        async throws
    {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            let before = CoroutineCounters.current.leaked
            let box = Box()
            onPlainThread {
                box.coroutine = Coroutine<Int>(name: "orphan") { try Coroutine.switchToParent($0) }
                _ = try? box.coroutine?.switch(1)
            }
            #expect(CoroutineCounters.current.leaked == before + 1)
            box.coroutine = nil
            #expect(CoroutineCounters.current.leaked == before + 1)
            exit(CoroutineCounters.current.leaked == before + 1 ? 0 : 1)
        }
        try expectReport(result, says: "coroutine 'orphan' was dropped after its thread")
    }

    @Test func `one that refuses to end is reported and counted, never freed`() async throws {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            let before = CoroutineCounters.current
            do {
                let coroutine = Coroutine(name: "stubborn") {
                    while true { try? Coroutine.switchToParent() }
                }
                try coroutine.switch()
            }
            let after = CoroutineCounters.current
            exit(after.leaked == before.leaked + 1 && after.live == before.live + 1 ? 0 : 1)
        }
        try expectReport(result, says: "stubborn' catches the error that is to end it")
    }

    @Test func `the figures follow a coroutine through its life`() async throws {
        await #expect(processExitsWith: .success) {
            func require(_ condition: Bool, _ line: Int32) {
                if !condition { exit(line) }
            }
            func current() -> CoroutineCounters { .current }
            require(current().live == 0 && current().suspended == 0, 1)
            let coroutine = Coroutine {
                require(current().live == 1 && current().suspended == 0, 2)
                try Coroutine.switchToParent()
            }
            require(current().live == 0 && current().suspended == 0, 3)
            require(coroutine.stack == nil, 4)
            try coroutine.switch()
            require(current().live == 1 && current().suspended == 1, 5)
            try coroutine.switch()
            require(current().live == 0 && current().suspended == 0, 6)
            exit(0)
        }
    }

    @Test func `the stack in use is known while it is suspended`() throws {
        func dive(_ depth: Int, _ scratch: Int) throws -> Int {
            if depth == 0 {
                try Coroutine.switchToParent()
                return scratch
            }
            return try dive(depth - 1, scratch &* 31 &+ depth) &+ depth
        }
        let coroutine = Coroutine(stackSize: 128 * 1024) {
            #expect(Coroutine.current?.stack?.inUse == 0)
            try Coroutine.switchToParent()
            _ = try dive(200, 1)
        }
        #expect(coroutine.stack == nil)
        try coroutine.switch()
        let shallow = try #require(coroutine.stack)
        try coroutine.switch()
        let deep = try #require(coroutine.stack)
        #expect(shallow.reserved == 128 * 1024 && deep.reserved == 128 * 1024)
        #expect(shallow.inUse > 0 && deep.inUse > shallow.inUse + 200 * 16)
        #expect(deep.committed >= deep.inUse && deep.committed <= deep.reserved)
        try coroutine.switch()
        #expect(coroutine.stack == nil)
    }

    @Test(.enabled(if: !threadSanitizer, "ThreadSanitizer's own memory grows"))
    func `a hundred thousand lives, half of them dropped half-way, need no more memory`()
        async throws
    {
        await #expect(processExitsWith: .success) {
            func live(_ count: Int) throws {
                for number in 0..<count {
                    let coroutine = Coroutine<Int> { first in
                        try Coroutine.switchToParent(first + 1)
                    }
                    _ = try coroutine.switch(number)
                    if number % 2 == 0 { _ = try coroutine.switch(0) }
                }
            }
            try live(5_000)
            let before = residentBytes()
            try live(100_000)
            // AddressSanitizer keeps what was freed for a while.
            exit(residentBytes() - before < (addressSanitizer ? 512 : 1) << 20 ? 0 : 1)
        }
    }

    /// Gives a coroutine to other threads, for which it is not meant.
    private final class Box: @unchecked Sendable {
        var coroutine: Coroutine<Int>?
    }
}

/// What the process has in memory.
private func residentBytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (Int(text.split(separator: " ")[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
}
