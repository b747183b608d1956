import Foundation
import Testing

@testable import Ringlet

/// Programming errors end the process, and stderr says what to do instead.
@Suite(.timeLimit(.patient)) struct TrapTests {
    private func expect(
        _ result: ExitTest.Result?, says words: String..., at location: SourceLocation = #_sourceLocation
    ) {
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        for part in words {
            #expect(output.contains(part), "stderr: \(output)", sourceLocation: location)
        }
    }

    @Test func `a wait on a plain thread names the rule`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            try await onThread { try Fiber.yield() }
        }
        expect(result, says: "Fiber.yield()", "needs a fiber to suspend", "Scheduler.run { }")
    }

    @Test func `shielded parts that nest too deeply name the rule`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            func nest(_ depth: Int) throws {
                if depth > 0 { try withoutCancellation { try nest(depth - 1) } }
            }
            try await Scheduler.run {
                try nest(255)
                try nest(256)
            }
        }
        expect(result, says: "withoutCancellation", "255 times")
    }

    @Test func `an operation on a plain thread names the rule`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            try await onThread { _ = try TCPListener(on: .loopback(port: 0)).accept() }
        }
        expect(result, says: "TCPListener.accept()", "without `await`", "await it in a task")
    }

    /// A synchronous function in the middle of a task.
    private static func acceptSynchronously() throws {
        _ = try TCPListener(on: .loopback(port: 0)).accept()
    }

    @Test func `a synchronous wait in a worker's task names the rule`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let scheduler = try Scheduler()
            try await Task(executorPreference: scheduler.taskExecutor) {
                try Self.acceptSynchronously()
            }.value
        }
        expect(result, says: "TCPListener.accept()", "without `await`", "await it in a task")
    }

    @Test func `a synchronous wait in what a fiber awaits in place names the rule`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            try await Scheduler.run {
                try Fiber.await {
                    await Task.yield()
                    try Self.acceptSynchronously()
                }
            }
        }
        expect(result, says: "TCPListener.accept()", "without `await`", "await it in a task")
    }

    private static let waits: [@Sendable () throws -> Void] = [
        { try Fiber.yield() }, { try Fiber.sleep(for: .seconds(1)) }, { try Event().wait() }, { try Fiber.await {} },
    ]

    /// Until its first `await` such a task runs on the stack of the fiber that has started it.
    @Test(arguments: 0..<4)
    func `a synchronous wait in a task that a fiber starts immediately names the rule`(number: Int) async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [number] in
            try await Scheduler.run { () throws in
                let task = Task.immediate(executorPreference: Scheduler.current?.taskExecutor) {
                    try Self.waits[number]()
                }
                try Fiber.await { try await task.value }
            }
        }
        try expectReport(result, says: "a fiber waits in a task that its own code has started, by Task.immediate")
    }

    @Test func `a fiber outside a scheduler names the way in`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            try await onThread { _ = Fiber {} }
        }
        expect(result, says: "Fiber { } needs a scheduler", "scheduler.spawn { }")
    }

    private static func joinSynchronously(_ fiber: Fiber<Void>) throws { try fiber.join() }

    @Test func `a join that would block a worker names the rule`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let scheduler = try Scheduler()
            let fiber = scheduler.spawn { try Fiber.sleep(until: .never) }
            try await Task(executorPreference: scheduler.taskExecutor) {
                try Self.joinSynchronously(fiber)
            }.value
        }
        expect(result, says: "fiber.join() would block a worker's thread", "await fiber.join()")
    }

    @Test(arguments: [true, false])
    func `a shutdown on one of the scheduler's workers names the rule`(inFiber: Bool) async {
        let result =
            inFiber
            ? await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let scheduler = try Scheduler()
                try await scheduler.spawn { _ = scheduler.shutdown() }.join()
            }
            : await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let scheduler = try Scheduler()
                _ = await Task(executorPreference: scheduler.taskExecutor) {
                    scheduler.shutdown()
                }.value
            }
        expect(result, says: "Scheduler.shutdown() would wait for the thread it runs on")
    }

    @Test func `a worker that does not exist is named`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let scheduler = try Scheduler(SchedulerOptions(workers: 2))
            scheduler.spawn(onWorker: 2) {}
        }
        expect(result, says: "there is no worker 2")
    }

    @Test func `a buffer without room traps`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            _ = Buffer(capacity: 0)
        }
        expect(result, says: "a Buffer holds")
    }

    @Test func `bytes that do not fit into a buffer trap`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            var buffer = Buffer(capacity: 3)
            buffer.append(contentsOf: [1, 2])
            buffer.append(contentsOf: [1, 2])
        }
        expect(result, says: "the bytes do not fit into the Buffer")
    }

    // MARK: Stack overflow

    @inline(never)
    private static func dive(_ depth: Int) throws -> Int {
        try Fiber.checkCancellation()
        let noise = (depth, depth &+ 1, depth &+ 2, depth &+ 3)
        return try dive(depth + 1) &+ noise.3 &- noise.0
    }

    @Test func `an overflow names the fiber and its stack size, and is a crash`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            try await Scheduler.run(SchedulerOptions(fiberStackSize: 128 * 1024)) {
                for _ in 0..<10 { Fiber(name: "bystander") { try Fiber.sleep(until: .never) } }
                _ = try Fiber(name: "deep diver") { try Self.dive(0) }.join()
            }
        }
        expect(result, says: "stack overflow in fiber 'deep diver'", "its stack of 128 KiB is full")
        expectCrash(result)
    }

    @Test func `an overflow of a fiber without a name is reported on any worker`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let scheduler = try Scheduler(SchedulerOptions(workers: 2))
            _ = try await scheduler.spawn(onWorker: 1) { () -> Int in
                try Fiber.yield()
                return try Self.dive(0)
            }.join()
        }
        expect(result, says: "stack overflow in a fiber without a name", "its stack of 256 KiB is full")
        expectCrash(result)
    }

    @Test func `a fault that is no overflow is not called one`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            try await Scheduler.run {
                let fiber = Fiber(name: "reader of nothing") {
                    unsafe UnsafePointer<Int>(bitPattern: 8 << 12).unsafelyUnwrapped.pointee
                }
                _ = try fiber.join()
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(!output.contains("stack overflow"))
        expectCrash(result)
    }

    /// The process was ended by the signal of a fault.
    private func expectCrash(_ result: ExitTest.Result?) {
        let status = result?.exitStatus
        #expect(status == .signal(SIGSEGV) || status == .signal(SIGBUS), "\(String(describing: status))")
    }
}
