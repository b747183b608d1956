import Testing

@testable import Ringlet

/// What steps of asynchronous generators may do, and where.
@Suite(.timeLimit(.patient)) struct AsyncGeneratorContextTests {
    @Test(arguments: [false, true])
    func `a task reads lines from a socket through a generator`(_ isOnWorker: Bool) async throws {
        try await withScheduler { scheduler in
            let task = Task(executorPreference: isOnWorker ? scheduler.taskExecutor : nil) {
                let (client, server) = try await connectedPair()
                let lines = AsyncGenerator(of: String.self) { yield in
                    var buffer = Buffer(capacity: 64)
                    var rest = ""
                    while try await server.read(into: &buffer) > 0 {
                        rest += String(decoding: [UInt8](buffer), as: UTF8.self)
                        buffer.removeAll()
                        while let end = rest.firstIndex(of: "\n") {
                            try await yield(String(rest[..<end]))
                            rest.removeSubrange(...end)
                        }
                    }
                    try await server.close()
                }
                let writing = Task {
                    for part in ["o", "ne\ntw", "o\nthree\n"] { try await client.write(Buffer(copying: part.utf8)) }
                    try await client.close()
                }
                var seen: [String] = []
                for try await line in lines { seen.append(line) }
                try await writing.value
                return seen
            }
            let seen = try await task.value
            #expect(seen == ["one", "two", "three"])
        }
    }

    @Test func `one that begins in a clean-up works while the scheduler shuts down`() async throws {
        let lines = Journal<String>()
        let held = try await Scheduler.run(SchedulerOptions(cleanUpLimit: .seconds(600))) {
            let numbers = AsyncGenerator(of: Int.self) { yield in
                do { try await yield(1) } catch {
                    let late = AsyncGenerator(of: Int.self) { yield in
                        defer { lines.note("late ended") }
                        for number in 1...3 {
                            try await waitByAnOperation()
                            try await yield(number)
                        }
                    }
                    // Whoever uses it waits for its end; the scheduler does not.
                    try await late.closing { late in
                        for try await number in late where number == 2 { break }
                    }
                    lines.note("clean-up ended")
                }
            }
            _ = try numbers.next()
            return numbers
        }
        #expect(lines.all == ["late ended", "clean-up ended"])
        #expect(held.isFinished)
    }
}
