import Ringlet
import RingletTesting
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

@Suite struct CoroutineTests {
    @Test func `two coroutines hand control to each other`() throws {
        let log = Log()
        var pong: Coroutine<Void>!
        let ping = Coroutine(name: "ping") {
            for round in 1...3 {
                log.add("ping \(round)")
                try pong.switch()
            }
        }
        pong = Coroutine(name: "pong") {
            while !ping.isFinished {
                log.add("pong")
                try ping.switch()
            }
        }
        try ping.switch()
        #expect(log.lines == ["ping 1", "pong", "ping 2", "pong", "ping 3", "pong"])
        #expect(ping.isFinished && !pong.isFinished)
        try pong.close()
    }

    @Test func `the body begins at the first switch`() throws {
        let log = Log()
        let coroutine = Coroutine { log.add("ran") }
        #expect(log.lines.isEmpty)
        try coroutine.switch()
        #expect(log.lines == ["ran"])
    }

    @Test func `control returns to the parent, not to the last switcher`() throws {
        let log = Log()
        let parent = Coroutine(name: "parent") {
            var helper: Coroutine<Void>!
            let child = Coroutine(name: "child") { log.add("child ends") }
            helper = Coroutine(name: "helper") {
                try child.switch()
                log.add("helper goes on")
            }
            try helper.switch()
            log.add("parent goes on")
            #expect(child.parent === Coroutine.current)
            try helper.switch()
        }
        try parent.switch()
        #expect(log.lines == ["child ends", "parent goes on", "helper goes on"])
    }

    @Test func `the current coroutine is known at any depth and nil outside`() throws {
        #expect(Coroutine.current == nil)
        var seen: [String?] = []
        let outer = Coroutine(name: "outer") {
            let generator = Generator(of: Int.self) { yield in
                seen.append(Coroutine.current?.name)
                try yield(1)
            }
            _ = try generator.next()
            let inner = Coroutine(name: "inner") { seen.append(Coroutine.current?.name) }
            try inner.switch()
            seen.append(Coroutine.current?.name)
        }
        try outer.switch()
        #expect(seen == ["outer", "inner", "outer"])
        #expect(Coroutine.current == nil)
    }

    @Test func `its state can be printed`() throws {
        let coroutine = Coroutine(name: "c") {
            #expect(Coroutine.current!.description == "coroutine 'c' (running)")
            try Coroutine.switchToParent()
        }
        #expect(coroutine.description == "coroutine 'c' (pending)")
        try coroutine.switch()
        #expect(coroutine.description == "coroutine 'c' (suspended)")
        try coroutine.switch()
        #expect(coroutine.description == "coroutine 'c' (ended)")
        #expect(Coroutine {}.description == "a coroutine (pending)")
    }

    @Test func `a switch to itself does nothing, one to an ended goes to its ancestor`() throws {
        let log = Log()
        let parent = Coroutine {
            try Coroutine.current!.switch()
            let child = Coroutine {}
            try child.switch()
            let stranger = Coroutine {
                log.add("stranger")
                try child.switch()
                log.add("never")
            }
            try stranger.switch()
            log.add("parent")
            try stranger.close()
        }
        try parent.switch()
        #expect(log.lines == ["stranger", "parent"])
        try parent.switch()
    }

    @Test func `an error goes to the parent's pending switch, and on`() throws {
        let log = Log()
        let parent = Coroutine {
            let child = Coroutine { throw Oops(number: 1) }
            do { try child.switch() } catch let error as Oops { log.add("caught \(error.number)") }
            throw Oops(number: 2)
        }
        #expect(throws: Oops(number: 2)) { try parent.switch() }
        #expect(log.lines == ["caught 1"])
    }

    // MARK: The end

    @Test func `close unwinds, and switches meanwhile throw`() throws {
        let log = Log()
        let other = Coroutine { log.add("other ran") }
        let coroutine = Coroutine {
            defer { log.add("unwound") }
            do { try Coroutine.switchToParent() } catch { log.add("ended") }
            do { try other.switch() } catch { log.add("refused") }
        }
        try coroutine.switch()
        try coroutine.close()
        #expect(log.lines == ["ended", "refused", "unwound"])
        #expect(coroutine.isFinished && !other.isFinished)
    }

    @Test func `close from another coroutine returns to it`() throws {
        let log = Log()
        let victim = Coroutine {
            defer { log.add("unwound") }
            try Coroutine.switchToParent()
        }
        try victim.switch()
        let closer = Coroutine {
            try victim.close()
            log.add("closer goes on")
        }
        try closer.switch()
        #expect(log.lines == ["unwound", "closer goes on"])
    }

    @Test func `closing itself ends the body and gives control to the parent`() throws {
        let log = Log()
        let parent = Coroutine {
            let child = Coroutine {
                try Coroutine.current?.close()
                log.add("never")
            }
            try child.switch()
            log.add("parent")
        }
        try parent.switch()
        #expect(log.lines == ["parent"])
    }

    @Test func `the last reference unwinds a suspended body`() throws {
        let log = Log()
        do {
            let coroutine = Coroutine {
                defer { log.add("unwound \(Coroutine.current == nil)") }
                try Coroutine.switchToParent()
            }
            try coroutine.switch()
        }
        #expect(log.lines == ["unwound true"])
    }

