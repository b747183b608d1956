import RingletTesting
import Testing

@testable import Ringlet

/// What fibers do in their clean-up while the scheduler ends: they may await, and what tasks wait for ends after them.
@Suite(.timeLimit(.patient)) struct CleanUpTests {
    @Test func `what a fiber awaits in a shielded clean-up goes on to its end`() async throws {
        let steps = Journal<String>()
        @Sendable func leave() throws {
            Fiber {
                do { try Fiber.sleep(until: .never) } catch {
                    try withoutCancellation {
                        try Fiber.await { try await Scheduler.sleep(for: .milliseconds(2)) }
                        let farewell = Promise<Void>()
                        let child = Task(executorPreference: Scheduler.current?.taskExecutor) {
                            try await Scheduler.sleep(for: .milliseconds(1))
                            try farewell.succeed(())
                        }
                        try farewell.value()
                        try Fiber.await { try await child.value }
                    }
                    steps.note("clean")
                    throw error
                }
            }
            try Fiber.yield()
        }
        try await inEveryOrder { () throws in try leave() }
        #expect(steps.count > 1 && steps.all.allSatisfy { $0 == "clean" })
    }

    @Test func `a farewell that is buffered is sent`() async throws {
        let received = try await Scheduler.run { () throws -> Promise<[UInt8]> in
            let received = Promise<[UInt8]>()
            let (client, server) = try connectedPair()
            let opened = Flag()
            Fiber {
                var writer = BufferedWriter(client)
                opened.set()
                do { try Fiber.sleep(until: .never) } catch {
                    try withoutCancellation {
                        try writer.write(Buffer(copying: "farewell".utf8))
                        try writer.flush()
                        try client.finishWriting()
                    }
                }
            }
            Fiber {
                try withoutCancellation {
                    var buffer = Buffer(capacity: 64)
                    var bytes: [UInt8] = []
                    while try server.read(into: &buffer) > 0 { bytes += [UInt8](buffer) }
                    try received.succeed(bytes)
                }
            }
            try yieldUntil("the writer waits") { opened.isSet }
            return received
        }
        #expect(received.outcome.map { try? $0.get() } == Array("farewell".utf8))
    }

    /// Nothing cancels Swift's wait for the value of a task, and nobody but the shutdown ends what the task waits for.
    @Test func `a fiber that awaits a task which waits for ever delays the end by the clean-up limit`() async throws {
        let end = Promise<Duration>()
        try await Simulation.run(seed: 1) { () throws in
            Fiber {
                let task = Task(executorPreference: Scheduler.current?.taskExecutor) {
                    try await Scheduler.sleep(until: .never)
                }
                try? Fiber.await { try await task.value }
                try end.succeed(Simulation.now)
            }
            try Fiber.sleep(for: .seconds(1))
        }
        #expect(try #require(end.outcome).get() == .seconds(31))
    }

    @Test func `the deadline of a shutdown leaves half of its time for that`() async throws {
        let scheduler = try Scheduler()
        let task = Task(executorPreference: scheduler.taskExecutor) { try await Scheduler.sleep(until: .never) }
        let waits = Flag()
        let fiber = scheduler.spawn {
            waits.set()
            try Fiber.await { try await task.value }
        }
        try await awaitUntil("it waits") { waits.isSet }
        let report = try await onThread { scheduler.shutdown(deadline: .after(.seconds(4))) }
        #expect(report == ShutdownReport())
        await #expect(throws: CancellationError.self) { try await fiber.join() }
    }
}
