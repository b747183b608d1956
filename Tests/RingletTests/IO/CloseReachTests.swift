import Glibc
import SystemPackage
import Testing

@testable import Ringlet

/// Whom a close asks, and what it does when the kernel has not found what is in flight.
@Suite(.timeLimit(.patient)) struct CloseReachTests {
    @Test func `a close does not wait for a worker that has done nothing on the descriptor`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let (isStuck, release) = (Flag(), Flag())
            // In somebody's code, which does not come back.
            let stuck = scheduler.spawn(onWorker: 1) {
                isStuck.set()
                try blockUntil("released") { release.isSet }
            }
            let closer = scheduler.spawn(onWorker: 0) {
                let (client, server) = try connectedPair()
                let reader = Fiber {
                    var buffer = Buffer(capacity: 1)
                    try server.read(into: &buffer)
                }
                try yieldUntil("the other one is stuck") { isStuck.isSet }
                try server.close()
                #expect(throws: Errno.badFileDescriptor) { try reader.join() }
                try client.close()
                release.set()
            }
            try await closer.join(deadline: .after(patience))
            try await stuck.join()
        }
    }

    @Test(arguments: [1, 40])
    func `a close ends what other workers wait for`(schedulers: Int) async throws {
        // More workers than there are marks.
        let others = try (0..<schedulers).map { _ in try Scheduler(SchedulerOptions(workers: 1)) }
        try await withScheduler { scheduler in
            let listener = try TCPListener(on: .loopback(port: 0))
            let waiting = others.map { other in other.spawn { _ = try listener.accept() } }
            for other in others { try await other.awaitOperations(1) }
            try await scheduler.spawn { try listener.close() }.join(deadline: .after(patience))
            for fiber in waiting {
                await #expect(throws: Errno.badFileDescriptor) {
                    try await fiber.join(deadline: .after(patience))
                }
            }
        }
        for other in others { #expect(other.shutdown(deadline: .after(patience)) == ShutdownReport()) }
    }

    /// Closes on one worker what another one reads from. The closing one has its answer first, as a rule, and means to
    /// ask again.
    private static func closeAcrossWorkers() throws {
        try Scheduler.run(SchedulerOptions(workers: 2)) {
            let (client, server) = try connectedPair()
            // The closing worker has had an operation there.
            try server.write(Buffer(copying: [1]))
            let reads = Flag()
            let reader = Scheduler.current?.spawn(onWorker: 1) {
                var buffer = Buffer(capacity: 1)
                reads.set()
                try server.read(into: &buffer)
            }
            try yieldUntil("the other worker reads") { reads.isSet }
            try server.close()
            #expect(throws: Errno.badFileDescriptor) { try reader?.join() }
            try client.close()
        }
    }

    @Test func `what a close would ask again is forgotten when the worker ends`() async {
        await #expect(processExitsWith: .success) {
            try await onThread { try Scheduler.run {} }
            let before = try await settledDescriptors()
            // Left to the scheduler that serves tasks of other executors, it would start that one, for good.
            for _ in 0..<20 { try await onThread { try Self.closeAcrossWorkers() } }
            try await awaitUntil("nothing is left open") { openDescriptors() <= before }
        }
    }

    // MARK: A cancel that finds nothing

    /// Where io_uring makes the writes. The emulated ring has no second attempt; its write to an eventfd without room
    /// is a thread's, and waits for the room.
    private static let triesAgain: Bool = {
        guard let scheduler = try? Scheduler() else { return false }
        defer { scheduler.shutdown() }
        return scheduler.kernel.name == "io_uring" && !scheduler.kernel.emulatedOperations.contains("write")
    }()

    /// Says that it can be written to, and has no room for the number that is written. io_uring finds out when it
    /// tries for the second time, and until then no cancel finds the write.
    private final class FullEvent: Sendable {
        let descriptor: Descriptor

        init() throws {
            let event = try EventDescriptor()
            defer { event.close() }
            descriptor = Descriptor(dup(event.descriptor))
            // The largest number that it holds is one more.
            var number = UInt64.max - 2
            let written = unsafe Glibc.write(descriptor.raw, &number, 8)
            try #require(written == 8)
        }

        func write(deadline: Deadline = .never) throws {
            let two = Buffer(copying: [2, 0, 0, 0, 0, 0, 0, 0])
            _ = try descriptor.perform(
                .write(descriptor.raw, from: two.address, count: 8, at: nil), "write",
                deadline: deadline)
        }

        func write() async throws {
            let two = Buffer(copying: [2, 0, 0, 0, 0, 0, 0, 0])
            _ = try await descriptor.perform(
                .write(descriptor.raw, from: two.address, count: 8, at: nil), deadline: .never)
        }
    }

    @Test(.enabled(if: triesAgain, "the emulated ring makes no second attempt"))
    func `a cancel that the kernel answers with ENOENT is asked again`() async throws {
        try await withScheduler { scheduler in
            let event = try FullEvent()
            try await scheduler.spawn {
                for _ in 0..<20 {
                    let writer = Fiber { try event.write() }
                    // Submitted together with its cancel.
                    try Fiber.yield()
                    writer.cancel()
                    #expect(throws: CancellationError.self) { try writer.join(deadline: .after(patience)) }
                    let deadline = Deadline.after(.microseconds(200))
                    #expect(throws: TimeoutError(deadline: deadline)) { try event.write(deadline: deadline) }
                }
            }.join(deadline: .after(patience))
        }
    }

    @Test(.enabled(if: triesAgain, "the emulated ring makes no second attempt"))
    func `a task's cancel that the kernel answers with ENOENT is asked again`() async throws {
        try await withScheduler { scheduler in
            let event = try FullEvent()
            for _ in 0..<20 {
                let writer = Task(executorPreference: scheduler.taskExecutor) { try await event.write() }
                await Task.yield()
                writer.cancel()
                await #expect(throws: CancellationError.self) { try await writer.value }
            }
        }
    }

    @Test(.enabled(if: triesAgain, "the emulated ring makes no second attempt"))
    func `a close whose cancel the kernel answers with ENOENT asks again`() async throws {
        try await withScheduler { scheduler in
            try await scheduler.spawn {
                for _ in 0..<5 {
                    let event = try FullEvent()
                    let writers = (0..<3).map { _ in Fiber { try event.write() } }
                    try Fiber.yield()
                    try event.descriptor.close("close")
                    for writer in writers {
                        #expect(throws: Errno.badFileDescriptor) {
                            try writer.join(deadline: .after(patience))
                        }
                    }
                }
            }.join(deadline: .after(patience))
        }
    }
}
