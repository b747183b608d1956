import Glibc
import Ringlet
import Testing

/// What greenlet's users know of switching, by the numbers of our list of scenarios.
@Suite struct CoroutineSwitchTests {
    private enum Message: Equatable {
        case pair(Int, Int)
        case number(Int)
        case text(String)
    }

    @Test func `scenario 1: values become the parameter, then results, and the return`() throws {
        let coroutine = Coroutine<Message> { first in
            #expect(first == .pair(1, 2))
            let second = try Coroutine<Message>.switchToParent(.text("a"))
            #expect(second == .number(10))
            let third = try Coroutine<Message>.switchToParent(.text("b"))
            #expect(third == .text("z"))
            return .text("c")
        }
        #expect(try coroutine.switch(.pair(1, 2)) == .text("a"))
        #expect(try coroutine.switch(.number(10)) == .text("b"))
        #expect(try coroutine.switch(.text("z")) == .text("c"))
        guard case .returned(.text("c")) = coroutine.outcome else {
            Issue.record("\(String(describing: coroutine.outcome))")
            return
        }
    }

    @Test func `scenario 3: a value for one that has ended goes to its living ancestor`() throws {
        let log = Journal<String>()
        let parent = Coroutine<Int> { _ in
            let child = Coroutine<Int> { first in first }
            let grandchild = Coroutine<Int> { first in first }
            try grandchild.setParent(child)
            #expect(try grandchild.switch(1) == 1)
            #expect(child.isFinished)
            let stranger = Coroutine<Int> { _ in
                log.note("stranger")
                _ = try grandchild.switch(25)
                log.note("never")
                return 0
            }
            #expect(try stranger.switch(0) == 25)
            log.note("parent")
            try stranger.close()
            return 7
        }
        #expect(try parent.switch(0) == 7)
        #expect(log.all == ["stranger", "parent"])
        // Nobody is left but the code outside, which is here.
        #expect(try parent.switch(25) == 25)
        #expect(try Coroutine.switchToParent(26) == 26)
        #expect(try Coroutine.switchOutside(27) == 27)
    }

    @Test func `scenario 4: a return into a parent that has not begun starts it`() throws {
        let parent = Coroutine<Int> { first in first * 10 }
        let child = Coroutine<Int> { first in first + 1 }
        try child.setParent(parent)
        #expect(try child.switch(41) == 420)
        #expect(parent.isFinished && child.isFinished)
    }

    @Test func `scenario 5: an error goes to the parent, not to who resumed`() throws {
        let log = Journal<String>()
        var child: Coroutine<Int>!
        var other: Coroutine<Int>!
        let parent = Coroutine<Int>(name: "parent") { _ in
            child = Coroutine { _ in throw Failure(number: 5) }
            do {
                _ = try Coroutine.switchToParent(1)
            } catch let error as Failure {
                log.note("parent got \(error.number)")
            }
            return 2
        }
        other = Coroutine(name: "other") { _ in
            _ = try child.switch(0)
            log.note("never")
            return 3
        }
        #expect(try parent.switch(0) == 1)
        #expect(try other.switch(0) == 2)
        #expect(log.all == ["parent got 5"])
        #expect(other.state == .suspended)
        try other.close()
    }

    @Test func `scenario 16: errno and what is being handled are each body's own`() throws {
        var caught: [Int] = []
        let coroutines = (1...3).map { number in
            Coroutine<Void>(name: "\(number)") {
                do {
                    errno = 0
                    throw Failure(number: number)
                } catch let error as Failure {
                    errno = Int32(number)
                    try Coroutine.switchToParent()
                    #expect(errno == Int32(number))
                    caught.append(error.number)
                }
            }
        }
        errno = 99
        for coroutine in coroutines {
            try coroutine.switch()
            #expect(errno == 99)
        }
        for coroutine in coroutines.reversed() { try coroutine.switch() }
        #expect(caught == [3, 2, 1])
        #expect(errno == 99)
    }

    // MARK: Families

