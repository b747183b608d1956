import Glibc
import Ringlet
import RingletTesting
import Testing

private enum Locals {
    @TaskLocal static var value = 0
}

@Suite struct GeneratorContextTests {
    // MARK: Task-locals

    @Test(arguments: [false, true])
    func `interleaved bindings are each body's own`(inTask: Bool) async throws {
        func check() throws {
            func make(_ base: Int) -> Generator<Int, Void, Void> {
                Generator { yield in
                    for step in 1...3 {
                        try Locals.$value.withValue(base + step) {
                            try yield(Locals.value)
                            try yield(Locals.value)
                        }
                    }
                }
            }
            let (first, second) = (make(10), make(20))
            try Locals.$value.withValue(5) {
                for step in 1...3 {
                    for _ in 1...2 {
                        let one = try first.next()
                        #expect(one == 10 + step)
                        #expect(Locals.value == 5)
                        let two = try second.next()
                        #expect(two == 20 + step)
                    }
                }
                #expect(Locals.value == 5)
            }
            #expect(Locals.value == 0)
            try first.close()
        }
        if inTask { return try check() }
        var failure: (any Error)?
        onPlainThread { do { try check() } catch { failure = error } }
        #expect(failure == nil)
    }

    @Test func `the body is in no task, and the caller stays in its own`() async throws {
        let generator = Generator(of: Bool.self) { yield in
            try yield(unsafe withUnsafeCurrentTask { unsafe $0 != nil })
        }
        let before = unsafe withUnsafeCurrentTask { unsafe $0?.hashValue }
        #expect(try generator.next() == false)
        let after = unsafe withUnsafeCurrentTask { unsafe $0?.hashValue }
        #expect(before != nil && after == before)
    }

    // MARK: Fibers

    @Test func `while the body waits in one fiber it is running for all others`() async throws {
        try await Scheduler.run { () throws in
            let (client, server) = try connectedPair()
            nonisolated(unsafe) let bytes = Generator(of: Int.self) { yield in
                var buffer = Buffer(capacity: 8)
                try yield(0)
                try yield(server.read(into: &buffer))
            }
            _ = try unsafe bytes.next()
            let reader = Fiber { try unsafe bytes.next() }
            while unsafe !bytes.isRunning { try Fiber.yield() }
            #expect(throws: GeneratorError.alreadyRunning) { try unsafe bytes.next() }
            #expect(throws: GeneratorError.alreadyRunning) { try unsafe bytes.throw(Failure()) }
            #expect(throws: GeneratorError.alreadyRunning) { try unsafe bytes.close() }
            #expect(unsafe bytes.backtrace == nil)
            try client.write(Buffer(copying: [1, 2, 3]))
            #expect(try reader.join() == 3)
            #expect(try unsafe bytes.next() == nil)
            try client.close()
            try server.close()
        }
    }

    @Test func `a body in a fiber reads from a socket, and others run meanwhile`() async throws {
        let log = Journal<String>()
        try await Simulation.run { () throws in
            let (client, server) = Simulation.connectedPair()
            let lines = Generator(of: String.self) { yield in
                var buffer = Buffer(capacity: 64)
                var rest = ""
                while try server.read(into: &buffer) > 0 {
                    rest += String(decoding: [UInt8](buffer), as: UTF8.self)
                    buffer.removeAll()
                    while let end = rest.firstIndex(of: "\n") {
                        try yield(String(rest[..<end]))
                        rest.removeSubrange(...end)
                    }
                }
                try server.close()
            }
            let writer = Fiber {
                for part in ["o", "ne\ntw", "o\nthree\n"] {
                    log.note("writes")
                    try client.write(Buffer(copying: part.utf8))
                    try Fiber.sleep(for: .milliseconds(1))
                }
                try client.close()
            }
            for line in lines { log.note(line) }
            try writer.join()
            _ = try lines.result
        }
        #expect(log.all.first == "writes")
        #expect(log.all.filter { $0 != "writes" } == ["one", "two", "three"])
    }

    @Test func `a wait in the body suspends the whole fiber`() async throws {
        let order = try await Simulation.run { () throws -> [String] in
            let log = Journal<String>()
            let other = Fiber {
                for number in 1...3 {
                    log.note("other \(number)")
                    try Fiber.yield()
                }
            }
            let outer = Generator(of: Int.self) { out in
                let inner = Generator(of: Int.self) { yield in
                    try Fiber.sleep(for: .seconds(1))
                    try yield(1)
                    let two = try Fiber.await {
                        try await Task.sleep(for: .seconds(1))
                        return 2
                    }
                    try yield(two)
                }
                for number in inner { try out(number) }
            }
            for number in outer { log.note("\(number)") }
            _ = try other.join()
            return log.all
        }
        #expect(order == ["other 1", "other 2", "other 3", "1", "2"])
    }

    @Test func `cancelling the fiber ends the wait in the body`() async throws {
        let wasCancelled = try await Simulation.run { () throws -> Bool in
            let fiber = Fiber {
                let generator = Generator(of: Int.self) { yield in
                    try Fiber.sleep(for: .seconds(60))
                    try yield(1)
                }
                do {
                    _ = try generator.next()
                    return false
                } catch is CancellationError {
                    return true
                }
            }
            try Fiber.yield()
            fiber.cancel()
            return try fiber.join()
        }
        #expect(wasCancelled)
    }

    @Test func `a generator outlives the scheduler that ran inside its body`() throws {
        let generator = Generator(of: Int.self) { yield in
            try yield(Scheduler.run { 1 })
            try yield(Scheduler.run { 2 })
        }
        #expect(Array(generator) == [1, 2])
    }
}
