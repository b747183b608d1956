internal import CSubjects
internal import Measure
internal import Ringlet

/// An element of a generator, alone and through delegations, beside CPython's.
func measureGenerators(_ plan: Plan) throws {
    let count = 500_000
    var table = Comparison("Generator, one element", plan)
    table.add("context alone, both ways") {
        try sample(count: UInt64(count), subject_switch_from_any_base)
    }
    table.add("Generator", goal: .atMost(30), allocations: 0) { try takeElements(count, depth: 1) }
    table.add("through 10 delegations", goal: .atMost(35), allocations: 0) {
        try takeElements(count, depth: 10)
    }
    table.add("through 1000 delegations", allocations: 0) { try takeElements(count, depth: 1000) }
    table.add("and a value sent") { try sendValues(count) }
    table.add("tree by delegation, 20,000 nodes") { try walkTree(20_000) }
    table.add("life of an empty one") { try generatorLives(100_000) }
    table.add("life, dropped half-way") { try droppedLives(100_000) }
    table.add("AsyncGenerator, on a worker") {
        try Scheduler.run { try await takeAsync(50_000) }
    }
    table.add("AsyncGenerator, by a fiber") {
        try Scheduler.run { try takeInFiber(50_000) }
    }
    try table.run()

    guard let version = Python.version else {
        print("\nGenerators of CPython: skipped, since python3 does not run here")
        return
    }
    for (name, kind, argument, goal, own) in [
        ("alone", "depth", 1, .ratio(1), { try takeElements(count, depth: 1) }),
        ("depth 10", "depth", 10, .ratio(1), { try takeElements(count, depth: 10) }),
        // Makes two generators for each element, each of which takes a stack.
        ("tree of 20,000 nodes", "tree", 20_000, .none, { try walkTree(20_000) }),
    ] as [(String, String, Int, Comparison.Goal, () throws -> Sample)] {
        table = Comparison("One element, \(name), beside \(version)", plan)
        table.add(version) { try Python.sample(kind, argument) }
        table.add("Generator", goal: goal, sample: own)
        try table.run()
    }
}

private enum Python {
    private static let script = Program.path("generators.py")

    /// "Python 3.11.2"; nil where there is none.
    static let version = try? Program.run(["python3", "--version"])

    static func sample(_ kind: String, _ argument: Int) throws -> Sample {
        try Program.sample(["python3", script, kind, "\(argument)"])
    }
}

private func numbers(depth: Int) -> Generator<Int, Void, Void> {
    Generator(stackSize: 32 * 1024) { yield in
        if depth > 1 { return try yield.from(numbers(depth: depth - 1)) }
        var number = 0
        while true {
            try yield(number)
            number &+= 1
        }
    }
}

private func takeElements(_ count: Int, depth: Int) throws -> Sample {
    let numbers = numbers(depth: depth)
    _ = try numbers.next()
    var sum = 0
    let watch = Stopwatch()
    for _ in 0..<count { sum &+= try numbers.next() ?? 0 }
    let sample = watch.sample(operations: count)
    precondition(sum == count * (count + 1) / 2, "the generator lost an element")
    try numbers.close()
    return sample
}

private func sendValues(_ count: Int) throws -> Sample {
    let echo = Generator(of: Int.self, receiving: Int.self) { yield in
        var last = 0
        while true { last = try yield(last) }
    }
    try echo.start()
    let watch = Stopwatch()
    for number in 0..<count { try echo.send(number) }
    let sample = watch.sample(operations: count)
    try echo.close()
    return sample
}

private func walk(_ low: Int, _ high: Int) -> Generator<Int, Void, Void> {
    Generator(stackSize: 32 * 1024) { yield in
        if low > high { return }
        let middle = (low + high) / 2
        try yield.from(walk(low, middle - 1))
        try yield(middle)
        try yield.from(walk(middle + 1, high))
    }
}

private func walkTree(_ count: Int) throws -> Sample {
    var sum = 0
    let watch = Stopwatch()
    for number in walk(1, count) { sum += number }
    let sample = watch.sample(operations: count)
    precondition(sum == count * (count + 1) / 2, "the tree lost a node")
    return sample
}

private func generatorLives(_ count: Int) throws -> Sample {
    let watch = Stopwatch()
    for _ in 0..<count {
        let empty = Generator(of: Int.self) { _ in }
        _ = try empty.next()
    }
    return watch.sample(operations: count)
}

private func droppedLives(_ count: Int) throws -> Sample {
    let watch = Stopwatch()
    for _ in 0..<count {
        let dropped = Generator(of: Int.self) { try $0(1) }
        _ = try dropped.next()
    }
    return watch.sample(operations: count)
}

private func asyncNumbers() -> AsyncGenerator<Int, Void, Void> {
    AsyncGenerator { yield in
        for number in 0... { try await yield(number) }
    }
}

private func takeAsync(_ count: Int) async throws -> Sample {
    let numbers = asyncNumbers()
    _ = try await numbers.next()
    let watch = Stopwatch()
    for _ in 0..<count { _ = try await numbers.next() }
    let sample = watch.sample(operations: count)
    try await numbers.close()
    return sample
}

private func takeInFiber(_ count: Int) throws -> Sample {
    let numbers = asyncNumbers()
    _ = try numbers.next()
    let watch = Stopwatch()
    for _ in 0..<count { _ = try numbers.next() }
    let sample = watch.sample(operations: count)
    try numbers.close()
    return sample
}

/// Many generators that are suspended at the same time, and a great many one after the other. Once per
/// process, since memory that was used before would hide what is measured.
func measureLiveGenerators(_ count: Int) throws {
    var live: [Generator<Int, Void, Void>] = []
    live.reserveCapacity(count)
    let before = try residentKibibytes()
    for number in 0..<count {
        let generator = Generator(of: Int.self) { yield in
            while true { try yield(number) }
        }
        _ = try generator.next()
        live.append(generator)
    }
    let bytes = (try residentKibibytes() - before) * 1024 / Double(count)
    print("\nGenerators, \(count) at once (once, in a fresh process)")
    print("  memory of one: \(text(bytes)) bytes, goal <= 6000: \(verdict([bytes], 6000))")
    live = []

    let cycles = 10_000_000
    for round in 0..<2 {
        let start = try residentKibibytes()
        _ = round == 0 ? try generatorLives(cycles) : try droppedLives(cycles)
        let growth = try residentKibibytes() - start
        let what = round == 0 ? "that end" : "that are dropped half-way"
        print(
            "  growth over \(cycles) \(what): \(text(growth)) KiB, goal <= 64: \(verdict([growth], 64))")
    }
    flush()
}
