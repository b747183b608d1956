import Ringlet

func showSpawning() throws {
    let notes = Notes()
    try Scheduler.run {
        let fiber = Fiber(name: "fetch") { try fetch(2) }
        let later = Fiber(at: .after(.milliseconds(1))) { try fetch(1) }
        let values = try [fiber.join(), later.join(deadline: .after(.seconds(60)))]
        expect(values == [2, 1], "get returns the value")

        expect(fiber.isFinished && fiber.outcome?.isSuccess == true, "ready and successful")
        expect(try fiber.outcome?.get() == 2, "the outcome stays")
        let failing = Fiber { throw Refused() }
        try failing.wait()  // join: never throws what the body threw
        if let error = failing.outcome?.error { notes.add("\(error)") }

        let doubled = try withChild({ try fetch(1) }) { child in
            2 * (try child.join())
        }
        expect(doubled == 2, "with spawn")
        expect(AnyFiber.current?.name == "main", "getcurrent")
        expect(fiber.id < later.id, "ids")
    }
    expect(notes.all == ["Refused()"], "an outcome says how it was")
    try showOrder()
}

private func showOrder() throws {
    let notes = Notes()
    try Scheduler.run {
        let fibers = ["1", "2"].map { name in
            Fiber {
                notes.add(name + "A")
                try Fiber.yield()
                notes.add(name + "B")
            }
        }
        for fiber in fibers { try fiber.join() }
    }
    expect(notes.all == ["1A", "2A", "1B", "2B"], "gevent.sleep(0)")
}
