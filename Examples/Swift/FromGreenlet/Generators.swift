import Ringlet

// The snippets of the article "From greenlet to Ringlet", section "Generators".

func average() -> Generator<Double, Double, Void> {
    Generator { yield in
        var (sum, count) = (0.0, 0.0)
        while true {
            sum += try yield(count == 0 ? 0 : sum / count)
            count += 1
        }
    }
}

final class Tree {
    let left: Tree?
    let value: Int
    let right: Tree?

    init(_ value: Int, left: Tree? = nil, right: Tree? = nil) {
        (self.left, self.value, self.right) = (left, value, right)
    }

    func walk() -> Generator<Int, Void, Int> {
        Generator { yield in
            let before = try self.left.map { try yield.from($0.walk()) } ?? 0
            try yield(self.value)
            let after = try self.right.map { try yield.from($0.walk()) } ?? 0
            return before + 1 + after
        }
    }
}

func permute(_ items: [Int], from start: Int = 0, _ yield: Yielder<[Int], Void>) throws {
    if start == items.count { return try yield(items) }
    for index in start..<items.count {
        var items = items
        items.insert(items.remove(at: index), at: start)
        try permute(items, from: start + 1, yield)
    }
}

func queens(_ size: Int, after columns: [Int] = [], _ yield: Yielder<[Int], Void>) throws {
    if columns.count == size { return try yield(columns) }
    for column in 0..<size {
        let isAttacked = columns.enumerated().contains { row, other in
            other == column || abs(other - column) == columns.count - row
        }
        if !isAttacked { try queens(size, after: columns + [column], yield) }
    }
}

struct Rewind: Error {}

func counter() -> Generator<Int, Void, String> {
    Generator { yield in
        var number = 0
        while true {
            do {
                try yield(number)
                number += 1
            } catch is Rewind {
                number = 0
            } catch is GeneratorExit {
                return "stopped at \(number)"
            }
        }
    }
}

func ticks() -> AsyncGenerator<Int, Void, Void> {
    AsyncGenerator { yield in
        defer { print("no more ticks") }
        for number in 0... {
            try await Scheduler.sleep(for: .milliseconds(1))
            try await yield(number)
        }
    }
}

func generatorExamples() throws {
    let average = average()
    try average.start()
    try average.send(10)
    print("average:", try average.send(20) ?? 0)

    let tree = Tree(3, left: Tree(1, right: Tree(2)), right: Tree(4)).walk()
    print("tree:", Array(tree), "of", try tree.result ?? 0)

    let permutations = Generator { try permute([1, 2, 3, 4], $0) }
    print("permutations:", Array(permutations).count)

    let solutions = Generator { try queens(8, $0) }
    print("eight queens:", solutions.first(where: { _ in true }) ?? [])

    let counter = counter()
    _ = (try counter.next(), try counter.next())
    print("counter:", try counter.throw(Rewind()) ?? -1, try counter.next() ?? -1)
    print("counter:", try counter.close() ?? "")

    try Scheduler.run {
        for try await number in ticks() where number == 3 {
            print("tick", number)
            break
        }
    }
}