    @Test func `one that drops itself while running is unwound when it switches away`() throws {
        let log = Log()
        var child: Coroutine<Void>?
        let parent = Coroutine {
            var middle: Coroutine<Void>? = Coroutine {
                child = Coroutine { log.add("child") }
                try Coroutine.switchToParent()
            }
            try middle?.switch()
            middle = nil
            // Its parent, `middle`, has been unwound: control comes here.
            try child?.switch()
            log.add("parent")
        }
        try parent.switch()
        #expect(log.lines == ["child", "parent"])
    }

    // MARK: Strands

    @Test func `a switch from a generator's body takes the generator along`() throws {
        let log = Log()
        var second: Coroutine<Void>!
        let first = Coroutine(name: "first") {
            let generator = Generator(of: Int.self) { yield in
                try yield(1)
                try second.switch()
                try yield(2)
            }
            for number in generator { log.add("\(number)") }
        }
        second = Coroutine(name: "second") {
            log.add("second")
            try first.switch()
        }
        try first.switch()
        #expect(log.lines == ["1", "second", "2"])
        try second.close()
    }

    @Test func `a coroutine inside a generator's body may yield for it`() throws {
        let generator = Generator(of: String.self) { yield in
            let worker = Coroutine {
                try yield("from the coroutine")
                try Coroutine.switchToParent()
                try yield("again")
            }
            try worker.switch()
            try yield("from the body")
            try worker.switch()
        }
        var seen: [String] = []
        for element in generator {
            seen.append(element)
            #expect(Coroutine.current == nil)
        }
        #expect(seen == ["from the coroutine", "from the body", "again"])
    }

    @Test func `interleaved bindings and accesses are each body's own`() throws {
        final class Box { var number = 0 }
        func hold(_ number: inout Int, _ body: () throws -> Void) rethrows {
            number += 1
            try body()
        }
        let boxes = (Box(), Box())
        var coroutines: [Coroutine<Void>] = []
        for (index, box) in [boxes.0, boxes.1].enumerated() {
            coroutines.append(
                Coroutine {
                    for round in 1...3 {
                        try Locals.$value.withValue(10 * index + round) {
                            try hold(&box.number) {
                                try Coroutine.switchToParent()
                                #expect(Locals.value == 10 * index + round)
                            }
                        }
                    }
                })
        }
        for _ in 1...4 {
            for coroutine in coroutines { try coroutine.switch() }
            #expect(Locals.value == 0)
        }
        #expect(boxes.0.number == 3 && boxes.1.number == 3)
        #expect(coroutines.map(\.isFinished) == [true, true])
    }

    @Test func `a thread's first coroutine may be made under a binding`() {
        onPlainThread {
            Locals.$value.withValue(1) {
                var seen = -1
                let coroutine = Coroutine {
                    seen = Locals.value
                    try Locals.$value.withValue(2) { try Coroutine.switchToParent() }
                }
                try? coroutine.switch()
                #expect(seen == 0 && Locals.value == 1)
                try? coroutine.switch()
                #expect(coroutine.isFinished && Locals.value == 1)
            }
        }
    }

    // MARK: Fibers

    @Test func `a wait in a coroutine suspends its fiber and nobody else's`() async throws {
        let lines = try await Simulation.run { () throws -> [String] in
            let log = Log()
            var other: Coroutine<Void>!
            let one = Coroutine(name: "one") {
                try other.switch()
                log.add("one")
            }
            other = Coroutine(name: "other") {
                log.add("waits")
                try Fiber.sleep(for: .milliseconds(5))
                log.add("waited as \(Coroutine.current!.name!)")
                try one.switch()
            }
            let fiber = Fiber {
                #expect(Coroutine.current == nil)
                let own = Coroutine(name: "own") {
                    try Fiber.yield()
                    log.add("own")
                }
                try own.switch()
            }
            try one.switch()
            _ = try fiber.join()
            try other.close()
            return log.lines
        }
        #expect(lines == ["waits", "own", "waited as other", "one"])
    }

    @Test func `a coroutine that is suspended in a switch may go on in another fiber`() throws {
        let lines = try Scheduler.run {
            let log = Log()
            nonisolated(unsafe) let coroutine = Coroutine {
                log.add("first")
                try Coroutine.switchToParent()
                log.add("second")
            }
            try unsafe coroutine.switch()
            _ = try Fiber { try unsafe coroutine.switch() }.join()
            return log.lines
        }
        #expect(lines == ["first", "second"])
    }

    // MARK: Errors and traps

    @Test func `a stack that is too small is refused and nothing is lost`() throws {
        let small = Coroutine(stackSize: 1000) {}
        #expect(throws: Errno.invalidArgument) { try small.switch() }
        var caught = false
        let coroutine = Coroutine {
            do { try small.switch() } catch Errno.invalidArgument { caught = true }
        }
        try coroutine.switch()
        #expect(caught)
    }

    @Test func `a switch to one that waits in another fiber is refused`() throws {
        try Scheduler.run {
            nonisolated(unsafe) let busy = Coroutine(name: "busy") { try Fiber.yield() }
            let fiber = Fiber { try unsafe busy.switch() }
            try Fiber.yield()
            let error = CoroutineError.notSuspended(coroutine: "coroutine 'busy'")
            #expect(throws: error) { try unsafe busy.switch() }
            #expect(throws: error) { try unsafe busy.throw(Oops()) }
            #expect(throws: error) { try unsafe busy.close() }
            _ = try fiber.join()
            #expect(unsafe busy.isFinished)
        }
    }

    @Test func `a wait without a fiber traps as anywhere`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            try Coroutine { try Fiber.sleep(for: .seconds(1)) }.switch()
        }
        try expectReport(result, says: "needs a fiber to suspend")
    }
}
