import RingletTesting
import Testing

@testable import Ringlet

/// What the article "Testing" shows.
@Suite struct ArticleExamples {
    /// Tries again after each refusal, with ever longer pauses.
    private func retrying(_ attempt: @escaping @Sendable () -> Bool) throws -> Duration {
        for pause in [1, 10, 60, 3600] {
            if attempt() { break }
            try Fiber.sleep(for: .seconds(pause))
        }
        return Simulation.now
    }

    @Test
    func `a long wait`() throws {
        let took = try Simulation.run {
            let attempts = Counter()
            return try retrying { attempts.add() == 4 }
        }
        #expect(took == .seconds(71))
    }

    @Test
    func `every order`() throws {
        try forEachSeed(1...100) { seed in
            let order = Journal<String>()
            let writer = Fiber { order.note("writer") }
            let reader = Fiber { order.note("reader") }
            try writer.join()
            try reader.join()
            #expect(Set(order.all) == ["reader", "writer"])
        }
    }

    @Test
    func `tasks`() async throws {
        try await forEachSeed { seed in
            let task = Task(executorPreference: Simulation.executor) {
                try await Task.sleep(for: .seconds(60))
                return Simulation.now
            }
            let woken = try await task.value
            #expect(woken == .seconds(60))
        }
    }

    @Test
    func `a deadlock`() throws {
        let error = #expect(throws: DeadlockError.self) {
            try Simulation.run {
                let idle = Fiber(name: "idle") { try Fiber.sleep(until: .never) }
                try idle.join()
            }
        }
        #expect(error?.snapshot.fibers.map(\.name) == ["main", "idle"])
    }

    @Test
    func `a connection`() throws {
        try forEachSeed { seed in
            let (client, server) = Simulation.connectedPair()
            let echo = Fiber {
                var buffer = Buffer(capacity: 1024)
                while try server.read(into: &buffer) > 0 { try server.write(buffer) }
                try server.close()
            }
            try client.write(Buffer(copying: [1, 2, 3]))
            try client.finishWriting()
            try echo.join()
        }
    }

    @Test
    func `somebody else`() async throws {
        let answer = try await Simulation.run {
            await Simulation.outside { await Task.detached { 42 }.value }
        }
        #expect(answer == 42)
    }
}
