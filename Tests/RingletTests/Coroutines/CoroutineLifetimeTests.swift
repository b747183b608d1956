import Ringlet
import Testing

/// What a coroutine and a generator hold, and for how long.
@Suite struct CoroutineLifetimeTests {
    private final class Token {}

    @Test func `what a body has captured is let go of at its end, also when the coroutine is kept`() throws {
        enum End: CaseIterable { case returns, fails, closed, closedBefore, thrownBefore }
        for end in End.allCases {
            weak var token: Token?
            let coroutine = {
                let held = Token()
                token = held
                return Coroutine<Int> { first in
                    defer { withExtendedLifetime(held) {} }
                    _ = try Coroutine.switchToParent(first)
                    if end == .fails { throw Failure() }
                    return first
                }
            }()
            #expect(token != nil)
            switch end {
            case .closedBefore: try coroutine.close()
            case .thrownBefore: #expect(throws: Failure()) { try coroutine.throw(Failure()) }
            case .returns, .fails, .closed:
                try coroutine.switch(1)
                #expect(token != nil)
                if end == .closed { try coroutine.close() } else { _ = try? coroutine.switch(1) }
            }
            #expect(coroutine.isFinished && token == nil, "\(end)")
        }
    }

    @Test func `one that has not begun goes with its last reference, and with what it has captured`() {
        weak var coroutine: Coroutine<Int>?
        weak var numbers: Generator<Int, Void, Void>?
        weak var token: Token?
        do {
            let held = Token()
            let pending = Coroutine<Int> { first in withExtendedLifetime(held) { first } }
            let generator = Generator(of: Int.self) { yield in try withExtendedLifetime(held) { try yield(1) } }
            (coroutine, numbers, token) = (pending, generator, held)
            #expect(coroutine?.state == .pending && numbers?.isPending == true && token != nil)
        }
        #expect(coroutine == nil && numbers == nil && token == nil)
    }

    @Test func `one whose body refers to it is part of a cycle, which close and the end break`() throws {
        for isClosed in [true, false] {
            weak var made: Coroutine<Int>?
            do {
                let coroutine = Coroutine<Int> { first in
                    let own = Coroutine<Int>.current
                    defer { withExtendedLifetime(own) {} }
                    return try Coroutine.switchToParent(first)
                }
                try coroutine.switch(1)
                made = coroutine
            }
            #expect(made?.state == .suspended)
            if isClosed { try made?.close() } else { _ = try made?.switch(2) }
            #expect(made == nil)
        }
    }

    @Test func `a generator whose body refers to it is part of a cycle, which close breaks`() throws {
        weak var made: Generator<Int, Void, Void>?
        do {
            var numbers: Generator<Int, Void, Void>?
            numbers = Generator { yield in
                let own = numbers
                numbers = nil
                defer { withExtendedLifetime(own) {} }
                try yield(1)
            }
            made = numbers
            #expect(try numbers?.next() == 1)
            #expect(numbers == nil)
        }
        // The body took the reference of the variable.
        #expect(made?.isFinished == false)
        try made?.close()
        #expect(made == nil)
    }

    @Test func `a drop returns to the coroutine that drops, which is not the parent`() throws {
        let lines = Journal<String>()
        var dropped: Coroutine<Int>?
        let parent = Coroutine<Int>(name: "parent") { _ in
            dropped = Coroutine(name: "dropped") { first in
                defer { lines.note("unwound") }
                return try Coroutine.switchToParent(first)
            }
            _ = try Coroutine.switchOutside(dropped?.switch(1) ?? 0)
            lines.note("the parent got control")
            return 0
        }
        #expect(try parent.switch(0) == 1)
        let dropper = Coroutine<Int>(name: "dropper") { first in
            dropped = nil
            lines.note("back in the \(Coroutine<Int>.current?.name ?? "code outside")")
            return first
        }
        #expect(try dropper.switch(2) == 2)
        #expect(lines.all == ["unwound", "back in the dropper"])
        #expect(parent.state == .suspended)
        try parent.close()
    }

    @Test func `an exit is handed on by one that has ended, time after time`() throws {
        let coroutine = Coroutine<Int> { first in first }
        try coroutine.close()
        for _ in 1...2 {
            #expect(throws: CoroutineExit.self) { try coroutine.throw() }
            guard case .exited = coroutine.outcome else {
                Issue.record("\(String(describing: coroutine.outcome))")
                return
            }
        }
    }
}
