import Ringlet

/// The four programs that every coroutine library is introduced with.
struct ClassicActs {
    let stage: Stage
    let workers: Int

    func play() throws {
        try handOver()
        try generate()
        try timedPrintsInFibers()
        try timedPrintsInTasks()
    }

    private func handOver() throws {
        stage.act("Two coroutines that hand control to each other")
        var ping: Coroutine<Void>?
        var pong: Coroutine<Void>?
        let stage = stage
        ping = Coroutine(name: "ping") {
            stage.say("ping 1")
            try pong?.switch()
            stage.say("ping 2")
            try pong?.switch()
        }
        pong = Coroutine(name: "pong") {
            stage.say("        pong 1")
            try ping?.switch()
            stage.say("        pong 2")
        }
        try ping?.switch()
        stage.note("each continued where it had stopped; no scheduler, no thread")
        // The two bodies refer to each other's variables.
        try ping?.close()
        (ping, pong) = (nil, nil)
    }

    private func generate() throws {
        stage.act("A generator that yields from any depth of recursion")
        let stage = stage
        func inOrder(_ low: Int, _ high: Int, _ yield: Yielder<Int, Void>) throws {
            guard low <= high else { return }
            let middle = (low + high) / 2
            try inOrder(low, middle - 1, yield)
            try yield(middle)
            try inOrder(middle + 1, high, yield)
        }
        let tree = Generator(of: Int.self) { yield in try inOrder(1, 15, yield) }
        stage.say(tree.map(String.init).joined(separator: " "))
        stage.note("a walk over a balanced tree, written as plain recursion")
    }

    private func timedPrintsInFibers() throws {
        stage.act("Two fibers that each print, wait two seconds and print again")
        let stage = stage
        let elapsed = try stage.timed {
            try Scheduler.run(SchedulerOptions(workers: workers)) {
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
            try Scheduler.run(SchedulerOptions(workers: workers)) { () async throws in
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
