import Ringlet
import Testing

// Scenarios 19 to 25 of generators in other languages: what their own test suites pin down. Scenario 24 is
// about asynchronous ones, in AsyncGeneratorTests.swift.

private struct Oops: Error, Equatable {
    var number = 0
}

private func permutations(
    of items: [Int], from start: Int = 0, _ yield: Yielder<[Int], Void>
) throws {
    if start == items.count { return try yield(items) }
    for index in start..<items.count {
        var items = items
        items.insert(items.remove(at: index), at: start)
        try permutations(of: items, from: start + 1, yield)
    }
}

/// The same, with a generator for each level.
private func delegatedPermutations(of items: [Int], from start: Int = 0) -> Generator<
    [Int], Void, Void
> {
    Generator { yield in
        if start == items.count { return try yield(items) }
        for index in start..<items.count {
            var items = items
            items.insert(items.remove(at: index), at: start)
            try yield.from(delegatedPermutations(of: items, from: start + 1))
        }
    }
}

private func queens(_ columns: [Int], of size: Int, _ yield: Yielder<[Int], Void>) throws {
    if columns.count == size { return try yield(columns) }
    for column in 0..<size {
        let isFree = columns.enumerated().allSatisfy {
            $1 != column && abs($1 - column) != columns.count - $0
        }
        if isFree { try queens(columns + [column], of: size, yield) }
    }
}

@Suite struct GeneratorScenarioTests {
    @Test
    func `scenario 19: a producer that is exhausted by delegation yields, and returns a value`()
        throws
    {
        let producer = Generator(of: Int.self) { yield in
            try yield(1)
            try yield(2)
            return "three"
        }
        let outer = Generator(of: Int.self) { yield in try yield.from(producer) }
        #expect(Array(outer) == [1, 2])
        #expect(try outer.result == "three")
        #expect(try outer.next() == nil)
        #expect(try producer.next() == nil)
    }

    @Test
    func `scenario 20: a value for a producer that has not begun is refused, and it is usable`()
        throws
    {
        let producer = Generator(of: Int.self, receiving: Int?.self) { yield in
            while true { try yield(try yield(0) ?? -1) }
        }
        #expect(throws: GeneratorError.notStarted) { try producer.send(5) }
        #expect(try producer.next() == 0)
        #expect(try producer.send(5) == 5)
    }

    @Test func `scenario 21: closing producers that are unstarted, suspended and stubborn`() throws
    {
        var isCleanedUp = false
        func make(_ atExit: @escaping (Yielder<Int, Void>) throws -> String) -> Generator<
            Int, Void, String
        > {
            Generator { yield in
                do {
                    while true { try yield(1) }
                } catch is GeneratorExit {
                    isCleanedUp = true
                    return try atExit(yield)
                }
            }
        }
        let unstarted = make { _ in "never" }
        #expect(try unstarted.close() == nil)
        #expect(!isCleanedUp)

        let suspended = make { _ in "returned" }
        _ = try suspended.next()
        #expect(try suspended.close() == "returned")
        #expect(isCleanedUp)

        let stubborn = make {
            try $0(2); return ""
        }
        _ = try stubborn.next()
        #expect(throws: GeneratorError.ignoredExit) { try stubborn.close() }
    }

    @Test
    func `scenario 22: an error thrown into a delegating producer is for the inner one first`()
        throws
    {
        let inner = Generator(of: String.self) { yield in
            do { try yield("inner") } catch let oops as Oops { try yield("handled \(oops.number)") }
        }
        let outer = Generator(of: String.self) { yield in
            try yield.from(inner)
            try yield("outer continues")
        }
        #expect(try outer.next() == "inner")
        #expect(try outer.throw(Oops(number: 4)) == "handled 4")
        #expect(try outer.next() == "outer continues")
        #expect(try outer.next() == nil)
    }

    @Test func `scenario 23: a running producer refuses to be advanced, and goes on`() throws {
        var producer: Generator<Int, Void, Void>?
        var refused: [GeneratorError] = []
        producer = Generator { yield in
            for call in [
                { _ = try producer?.next() }, { try producer?.close() },
                { _ = try producer?.throw(Oops()) },
            ] {
                do { try call() } catch let error as GeneratorError { refused.append(error) }
            }
            try yield(1)
            try yield(2)
        }
        #expect(try producer?.next() == 1)
        #expect(refused == [.alreadyRunning, .alreadyRunning, .alreadyRunning])
        #expect(try producer?.next() == 2)
        producer = nil
    }

    @Test func `scenario 25: permutations from a recursive function, and two that are zipped`()
        throws
    {
        func make() -> Generator<[Int], Void, Void> {
            Generator { try permutations(of: [1, 2, 3, 4], $0) }
        }
        let all = Array(make())
        #expect(all.count == 24 && Set(all).count == 24)
        #expect(all == all.sorted { $0.lexicographicallyPrecedes($1) })
        #expect(Array(delegatedPermutations(of: [1, 2, 3, 4])) == all)

        let pairs = Array(zip(make(), delegatedPermutations(of: [1, 2, 3, 4])))
        #expect(pairs.map(\.0) == all && pairs.map(\.1) == all)
    }

    @Test func `eight queens, from a recursive function`() {
        let solutions = Array(Generator(of: [Int].self) { try queens([], of: 8, $0) })
        #expect(solutions.count == 92)
        #expect(solutions.first == [0, 4, 7, 5, 2, 6, 1, 3])
    }

    @Test func `a tree is walked by delegation, a hundred levels deep`() throws {
        indirect enum Tree {
            case empty
            case node(Tree, Int, Tree)

            func walk() -> Generator<Int, Void, Void> {
                Generator(stackSize: 32 * 1024) { yield in
                    guard case .node(let left, let value, let right) = self else { return }
                    try yield.from(left.walk())
                    try yield(value)
                    try yield.from(right.walk())
                }
            }
        }
        var tree = Tree.empty
        for value in 1...100 { tree = .node(tree, value, .empty) }
        for value in (-99...0).reversed() { tree = .node(.empty, value, tree) }
        #expect(Array(tree.walk()) == Array(-99...100))
    }
}
