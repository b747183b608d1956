import Ringlet

func showEnds() throws {
    try showKill()
    try showLinks()
    try showSeveral()
}

private func showKill() throws {
    let notes = Notes()
    try Scheduler.run {
        let unstarted = Fiber { notes.add("never") }
        unstarted.cancel()
        try unstarted.wait()
        expect(unstarted.outcome?.isCancelled == true, "its body never runs")

        let waiting = Fiber { try waitForEver() }
        try Fiber.yield()
        waiting.cancel(throwing: Refused())
        do { try waiting.join() } catch is Refused { notes.add("with an error of one's own") }

        let surviving = Fiber {
            do { try waitForEver() } catch { notes.add("it survives") }
            return 1
        }
        try Fiber.yield()
        surviving.interrupt()  // once; a cancelled fiber's every wait throws
        expect(try surviving.join() == 1, "and has a value")
    }
    expect(notes.all == ["with an error of one's own", "it survives"], "kill")
}

private func showLinks() throws {
    let notes = Notes()
    try Scheduler.run {
        let fiber = Fiber { try fetch(1) }
        fiber.onEnd { _ in notes.add("link") }
        fiber.onEnd(.success) { fiber in notes.add("link_value \(fiber.name ?? "unnamed")") }
        fiber.onEnd(.failure) { _ in notes.add("link_exception") }
        let link = fiber.onEnd { _ in notes.add("never") }
        link.remove()
        _ = try fiber.join()
        fiber.onEnd { _ in notes.add("after the end") }
        try Scheduler.current?.waitUntilIdle(deadline: .after(.seconds(60)))
    }
    expect(notes.all == ["link", "link_value unnamed", "after the end"], "in order, once each")
}

private func showSeveral() throws {
    try Scheduler.run {
        let quick = Fiber { try fetch(1) }
        let slow = Fiber { try quick.join() + 29 }
        let fibers = [slow, quick]
        var order: [Int] = []
        let ends = asCompleted(fibers, deadline: .after(.seconds(60)))
        while let fiber = try ends.next() { order.append(try fiber.join()) }
        expect(order == [1, 30], "iwait")

        let first = try wait(for: fibers, until: .firstCompleted)
        expect(first.done.contains { $0 === quick }, "wait with a count of one")

        let all = try gatherLeavingOthersRunning(fibers)
        expect(all == [30, 1], "joinall with raise_error, and the values")
        for fiber in fibers { fiber.cancel() }
        _ = try wait(for: fibers)
    }
}
