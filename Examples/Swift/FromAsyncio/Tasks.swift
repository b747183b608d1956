import Ringlet

func showTasks() throws {
    try showPromise()
    try showBasics()
    try showCancellation()
    try showOwnership()
}

private func showPromise() throws {
    let notes = Notes()
    try Scheduler.run {
        let promise = Promise<Int>()
        promise.onEnd(.success) { _ in notes.add("first") }
        let second = promise.onEnd { _ in notes.add("never") }
        second.remove()
        promise.onEnd { _ in notes.add("third") }

        // From anywhere: a fiber, a task, a thread.
        let reader: Future<Int> = promise.future
        try promise.succeed(42)
        let value = try await reader.value()
        expect(value == 42, "a promise has one value")

        do {
            try promise.fail(Refused())
        } catch PromiseError.completedTwice {
            notes.add("refused")
        }
        expect(promise.completeIfOpen(.cancelled) == false, "a completed promise stays as it is")
        do {
            _ = try Promise<Int>().currentValue()
        } catch PromiseError.notCompleted {
            notes.add("too early")
        }
        try await Scheduler.current?.waitUntilIdle(deadline: .after(.seconds(60)))
    }
    expect(Set(notes.all) == ["first", "third", "refused", "too early"], "calls at the end, and refusals")
}

private func showBasics() throws {
    try Scheduler.run {
        let scheduler = Scheduler.current!
        let task = scheduler.spawn(name: "fetch") { try await fetch(2) }
        let fiber = Fiber(name: "fetch") {
            try Fiber.sleep(for: .milliseconds(1))
            return 3
        }
        let sum = try await task.join() + fiber.join()
        expect(sum == 5, "both are awaited")
        expect(fiber.outcome?.isSuccess == true, "an outcome stays readable")
        expect(fiber.description == "fiber \(fiber.id) 'fetch'", "ids and names")
    }
}

private func showCancellation() throws {
    let notes = Notes()
    try Scheduler.run {
        // A level: every further wait throws.
        let task = Task {
            do { try await waitForEver() } catch is CancellationError { notes.add("once") }
            do { try await waitForEver() } catch is CancellationError { notes.add("again") }
            return 1
        }
        _ = try await fetch(1)
        task.cancel()
        let value = try await task.value
        expect(value == 1, "who swallows it and returns has a value")

        // An edge, and a count, as asyncio's: of fibers.
        let fiber = Fiber {
            do { try Fiber.sleep(until: .never) } catch is CancellationError { notes.add("an edge") }
            try Fiber.sleep(for: .milliseconds(1))
            return AnyFiber.current!.withdrawInterrupt()
        }
        _ = try await fetch(1)
        fiber.interrupt()
        expect(fiber.interruptCount == 1, "a request is counted")
        let left = try await fiber.join()
        expect(left == 0, "and taken back")

        let refused = Fiber { try Fiber.sleep(until: .never) }
        _ = try await fetch(1)
        refused.cancel(throwing: Refused())
        do { try await refused.join() } catch is Refused { notes.add("with its own error") }
    }
    expect(notes.all == ["once", "again", "an edge", "with its own error"], "levels and edges")
}

private func showOwnership() throws {
    let notes = Notes()
    try Scheduler.run {
        // Nobody keeps the handles: they run to their ends all the same.
        Fiber { notes.add("fiber") }
        Task(executorPreference: Scheduler.current?.taskExecutor) { notes.add("task") }
        try await Scheduler.current?.waitUntilIdle(deadline: .after(.seconds(60)))

        expect(AnyFiber.current == nil, "a task is no fiber")
        let isHere = Fiber { AnyFiber.current?.name == "here" ? 1 : 0 }
        _ = try await isHere.join()
        Task.immediate { notes.add("before this returns") }
    }
    expect(notes.all.sorted() == ["before this returns", "fiber", "task"], "nothing is forgotten")
}
