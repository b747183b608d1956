import Ringlet

func showInspection() throws {
    let coroutine = Coroutine(name: "deep") {
        try deeper(3)
    }
    try coroutine.switch()
    let calls = coroutine.backtrace ?? []  // innermost first
    let bytes = coroutine.stack?.inUse ?? 0  // while it is suspended
    let figures = CoroutineCounters.current  // live, suspended, waitingForOwner, leaked

    expect(calls.count { $0.function?.contains("deeper") == true } == 4, "calls have names")
    expect(bytes > 0 && figures.live == 1 && figures.leaked == 0, "stacks are accounted for")
    try coroutine.close()
}

private func deeper(_ depth: Int) throws {
    if depth == 0 { try Coroutine.switchToParent() } else { try deeper(depth - 1) }
    withExtendedLifetime(depth) {}
}
