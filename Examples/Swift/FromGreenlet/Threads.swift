import Ringlet

func showThreads() throws {
    let coroutine = Coroutine(name: "mine") { try Coroutine.switchToParent() }
    try coroutine.switch()
    let refusal = try refusalElsewhere(Smuggled(coroutine: coroutine))
    expect(refusal.owner != refusal.caller, "another thread gets an error")
    try coroutine.switch()
    expect(coroutine.isFinished, "and the owner goes on")
}

/// What the compiler would not let pass to another thread.
private struct Smuggled: @unchecked Sendable {
    let coroutine: Coroutine<Void>
}

/// Switches to a coroutine on a worker's thread of a scheduler.
private func refusalElsewhere(_ smuggled: Smuggled) throws -> (owner: Int32, caller: Int32) {
    let scheduler = try Scheduler()
    defer { scheduler.shutdown(deadline: .never) }
    let fiber = scheduler.spawn {
        let coroutine = smuggled.coroutine
        do {
            try coroutine.switch()
        } catch CoroutineError.wrongThread(_, let owner, let caller, _) {
            return (owner, caller)
        }
        fatalError("the switch was not refused")
    }
    return try fiber.join()
}
