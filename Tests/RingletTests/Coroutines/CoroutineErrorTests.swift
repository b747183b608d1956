import Ringlet
import SystemPackage
import Testing

/// Errors thrown into coroutines, and how they end.
@Suite struct CoroutineErrorTests {
    @Test func `scenario 6: one that catches what is thrown into it goes on`() throws {
        let coroutine = Coroutine<String> { first in
            var answer = first
            while true {
                do {
                    answer = try Coroutine.switchToParent(answer)
                } catch let error as Failure {
                    answer = "caught \(error.number)"
                }
            }
        }
        #expect(try coroutine.switch("begun") == "begun")
        #expect(try coroutine.throw(Failure(number: 6)) == "caught 6")
        #expect(try coroutine.switch("alive") == "alive")
        #expect(throws: CoroutineExit.self) { try coroutine.throw() }
        #expect(coroutine.state == .ended)
    }

    @Test func `scenario 7: one that has not begun ends, and its parent gets the error`() throws {
        let log = Journal<String>()
        let parent = Coroutine<Int> { _ in
            let child = Coroutine<Int> { _ in
                log.note("never")
                return 0
            }
            let stranger = Coroutine<Int> { _ in try child.throw(Failure(number: 7)) }
            do {
                _ = try stranger.switch(0)
            } catch let error as Failure {
                log.note("parent got \(error.number)")
            }
            guard case .failed(let error as Failure) = child.outcome, error.number == 7 else {
                Issue.record("the outcome is \(String(describing: child.outcome))")
                return 1
            }
            try stranger.close()
            return 2
        }
        #expect(try parent.switch(0) == 2)
        #expect(log.all == ["parent got 7"])
    }

    @Test func `scenario 8: the exit signal ends, and is no failure, also the second time`() throws
    {
        var cleaned = 0
        let coroutine = Coroutine(name: "worker") {
            defer { cleaned += 1 }
            try Coroutine.switchToParent()
        }
        try coroutine.switch()
        try coroutine.throw()
        #expect(cleaned == 1)
        guard case .exited = coroutine.outcome else {
            Issue.record("the outcome is \(String(describing: coroutine.outcome))")
            return
        }
        try coroutine.throw()
        guard case .exited = coroutine.outcome else {
            Issue.record("the outcome is \(String(describing: coroutine.outcome))")
            return
        }
        // An error is an error, and arrives here.
        #expect(throws: Failure(number: 8)) { try coroutine.throw(Failure(number: 8)) }
    }

    @Test func `the exit of a child is thrown where there is no value to return`() throws {
        let parent = Coroutine<Int> { _ in
            let child = Coroutine<Int> { _ in throw CoroutineExit() }
            do {
                return try child.switch(0)
            } catch is CoroutineExit {
                return 1
            }
        }
        #expect(try parent.switch(0) == 1)
        // Nobody catches it: the parent exits, too.
        let careless = Coroutine<Int> { _ in
            let child = Coroutine<Int> { _ in throw CoroutineExit() }
            return try child.switch(0)
        }
        #expect(throws: CoroutineExit.self) { try careless.switch(0) }
        guard case .exited = careless.outcome else {
            Issue.record("the outcome is \(String(describing: careless.outcome))")
            return
        }
    }

    @Test func `an exit starts a parent without values that has not begun`() throws {
        var lines: [String] = []
        let parent = Coroutine { lines.append("parent") }
        let child = Coroutine { throw CoroutineExit() }
        try child.setParent(parent)
        try child.switch()
        #expect(lines == ["parent"])
    }

    @Test func `an error for a parent that has not begun passes over it`() throws {
        let parent = Coroutine<Int> { _ in 1 }
        let child = Coroutine<Int> { _ in throw Failure(number: 3) }
        try child.setParent(parent)
        #expect(throws: Failure(number: 3)) { try child.switch(0) }
        guard case .failed(is Failure) = parent.outcome else {
            Issue.record("the outcome is \(String(describing: parent.outcome))")
            return
        }
    }

    @Test func `an error reaches the code outside past all parents`() throws {
        let parent = Coroutine<Int> { _ in
            let child = Coroutine<Int> { _ in try Coroutine.throwOutside(Failure(number: 1)) }
            return try child.switch(0)
        }
        #expect(throws: Failure(number: 1)) { try parent.switch(0) }
        #expect(parent.state == .suspended)
        try parent.close()
        #expect(throws: Failure(number: 2)) { try Coroutine<Int>.throwOutside(Failure(number: 2)) }
    }

    @Test func `outcomes tell the three ways to end`() throws {
        let returned = Coroutine<Int> { first in first }
        #expect(returned.outcome == nil)
        try returned.switch(3)
        let failed = Coroutine<Int> { _ in throw Failure() }
        #expect(throws: Failure()) { try failed.switch(3) }
        let closed = Coroutine<Int> { first in first }
        try closed.close()
        guard case .returned(3) = returned.outcome, case .failed(is Failure) = failed.outcome,
            case .exited = closed.outcome
        else {
            Issue.record("\([returned, failed, closed].map(\.outcome))")
            return
        }
    }

    @Test func `an error that no ancestor can take here changes nothing`() throws {
        let parent = Coroutine<Int>(name: "parent") { _ in
            let child = Coroutine<Int> { first in first + 1 }
            // To another family the parent is the code outside, which waits.
            let stranger = Coroutine<String> { _ in
                #expect(throws: CoroutineError.notSuspended(coroutine: "coroutine 'parent'")) {
                    try child.throw(Failure(number: 2))
                }
                #expect(child.state == .pending && child.outcome == nil)
                return ""
            }
            _ = try stranger.switch("")
            return try child.switch(1)
        }
        #expect(try parent.switch(0) == 2)
    }

    @Test func `nor does one for a parent that gets no stack`() throws {
        let parent = Coroutine<Int>(stackSize: 1000) { first in first }
        let child = Coroutine<Int> { first in first + 1 }
        try child.setParent(parent)
        for _ in 1...2 {
            #expect(throws: Errno.invalidArgument) { try child.throw(Failure(number: 2)) }
            #expect(child.state == .pending && parent.state == .pending)
        }
        try child.setParent(nil)
        #expect(try child.switch(1) == 2)
    }

    @Test func `a body that will not end is given up, and can be closed again`() throws {
        var isStubborn = true
        let coroutine = Coroutine(name: "stubborn") {
            while isStubborn { try? Coroutine.switchToParent() }
            try Coroutine.switchToParent()
        }
        try coroutine.switch()
        #expect(throws: CoroutineError.refusesToEnd(coroutine: "coroutine 'stubborn'")) {
            try coroutine.close()
        }
        #expect(coroutine.state == .suspended)
        try coroutine.switch()
        isStubborn = false
        try coroutine.close()
        #expect(coroutine.state == .ended)
    }
}
