import Ringlet
import Testing

@Suite struct CoroutineTracingTests {
    /// The transfers that `body` makes on this thread, as text.
    private func events(during body: () throws -> Void) rethrows -> [String] {
        var events: [String] = []
        let previous = AnyCoroutine.setTracer { transfer in
            events.append("\(transfer.kind) \(name(transfer.origin)) \(name(transfer.target))")
        }
        defer { AnyCoroutine.setTracer(previous) }
        try body()
        return events
    }

    private func name(_ coroutine: AnyCoroutine?) -> String { coroutine?.name ?? "outside" }

    @Test func `scenario 14: a tracer sees every transfer, and is removed when it fails`() throws {
        let good = Coroutine<Int>(name: "good") { first in
            try Coroutine.switchToParent(first)
        }
        let bad = Coroutine<Int>(name: "bad") { _ in throw Failure(number: 14) }
        let seen = try events {
            try good.switch(1)
            try good.switch(2)
            #expect(throws: Failure(number: 14)) { try bad.switch(3) }
        }
        #expect(
            seen == [
                "switch outside good", "switch good outside", "switch outside good",
                "switch good outside", "switch outside bad", "throw bad outside",
            ])

        let victim = Coroutine<Int>(name: "victim") { first in
            do {
                return try Coroutine.switchToParent(first)
            } catch let error as Failure {
                return error.number
            }
        }
        try victim.switch(0)
        AnyCoroutine.setTracer { _ in throw Failure(number: 99) }
        #expect(try victim.switch(1) == 99)
        #expect(AnyCoroutine.tracer == nil)
    }

    @Test func `a tracer that fails where a body would begin takes its place`() throws {
        let log = Journal<String>()
        let parent = Coroutine<Int>(name: "parent") { _ in
            let child = Coroutine<Int>(name: "child") { first in
                log.note("never")
                return first
            }
            AnyCoroutine.setTracer { transfer in
                if transfer.target === child { throw Failure(number: 15) }
            }
            do {
                return try child.switch(1)
            } catch let error as Failure {
                guard case .failed(let outcome as Failure) = child.outcome else { return -1 }
                return error.number + outcome.number
            }
        }
        defer { AnyCoroutine.setTracer(nil) }
        #expect(try parent.switch(0) == 30)
        #expect(AnyCoroutine.tracer == nil && log.all.isEmpty)
    }

    @Test func `one that fails in the code outside takes the place of the value that came there`() throws {
        let coroutine = Coroutine<Int> { first in try Coroutine.switchToParent(first) + 1 }
        AnyCoroutine.setTracer { transfer in if transfer.target == nil { throw Failure(number: 16) } }
        defer { AnyCoroutine.setTracer(nil) }
        #expect(throws: Failure(number: 16)) { try coroutine.switch(1) }
        #expect(AnyCoroutine.tracer == nil && coroutine.state == .suspended)
        #expect(try coroutine.switch(2) == 3)
    }

    @Test func `closing and dropping are seen, with nobody for what nobody refers to`() throws {
        let seen = try events {
            let closed = Coroutine(name: "closed") { try Coroutine.switchToParent() }
            try closed.switch()
            try closed.close()
            do {
                let dropped = Coroutine(name: "dropped") { try Coroutine.switchToParent() }
                try dropped.switch()
            }
        }
        #expect(
            seen == [
                "switch outside closed", "switch closed outside", "throw outside closed",
                "switch closed outside", "switch outside dropped", "switch dropped outside",
                "throw outside outside", "switch outside outside",
            ])
    }

    @Test func `other families are seen, and who really runs`() throws {
        let inner = Coroutine<Int>(name: "inner") { first in first }
        let outer = Coroutine(name: "outer") { _ = try inner.switch(1) }
        let seen = try events { try outer.switch() }
        #expect(
            seen == [
                "switch outside outer", "switch outer inner", "switch inner outer",
                "switch outer outside",
            ])
    }

    @Test func `setting returns the one before, and each thread has its own`() throws {
        var calls = 0
        #expect(AnyCoroutine.setTracer { _ in calls += 1 } == nil)
        onPlainThread {
            #expect(AnyCoroutine.tracer == nil)
            try? Coroutine {}.switch()
        }
        #expect(calls == 0)
        try Coroutine {}.switch()
        #expect(calls == 2)
        #expect(AnyCoroutine.setTracer(nil) != nil)
        try Coroutine {}.switch()
        #expect(calls == 2)
    }

    @Test func `a tracer may switch, and the outer switch gets its own value`() throws {
        let helper = Coroutine<String>(name: "helper") { first in
            var value = first
            while true { value = try Coroutine.switchToParent("-\(value)") }
        }
        var answers: [String] = []
        let echo = Coroutine<Int>(name: "echo") { first in
            var value = first
            while true { value = try Coroutine.switchToParent(value) }
        }
        AnyCoroutine.setTracer { _ in answers.append(try helper.switch("\(answers.count + 1)")) }
        defer { AnyCoroutine.setTracer(nil) }
        #expect(try echo.switch(10) == 10)
        #expect(try echo.switch(20) == 20)
        #expect(answers == ["-1", "-2", "-3", "-4"])
    }
}
