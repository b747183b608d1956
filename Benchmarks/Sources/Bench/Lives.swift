internal import Glibc
internal import Measure
internal import Ringlet

/// Makes, switches to and drops coroutines, every second one half-way, and looks at what the process has in
/// memory: what is lost each time shows after millions.
func measureLives(count: Int) throws {
    let goal = 1024.0
    try live(min(count, 100_000))
    let before = try residentKibibytes()
    try live(count)
    let growth = try residentKibibytes() - before
    let counters = CoroutineCounters.current
    guard counters.live == 0, counters.leaked == 0 else { throw LivesLost(counters: counters) }
    print(
        "\n\(count) coroutines made, switched to and dropped, every second one half-way: "
            + "\(text(growth)) KiB more in memory  <= \(text(goal)) KiB: "
            + (growth <= goal ? "met" : "MISSED"))
    flush()
}

private func live(_ count: Int) throws {
    for number in 0..<count {
        let coroutine = Coroutine<Int> { first in try Coroutine.switchToParent(first + 1) }
        let answer = try coroutine.switch(number)
        precondition(answer == number + 1, "a number was lost")
        if number % 2 == 0 { _ = try coroutine.switch(0) }
    }
}

/// Two fibers that yield to each other, and what the process has in memory afterwards.
func measureSuspensions(count: Int) throws {
    let goal = 256.0
    try Scheduler.run {
        try suspend(min(count, 100_000))
        let before = try residentKibibytes()
        try suspend(count)
        let growth = try residentKibibytes() - before
        print(
            "\n\(count) suspensions and resumes of fibers: \(text(growth)) KiB more in memory  <= \(text(goal)) KiB: "
                + (growth <= goal ? "met" : "MISSED"))
        flush()
    }
}

private func suspend(_ count: Int) throws {
    let fibers = (0..<2).map { _ in Fiber { for _ in 0..<count / 2 { try Fiber.yield() } } }
    for fiber in fibers { try fiber.join() }
}

private struct LivesLost: Error {
    let counters: CoroutineCounters
}
