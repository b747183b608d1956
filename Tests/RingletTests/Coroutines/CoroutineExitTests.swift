import Glibc
import Ringlet
import Testing

/// Says so on stderr when a frame that holds it is unwound.
private final class Witness {
    deinit { say("unwound") }
}

private func say(_ text: String) {
    let line = text + "\n"
    _ = unsafe line.withCString { unsafe write(STDERR_FILENO, $0, strlen($0)) }
}

/// Suspended when the process exits, and used by the exit handler.
nonisolated(unsafe) private var helper: Coroutine<Int>?

/// The end of the process, by whoever: nothing is unwound, and a handler may use coroutines.
@Suite struct CoroutineExitTests {
    private static let threads = 4
    private static let each = 20

    /// Leaves coroutines and generators suspended on threads that never end, a coroutine here, and a handler.
    private static func prepare() {
        let ready = Counter()
        for _ in 0..<threads {
            _ = startPlainThread {
                var coroutines: [Coroutine<Int>] = []
                var generators: [Generator<Int, Void, Void>] = []
                for number in 0..<each {
                    coroutines.append(
                        Coroutine { first in
                            let witness = Witness()
                            defer { withExtendedLifetime(witness) {} }
                            return try Coroutine.switchToParent(first)
                        })
                    generators.append(
                        Generator { yield in
                            let witness = Witness()
                            defer { withExtendedLifetime(witness) {} }
                            try yield(number)
                        })
                    guard (try? coroutines[number].switch(number)) == number,
                        (try? generators[number].next()) == number
                    else { exit(3) }
                }
                ready.add()
                while true { pause() }
            }
        }
        while ready.value < threads { sched_yield() }
        unsafe helper = Coroutine(name: "helper") { first in
            let witness = Witness()
            defer { withExtendedLifetime(witness) {} }
            return try Coroutine.switchToParent(first + 1) + 2
        }
        guard (try? unsafe helper?.switch(1)) == 2 else { exit(4) }
        atexit {
            let counters = CoroutineCounters.current
            say("live \(counters.live), suspended \(counters.suspended), leaked \(counters.leaked)")
            say("current \(Coroutine<Int>.current?.description ?? "none")")
            // So that its end comes back here, also where this runs in a coroutine.
            do {
                try unsafe helper?.setParent(Coroutine<Int>.current)
                say("helper \(try unsafe helper?.switch(5) ?? -1)")
            } catch {
                say("\(error)")
            }
        }
    }

    /// What the handler has said, and that nobody was unwound but the one that it has ended.
    private func expectHandler(_ result: ExitTest.Result?, live: Int, current: String) throws {
        let output = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        let lines = output.split(separator: "\n").map(String.init)
        let suspended = Self.threads * Self.each + 1
        for line in ["live \(live), suspended \(suspended), leaked 0", "current \(current)", "helper 7"] {
            #expect(lines.contains(line), "\(output)")
        }
        #expect(lines.count { $0 == "unwound" } == 1, "\(output)")
    }

    @Test(.enabled(if: !addressSanitizer, "at the exit it takes for lost what a coroutine's stack alone refers to"))
    func `exit in the body of a coroutine unwinds nothing, and a handler may switch`() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            Self.prepare()
            let leaving = Coroutine<Int>(name: "leaving") { _ in
                let witness = Witness()
                defer { withExtendedLifetime(witness) {} }
                exit(0)
            }
            _ = try leaving.switch(0)
            exit(9)
        }
        try expectHandler(
            result, live: Self.threads * Self.each + 2, current: "coroutine 'leaving' (running)")
    }

    @Test(.enabled(if: !addressSanitizer, "at the exit it takes for lost what a coroutine's stack alone refers to"))
    func `exit in the body of a generator unwinds nothing, and a handler may switch`() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            Self.prepare()
            let leaving = Generator(of: Int.self, name: "leaving") { _ in
                let witness = Witness()
                defer { withExtendedLifetime(witness) {} }
                exit(0)
            }
            _ = try leaving.next()
            exit(9)
        }
        // The generator is none of the coroutines.
        try expectHandler(result, live: Self.threads * Self.each + 1, current: "none")
    }
}
