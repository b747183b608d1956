internal import CReference
internal import CSubjects
internal import Measure
internal import Ringlet

/// One-way switches.
func measureSwitch(_ plan: Plan) throws {
    let count: UInt64 = 2_000_000
    var table = Comparison("One-way switch", plan)
    table.add("bare: six registers, pop, jmp") {
        try sample(count: count, each: 2) { Int64(reference_bare_switch($0)) }
    }
    table.add("library: stacks alone", goal: .ratio(1.3)) {
        try sample(count: count, each: 2, subject_switch_bare)
    }
    // What else is kept per thread and must not leak from one flow of control into another.
    table.add("with errno and C++ exceptions", goal: .ratio(1.3)) {
        try sample(count: count, each: 2, subject_switch_plain)
    }
    table.add("and exclusivity, clean base", goal: .atMost(10)) {
        try sample(count: count, each: 2, subject_switch_from_clean_base)
    }
    table.add("and exclusivity, any base", goal: .atMost(10)) {
        try sample(count: count, each: 2, subject_switch_from_any_base)
    }
    try table.run()

    // The public type, which swaps the task-local head and the current task, too. Generators have a table of
    // their own.
    table = Comparison("Coroutine", plan)
    table.add("context alone, both ways") { try sample(count: count, subject_switch_from_any_base) }
    table.add("Coroutine.switch, both ways") { try switchCoroutine(Int(count / 4)) }
    // Beside greenlet: greenlet_switch.py.
    table.add("Coroutine<Int>.switch, both ways") { try exchangeNumbers(Int(count / 4)) }
    table.add("Coroutine to coroutine, both ways") { try switchBetween(Int(count / 4)) }
    table.add("Coroutine, life of an empty one") { try coroutineLives(100_000) }
    table.add("Coroutine, dropped half-way") { try droppedHalfWay(100_000) }
    try table.run()
}

private func switchCoroutine(_ count: Int) throws -> Sample {
    let coroutine = Coroutine {
        while true { try Coroutine.switchToParent() }
    }
    try coroutine.switch()
    let watch = Stopwatch()
    for _ in 0..<count { try coroutine.switch() }
    let sample = watch.sample(operations: count)
    try coroutine.close()
    return sample
}

private func exchangeNumbers(_ count: Int) throws -> Sample {
    let coroutine = Coroutine<Int> { first in
        var number = first
        while true { number = try Coroutine.switchToParent(number &+ 1) }
    }
    var number = 0
    let watch = Stopwatch()
    for _ in 0..<count { number = try coroutine.switch(number) }
    let sample = watch.sample(operations: count)
    precondition(number == count, "a number was lost")
    try coroutine.close()
    return sample
}

private func switchBetween(_ count: Int) throws -> Sample {
    var second: Coroutine<Int>!
    let first = Coroutine<Int> { limit in
        var number = 0
        while number < limit { number = try second.switch(number) }
        return number
    }
    second = Coroutine<Int> { number in
        var number = number
        while true { number = try first.switch(number &+ 1) }
    }
    let watch = Stopwatch()
    let last = try first.switch(count)
    let sample = watch.sample(operations: count)
    precondition(last == count, "a number was lost")
    try second.close()
    return sample
}

private func coroutineLives(_ count: Int) throws -> Sample {
    let watch = Stopwatch()
    for _ in 0..<count {
        let empty = Coroutine {}
        try empty.switch()
    }
    return watch.sample(operations: count)
}

private func droppedHalfWay(_ count: Int) throws -> Sample {
    let watch = Stopwatch()
    for _ in 0..<count {
        let coroutine = Coroutine { try Coroutine.switchToParent() }
        try coroutine.switch()
    }
    return watch.sample(operations: count)
}
