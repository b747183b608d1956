import Ringlet

func showWaiting() throws {
    try showGather()
    try showWait()
    try showShield()
    try showRace()
}

private func showGather() throws {
    try Scheduler.run {
        // Owns what it starts: when one fails, the others are cancelled, and all have ended.
        let values = try await gather({ try await fetch(2) }, { try await fetch(1) })
        expect(values == [2, 1], "in the order of the bodies")

        // asyncio's gather, by its right name.
        let fibers = [2, 1].map { number in
            Fiber {
                try Fiber.sleep(for: .milliseconds(number))
                return number
            }
        }
        let same = try await gatherLeavingOthersRunning(fibers)
        expect(same == [2, 1], "in the order of the fibers")

        // With return_exceptions.
        let failing = Fiber { () throws -> Int in throw Refused() }
        let outcomes = try await gatherOutcomes([fibers[0], failing])
        expect(outcomes[0].isSuccess && !outcomes[1].isSuccess, "outcomes, one for each")
    }
}

private func showWait() throws {
    try Scheduler.run {
        let quick = Fiber { 1 }
        let slow = Fiber { () throws -> Int in
            try Fiber.sleep(until: .never)
            return 2
        }
        let first = try await wait(for: [quick, slow], until: .firstCompleted)
        expect(first.done.first === quick && first.pending.first === slow, "two lists")
        // A deadline is no error, and cancels nothing.
        let later = try await wait(
            for: [quick, slow], until: .allCompleted, deadline: .after(.milliseconds(1)))

        // Of several types.
        let word = Promise<String>()
        try word.succeed("done")
        let ends = try await wait(for: [slow, word], until: .firstCompleted)
        expect(ends.done.first === word, "any awaitable")
        expect(later.pending.first === slow, "it goes on")

        var order: [Int] = []
        let one = Fiber { 1 }
        let three = Fiber { try one.join() + 2 }
        let fibers = [three, one]
        for try await fiber in asCompleted(fibers, deadline: .after(.seconds(60))) {
            order.append(try await fiber.join())
        }
        expect(order == [1, 3], "as they end")
        slow.cancel()
    }
}

private func showShield() throws {
    let notes = Notes()
    try Scheduler.run {
        // What only waits for a fiber or a promise does not own it.
        let inner = Fiber {
            try Fiber.sleep(for: .milliseconds(5))
            notes.add("the inner one ends")
        }
        let outer = Task { try await inner.join() }
        outer.cancel()
        _ = await outer.result
        try await inner.join()

        // And a part of a task or fiber that is not to be cut short:
        let cleaning = Task {
            defer { notes.add("ended") }
            do {
                try await waitForEver()
            } catch {
                try await withoutCancellation {
                    _ = try await fetch(1)
                    notes.add("cleaned up")
                }
            }
        }
        _ = try await fetch(1)
        cleaning.cancel()
        try await cleaning.value
    }
    expect(notes.all == ["the inner one ends", "cleaned up", "ended"], "shields")
}

private func showRace() throws {
    try Scheduler.run {
        let winner = try await race(
            staggeredBy: .seconds(60),
            { try await refuse() }, { try await fetch(2) }, { try await fetch(1) })
        expect(winner == 2, "the next begins when one has failed, and the first success wins")
    }
}
