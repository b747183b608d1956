import Ringlet
import Testing

/// Switches in places where one does not expect them: in the arguments of another, and in what runs when an object goes.
@Suite struct CoroutineReentrancyTests {
    /// Gives back what it is sent.
    private func echo() -> Coroutine<Int> {
        Coroutine { first in
            var value = first
            while true { value = try Coroutine.switchToParent(value) }
        }
    }

    @Test func `an argument may be the result of another switch`() throws {
        let (a, b) = (echo(), echo())
        for number in 1...3 {
            #expect(try a.switch(try b.switch(number) * 10) == number * 10)
            #expect(try a.switch(try a.switch(number) * 10) == number * 10)
        }
        let inside = Coroutine<Int> { first in
            let (a, b) = (self.echo(), self.echo())
            return try a.switch(try b.switch(first) + 1) + b.switch(try a.switch(first) + 2)
        }
        #expect(try inside.switch(10) == 23)
    }

    @Test func `an argument may end the coroutine that it is for`() throws {
        let a = echo()
        try a.switch(0)
        let value = try a.switch(
            {
                try a.close()
                return 5
            }())
        // It passes over the one that has ended, to the code outside.
        #expect(value == 5)
    }

    // MARK: Objects that switch when they go

    @Test func `a value that is not delivered may switch when it goes`() throws {
        let helper = echo()
        var answers: [Int?] = []
        var waiting: Coroutine<Farewell?>?
        waiting = Coroutine { _ in
            let stranger = Coroutine<String> { _ in
                // It waits for this one.
                #expect(throws: CoroutineError.self) {
                    try waiting?.switch(Farewell { answers.append(try? helper.switch(1)) })
                }
                return "done"
            }
            _ = try stranger.switch("")
            return nil
        }
        _ = try waiting?.switch(nil)
        waiting = nil
        #expect(answers == [1])

        // A tracer's error takes the place of the value.
        let taking = Coroutine<Farewell?> { first in first }
        AnyCoroutine.setTracer { transfer in if transfer.target === taking { throw Failure(number: 3) } }
        defer { AnyCoroutine.setTracer(nil) }
        #expect(throws: Failure(number: 3)) {
            try taking.switch(Farewell { answers.append(try? helper.switch(2)) })
        }
        #expect(answers == [1, 2])
    }

    @Test(arguments: [false, true])
    func `what a body has captured may switch when an error ends it before it begins`(_ isClosed: Bool) throws {
        let helper = echo()
        var answers: [Int?] = []
        weak var ending: Coroutine<Int>?
        do {
            let farewell = Farewell {
                answers.append(try? helper.switch(1))
                // It has ended: control stays here.
                answers.append(try? ending?.switch(2))
                answers.append(try? helper.switch(3))
            }
            ending = nil
            var pending: Coroutine<Int>? = Coroutine { first in
                withExtendedLifetime(farewell) { first + 100 }
            }
            ending = pending
            answers = []
            _ = consume farewell
            if isClosed {
                try pending?.close()
            } else {
                #expect(throws: Failure(number: 4)) { try pending?.throw(Failure(number: 4)) }
            }
            #expect(pending?.state == .ended)
            pending = nil
        }
        #expect(answers == [1, 2, 3])
    }

    @Test func `what a body has captured may switch while the error is on its way to a parent`() throws {
        // Of another family, so that control comes back to whoever switches to it.
        let helper = Coroutine<String> { first in
            var value = first
            while true { value = try Coroutine.switchToParent(value + "!") }
        }
        var lines: [String] = []
        let parent = Coroutine<Int> { _ in
            var child: Coroutine<Int>?
            do {
                let farewell = Farewell { lines.append((try? helper.switch("helper")) ?? "refused") }
                child = Coroutine { first in withExtendedLifetime(farewell) { first } }
            }
            let stranger = Coroutine<Int> { _ in try child!.throw(Failure(number: 7)) }
            do {
                _ = try stranger.switch(0)
            } catch let error as Failure {
                lines.append("parent \(error.number)")
            }
            try stranger.close()
            return 2
        }
        #expect(try parent.switch(0) == 2)
        #expect(lines == ["helper!", "parent 7"])
    }

    @Test func `what a frame holds cannot switch on it while a drop unwinds it, and elsewhere can`() throws {
        let helper = Coroutine<String> { first in
            var value = first
            while true { value = try Coroutine.switchToParent(value + "!") }
        }
        let other = echo()
        var lines: [String] = []
        do {
            let dropped = Coroutine<Int> { first in
                let farewell = Farewell {
                    #expect(Coroutine<Int>.current == nil && AnyCoroutine.innermost == nil)
                    #expect(throws: CoroutineExit.self) { try other.switch(1) }
                    lines.append((try? helper.switch("from the frame")) ?? "refused")
                }
                defer { withExtendedLifetime(farewell) {} }
                return try Coroutine.switchToParent(first)
            }
            try dropped.switch(1)
        }
        #expect(lines == ["from the frame!"])
        #expect(try other.switch(2) == 2)
    }

    @Test(arguments: [false, true])
    func `the outcome of an ancestor may switch when it goes with its last descendant`(_ throwsError: Bool) throws {
        let helper = echo()
        var answers: [Int?] = []
        var child: Coroutine<Farewell?>?
        var starter: Coroutine<Farewell?>?
        starter = Coroutine { _ in try child!.switch(nil) }
        do {
            let parent = Coroutine<Farewell?> { first in first }
            _ = try parent.switch(
                Farewell {
                    #expect(AnyCoroutine.innermost == nil)
                    answers.append(try? helper.switch(7))
                })
            child = Coroutine { _ in
                child = nil
                // Unwinds the frame with the last reference to this one, which is the last to refer to its parent.
                try starter!.close()
                if throwsError { throw Failure(number: 5) }
                return Farewell {}
            }
            try child?.setParent(parent)
        }
        #expect(answers.isEmpty)
        if throwsError {
            #expect(throws: Failure(number: 5)) { try starter?.switch(nil) }
        } else {
            let value = try starter?.switch(nil)
            #expect(value != nil)
        }
        #expect(answers == [7])
    }

    @Test func `a parent that is unwound because it is replaced may ask for the new one`() throws {
        let child = Coroutine<Int>(name: "child") { first in first }
        let heir = Coroutine<Int>(name: "heir") { first in first }
        var seen: [Coroutine<Int>?] = []
        do {
            let parent = Coroutine<Int> { first in
                defer { seen.append(child.parent) }
                return try Coroutine.switchToParent(first)
            }
            try parent.switch(1)
            try child.setParent(parent)
        }
        try child.setParent(heir)
        #expect(seen.count == 1 && seen.first! === heir)
    }
}

/// Does something when the last reference to it goes.
private final class Farewell {
    private let body: () -> Void

    init(_ body: @escaping () -> Void) { self.body = body }

    deinit { body() }
}
