import Ringlet
import Testing

/// Generators in coroutines, and coroutines in generators.
@Suite(.timeLimit(.patient)) struct MixedContextTests {
    /// Shows an object to other threads, for which it is not meant.
    private final class Box<Content>: @unchecked Sendable {
        var content: Content?
        init(_ content: Content) { self.content = content }
    }

    @Test func `the body of a generator switches coroutines between its elements`() throws {
        let doubler = Coroutine<Int> { first in
            var number = first
            while true { number = try Coroutine.switchToParent(number * 2) }
        }
        let generator = Generator(of: Int.self) { yield in
            for number in 1...4 { try yield(try doubler.switch(number)) }
        }
        #expect(Array(generator) == [2, 4, 6, 8])
        // It can be switched to from elsewhere, too.
        #expect(try doubler.switch(50) == 100)
    }

    @Test func `a coroutine drives a chain of generators, and leaves it half-way`() throws {
        let log = Journal<String>()
        func numbers() -> Generator<Int, Void, Void> {
            Generator(of: Int.self) { yield in
                defer { log.note("inner") }
                for number in 0... { try yield(number) }
            }
        }
        do {
            let coroutine = Coroutine<Int> { _ in
                let outer = Generator(of: Int.self) { yield in
                    defer { log.note("outer") }
                    try yield.from(numbers())
                }
                var sum = 0
                while true {
                    sum += try outer.next() ?? 0
                    _ = try Coroutine.switchToParent(sum)
                }
            }
            #expect(try [0, 0, 0, 0].map { try coroutine.switch($0) } == [0, 1, 3, 6])
        }
        // The drop of the coroutine drops the generators in its frames.
        #expect(log.all == ["inner", "outer"])
    }

    @Test func `an error thrown into a chain reaches the coroutine that its innermost body runs`() throws {
        let coroutine = Coroutine<Int> { first in
            do {
                return try Coroutine.switchToParent(first + 1)
            } catch is Failure {
                return -1
            }
        }
        let inner = Generator(of: Int.self) { yield in
            do {
                try yield(try coroutine.switch(1))
            } catch let error as Failure {
                try yield(try coroutine.throw(error))
            }
        }
        let outer = Generator(of: Int.self) { yield in try yield.from(inner) }
        #expect(try outer.next() == 2)
        #expect(try outer.throw(Failure()) == -1)
        #expect(coroutine.isFinished)
        #expect(try outer.next() == nil)
    }

    /// A family inside another, inside a generator: control comes back level by level.
    @Test func `families nest through generators`() throws {
        let words = Coroutine<String> { first in
            let numbers = Coroutine<Int> { number in
                // Of another family: not reached from here.
                #expect(Coroutine<String>.current == nil)
                return try Coroutine.switchToParent(number + 1)
            }
            let generator = Generator(of: Int.self) { yield in
                try yield(try numbers.switch(first.count))
                try yield(try numbers.switch(10))
            }
            let texts = generator.map(String.init)
            return texts.joined(separator: " ")
        }
        #expect(try words.switch("four") == "5 10")
        #expect(words.isFinished)
    }

    @Test func `a generator that holds a coroutine is unwound by its own thread`() throws {
        let log = Journal<String>()
        let owner = pthreadNumber()
        func held() -> Box<Generator<Int, Void, Void>> {
            let generator = Generator(of: Int.self) { yield in
                let coroutine = Coroutine<Int> { first in
                    defer { log.note(pthreadNumber() == owner ? "coroutine" : "coroutine elsewhere") }
                    return try Coroutine.switchToParent(first)
                }
                defer { log.note(pthreadNumber() == owner ? "generator" : "generator elsewhere") }
                try yield(try coroutine.switch(1))
                withExtendedLifetime(coroutine) {}
            }
            #expect((try? generator.next()) == 1)
            return Box(generator)
        }
        let box = held()
        onPlainThread { box.content = nil }
        #expect(log.all == [])
        // The owner's next use of either kind.
        _ = try Generator(of: Int.self) { _ in }.next()
        #expect(log.all.sorted() == ["coroutine", "generator"])
    }
}
