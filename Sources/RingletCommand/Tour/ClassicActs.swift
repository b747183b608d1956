import Ringlet

/// The four programs that every coroutine library is introduced with.
struct ClassicActs {
    let stage: Stage

    func play() throws {
        try timedPrintsInFibers()
        try timedPrintsInTasks()
    }

    private func timedPrintsInFibers() throws {
        stage.act("Two fibers that each print, wait two seconds and print again")
        let stage = stage
        let elapsed = try stage.timed {
            try Scheduler.run {
                let fibers = ["one", "two"].map { (name: String) in
                    Fiber(name: name) {
                        stage.say("fiber \(name): hello")
                        try Fiber.sleep(for: .seconds(2))
                        stage.say("fiber \(name): good-bye")
                    }
                }
                for fiber in fibers { try fiber.join() }
            }
        }
        stage.note("together \(seconds(elapsed)), not four")
    }

    private func timedPrintsInTasks() throws {
        stage.act("The same with async and await")
        let stage = stage
        let elapsed = try stage.timed {
            try Scheduler.run { () async throws in
                @Sendable func greet(_ name: String) async throws {
                    stage.say("task \(name): hello")
                    try await Task.sleep(for: .seconds(2))
                    stage.say("task \(name): good-bye")
                }
                async let one: Void = greet("one")
                async let two: Void = greet("two")
                _ = try await (one, two)
            }
        }
        stage.note("together \(seconds(elapsed)) again")
    }
}
