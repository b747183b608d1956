import Ringlet
import Testing

@Suite struct CoroutineBacktraceTests {
    @Test func `scenario 2: six plain frames, suspended at the bottom, and seen only then`() throws
    {
        let coroutine = Coroutine<Int>(name: "deep") { first in
            #expect(Coroutine<Int>.current?.backtrace == nil)
            return try multiply(first)
        }
        #expect(coroutine.backtrace == nil)
        #expect(try coroutine.switch(5) == 0)
        let backtrace = try #require(coroutine.backtrace)
        #expect(calls(of: "multiply", in: backtrace) == 6, "\(text(backtrace))")
        // The image of a test is its executable or its bundle.
        #expect(backtrace.allSatisfy { $0.image != nil })
        #expect(try coroutine.switch(10) == 1200)
        #expect(coroutine.backtrace == nil)
    }

    @Test func `names are demangled`() throws {
        let coroutine = Coroutine<Int> { try multiply($0) }
        try coroutine.switch(0)
        let backtrace = try #require(coroutine.backtrace)
        let functions = backtrace.compactMap(\.function)
        #expect(functions.allSatisfy { !$0.contains("$s") }, "\(text(backtrace))")
        let name = try #require(functions.first { $0.contains("multiply") })
        #expect(name.hasPrefix("RingletTests.(multiply in "))
        #expect(name.hasSuffix(")(Swift.Int) throws -> Swift.Int"))
        let frame = try #require(backtrace.first { $0.function == name })
        #expect(frame.description.hasPrefix("\(name) + \(frame.offset) in "))
    }

    @Test func `one that waits for another family has none, and nobody has one elsewhere`() throws {
        var waiting: Coroutine<Int>?
        let other = Coroutine<String> { _ in
            #expect(waiting?.state == .waiting && waiting?.backtrace == nil)
            return ""
        }
        waiting = Coroutine { first in
            _ = try other.switch("")
            return try multiply(first)
        }
        try waiting?.switch(3)
        nonisolated(unsafe) let suspended = waiting
        onPlainThread { #expect(unsafe suspended?.backtrace == nil) }
        #expect(try calls(of: "multiply", in: #require(unsafe suspended?.backtrace)) == 4)
        waiting = nil
    }

    @Test func `a stack that was used before shows nothing of its last use`() throws {
        do {
            let deep = Coroutine<Int>(stackSize: 192 * 1024) { try multiply($0) }
            try deep.switch(20)
            #expect(try calls(of: "multiply", in: #require(deep.backtrace)) == 21)
        }
        let shallow = Coroutine<Int>(stackSize: 192 * 1024) { try waitPlainly($0) }
        try shallow.switch(1)
        let backtrace = try #require(shallow.backtrace)
        #expect(calls(of: "multiply", in: backtrace) == 0)
        #expect(calls(of: "waitPlainly", in: backtrace) == 1, "\(text(backtrace))")
    }

    @Test func `one that switched inside a generator's body shows its own calls only`() throws {
        let coroutine = Coroutine<Int> { first in
            try advance(Generator { yield in try yield(waitPlainly(first)) })
        }
        #expect(try coroutine.switch(1) == 1)
        let backtrace = try #require(coroutine.backtrace)
        #expect(calls(of: "advance", in: backtrace) == 1, "\(text(backtrace))")
        #expect(calls(of: "waitPlainly", in: backtrace) == 0, "\(text(backtrace))")
        #expect(try coroutine.switch(5) == 7)
    }

    // MARK: Generators

    @Test func `a generator shows the calls down to its yield, only while it is suspended`() throws {
        var numbers: Generator<Int, Void, Void>?
        numbers = Generator { yield in
            #expect(numbers?.isRunning == true && numbers?.backtrace == nil)
            try descend(3, yield)
        }
        #expect(numbers?.backtrace == nil)
        #expect(try numbers?.next() == 3)
        let backtrace = try #require(numbers?.backtrace)
        #expect(calls(of: "descend", in: backtrace) == 4, "\(text(backtrace))")
        #expect(backtrace.compactMap(\.function).allSatisfy { !$0.contains("$s") })
        nonisolated(unsafe) let suspended = numbers
        onPlainThread { #expect(unsafe suspended?.backtrace == nil) }
        #expect(try numbers?.next() == nil)
        #expect(numbers?.backtrace == nil)
        numbers = nil
    }

    @Test func `a delegation shows the bodies of all levels, innermost first`() throws {
        var others: [Generator<Int, Void, Void>] = []
        let inner = Generator(of: Int.self) { yield in
            #expect(others.count == 2 && others.allSatisfy { $0.isRunning && $0.backtrace == nil })
            try descend(2, yield)
        }
        let middle = Generator(of: Int.self) { yield in try passOn(inner, yield) }
        let outer = Generator(of: Int.self) { yield in
            try yield(0)
            try hand(middle, yield)
        }
        others = [middle, outer]
        defer { others = [] }
        #expect(try outer.next() == 0)
        #expect(try order(in: #require(outer.backtrace)) == [])
        #expect(try outer.next() == 2)
        let descents = ["descend", "descend", "descend"]
        let backtrace = try #require(outer.backtrace)
        #expect(order(in: backtrace) == descents + ["passOn", "hand"], "\(text(backtrace))")
        // Of one that is delegated to, from there on.
        #expect(try order(in: #require(middle.backtrace)) == descents + ["passOn"])
        #expect(try order(in: #require(inner.backtrace)) == descents)
        #expect(try outer.next() == nil)
        #expect(outer.backtrace == nil && inner.backtrace == nil)
    }

    // MARK: What is looked for

    private func calls(of function: String, in backtrace: [CoroutineFrame]) -> Int {
        backtrace.count { $0.function?.contains("(\(function) in ") == true }
    }

    private func order(in backtrace: [CoroutineFrame]) -> [String] {
        backtrace.compactMap { frame in
            ["descend", "passOn", "hand"].first { frame.function?.contains("(\($0) in ") == true }
        }
    }

    private func text(_ backtrace: [CoroutineFrame]) -> String {
        backtrace.map(\.description).joined(separator: "\n")
    }
}

/// The number that is switched in at the bottom, times the factorial of `factor`.
private func multiply(_ factor: Int) throws -> Int {
    if factor == 0 { return try Coroutine.switchToParent(0) }
    return try multiply(factor - 1) * factor
}

private func waitPlainly(_ value: Int) throws -> Int {
    let result = try Coroutine.switchToParent(value)
    return result + 1
}

private func advance(_ generator: Generator<Int, Void, Void>) throws -> Int {
    let element = try generator.next() ?? 0
    return element + 1
}

private func descend(_ depth: Int, _ yield: Yielder<Int, Void>, from top: Int? = nil) throws {
    if depth == 0 { try yield(top ?? 0) } else { try descend(depth - 1, yield, from: top ?? depth) }
    withExtendedLifetime(top) {}
}

private func passOn(_ inner: Generator<Int, Void, Void>, _ yield: Yielder<Int, Void>) throws {
    try yield.from(inner)
    withExtendedLifetime(inner) {}
}

private func hand(_ middle: Generator<Int, Void, Void>, _ yield: Yielder<Int, Void>) throws {
    try yield.from(middle)
    withExtendedLifetime(middle) {}
}