    @Test func `to a coroutine of another type the code that resumes it is outside`() throws {
        var words: Coroutine<String>!
        let numbers = Coroutine<Int>(name: "numbers") { first in
            #expect(Coroutine<String>.current == nil)
            #expect(AnyCoroutine.innermost === Coroutine<Int>.current)
            // The code outside is the body of `words`.
            let next = try Coroutine.switchOutside(first + 1)
            #expect(throws: CoroutineError.notSuspended(coroutine: "coroutine 'words'")) {
                try words.switch("no")
            }
            #expect(words.state == .waiting)
            // A third one of the first family nests once more.
            let inner = Coroutine<String>(name: "inner") { first in first + "!" }
            #expect(inner.parent == nil)
            #expect(try inner.switch("inner") == "inner!")
            return next * 2
        }
        words = Coroutine(name: "words") { first in
            let number = try numbers.switch(1)
            let word = try Coroutine.switchToParent("\(first) \(number)")
            #expect(Coroutine<String>.current === words)
            return "\(word) \(try numbers.switch(21))"
        }
        #expect(try words.switch("one") == "one 2")
        #expect(try words.switch("two") == "two 42")
        #expect(words.isFinished && numbers.isFinished)
    }

    // Control that comes back to a coroutine which waits for another family would leave that one in the middle.
    @Test func `a parent that waits is passed over by a child's end, and takes no switch for one that has ended`()
        throws
    {
        let log = Journal<String>()
        let top = Coroutine<Int>(name: "top") { _ in
            let parent = Coroutine<Int>(name: "parent") { _ in
                let child = Coroutine<Int>(name: "child") { first in
                    let parent = Coroutine<Int>.current?.parent
                    #expect(parent?.state == .waiting)
                    #expect(throws: CoroutineError.notSuspended(coroutine: "coroutine 'parent'")) {
                        try Coroutine.switchToParent(first)
                    }
                    return first
                }
                let stranger = Coroutine<String>(name: "stranger") { _ in
                    // `top` gets the child's value, and what `top` returns comes here, to the code outside.
                    log.note("from top \(try child.switch(1))")
                    #expect(child.isFinished)
                    let refusal = CoroutineError.notSuspended(coroutine: "coroutine 'parent'")
                    #expect(throws: refusal) { try child.switch(2) }
                    #expect(throws: refusal) { try child.throw(Failure()) }
                    // Nobody is left who could take this one but the code outside.
                    let second = Coroutine<Int>(name: "second") { first in first }
                    try second.setParent(child)
                    log.note("second \(try second.switch(3))")
                    return "done"
                }
                log.note(try stranger.switch(""))
                return 4
            }
            log.note("from child \(try parent.switch(0))")
            return 5
        }
        #expect(try top.switch(0) == 4)
        #expect(log.all == ["from child 1", "from top 5", "second 3", "done"])
        #expect(top.isFinished)
    }

    @Test func `values with owners are neither lost nor kept`() throws {
        final class Token {}
        weak var sent: Token?
        weak var answered: Token?
        func makeAnswer() -> Token {
            let token = Token()
            answered = token
            return token
        }
        let coroutine = Coroutine<Token?> { _ in
            while try Coroutine<Token?>.switchToParent(makeAnswer()) != nil {}
            return nil
        }
        _ = try coroutine.switch(nil)
        for _ in 1...3 {
            func send() throws -> Bool {
                let token = Token()
                sent = token
                let answer = try coroutine.switch(token)
                return answer === answered && answer != nil
            }
            #expect(try send())
            #expect(sent == nil && answered == nil)
        }
        _ = try coroutine.switch(nil)
        #expect(coroutine.isFinished)
    }

    @Test func `a value outlives the sender that nobody refers to any more`() throws {
        let log = Journal<String>()
        var starter: Coroutine<String>?
        var sender: Coroutine<String>?
        starter = Coroutine { _ in try sender!.switch("") }
        sender = Coroutine { _ in
            defer { log.note("unwound") }
            sender = nil
            // Unwinds the frame that holds the last reference to this coroutine.
            try starter!.close()
            var text = "made in a frame that is unwound, "
            text += "longer than a word"
            return try Coroutine.switchOutside(text)
        }
        #expect(
            try starter!.switch("") == "made in a frame that is unwound, longer than a word")
        #expect(log.all == ["unwound"])
    }

    @Test func `switching to itself returns the value, throwing into itself the error`() throws {
        let coroutine = Coroutine<Int> { first in
            let current = try #require(Coroutine<Int>.current)
            #expect(throws: Failure(number: 1)) { try current.throw(Failure(number: 1)) }
            return try current.switch(first + 1)
        }
        #expect(try coroutine.switch(1) == 2)
    }

    @Test func `closures that begin with a name or a type choose the form`() throws {
        let plain = Coroutine {}
        #expect(type(of: plain) == Coroutine<Void>.self)
        let typed = Coroutine { (first: Int) in first }
        #expect(type(of: typed) == Coroutine<Int>.self)
        #expect(Coroutine.current == nil && Coroutine<Int>.current == nil)
    }
}
