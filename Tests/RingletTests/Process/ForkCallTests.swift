import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// Every call of the library that needs a scheduler, made in the child of a fork.
@Suite(.timeLimit(.patient)) struct ForkCallTests {
    private struct Call {
        let name: String
        let call: () throws -> Void

        init(_ name: String, _ call: @escaping () throws -> Void) {
            self.name = name
            self.call = call
        }
    }

    /// Runs the calls in a child, each of which is to throw what a call in a child throws.
    private static func expectRefusals(_ calls: [Call], _ place: String) {
        let status = inChild {
            for (number, call) in calls.enumerated() {
                do {
                    try call.call()
                    return Int32(number + 1)
                } catch SchedulerError.forkedChild {
                } catch {
                    return Int32(number + 101)
                }
            }
            return 0
        }
        if case .exitCode(let code) = status, code > 0, Int(code) % 100 <= calls.count {
            let what = code > 100 ? "throws another error" : "does not throw"
            Issue.record("\(place): \(calls[Int(code) % 100 - 1].name) \(what)")
        } else {
            #expect(status == .exitCode(0), "\(place)")
        }
    }

    @Test func `every call that needs a scheduler is refused in a child that a fiber forks`() async throws {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run(SchedulerOptions(workers: 2)) {
                let scheduler = try #require(Scheduler.current)
                let (client, server) = try connectedPair()
                let listener = try TCPListener(on: .loopback(port: 0))
                let file = try File.open("/dev/zero")
                let signals = try SignalListener(for: [.init(rawValue: SIGUSR2)])
                let endless = Fiber(name: "endless") { try Fiber.sleep(until: .never) }
                let generator = AsyncGenerator(of: Int.self) { yield in try await yield(1) }
                try Fiber.yield()
                let calls: [Call] = [
                    Call("Fiber.yield") { try Fiber.yield() },
                    Call("Scheduler.checkpoint") { try Scheduler.checkpoint() },
                    Call("Fiber.sleep(for:)") { try Fiber.sleep(for: .zero) },
                    Call("Fiber.sleep(until:)") { try Fiber.sleep(until: .now) },
                    Call("Fiber.checkCancellation") { try Fiber.checkCancellation() },
                    Call("Fiber.await") { try Fiber.await {} },
                    Call("Fiber.withSuspension") { try Fiber.withSuspension {} },
                    Call("Fiber.withoutSuspension") { try Fiber.withoutSuspension { try Fiber.yield() } },
                    Call("withoutCancellation") { try withoutCancellation { try Fiber.yield() } },
                    Call("withDeadline") { try withDeadline(.never) { _ in try Fiber.yield() } },
                    Call("CancelScope.run") { _ = try CancelScope().run { _ in } },
                    Call("join") { try endless.join() },
                    Call("spawn and join") { try scheduler.spawn {}.join() },
                    Call("spawn(onWorker:) and join") { try scheduler.spawn(onWorker: 1) {}.join() },
                    Call("Scheduler()") { _ = try Scheduler() },
                    Call("Scheduler.run") { try Scheduler.run {} },
                    Call("Scheduler.run of a task") { try Scheduler.run { () async in } },
                    Call("Scheduler.sleep(for:)") { try Scheduler.sleep(for: .zero) },
                    Call("Scheduler.sleep(until:)") { try Scheduler.sleep(until: .now) },
                    Call("TCPConnection.connect") { _ = try TCPConnection.connect(to: listener.address) },
                    Call("TCPConnection.read") { var b = Buffer(capacity: 1); _ = try client.read(into: &b) },
                    Call("TCPConnection.write") { try client.write(Buffer(copying: [1])) },
                    Call("TCPConnection.finishWriting") { try client.finishWriting() },
                    Call("TCPConnection.close") { try client.close() },
                    Call("TCPListener.accept") { _ = try listener.accept() },
                    Call("TCPListener.close") { try listener.close() },
                    Call("BufferedWriter") {
                        var writer = BufferedWriter(server)
                        try writer.write(Buffer(copying: [1]))
                        try writer.flush()
                    },
                    Call("File.open") { _ = try File.open("/dev/null") },
                    Call("File.read") { var b = Buffer(capacity: 1); _ = try file.read(into: &b, at: 0) },
                    Call("File.write") { try file.write(Buffer(copying: [1]), at: 0) },
                    Call("File.sync") { try file.sync() },
                    Call("File.close") { try file.close() },
                    Call("SignalListener.next") { _ = try signals.next() },
                    Call("AsyncGenerator.next") { _ = try generator.next() },
                    Call("AsyncGenerator.close") { _ = try generator.close() },
                ]
                Self.expectRefusals(calls, "in a fiber's child")
                try Self.expectRefusals(Self.waits(endless, scheduler), "a wait in a fiber's child")
                endless.cancel()
                // The parent has noticed nothing.
                try client.write(Buffer(copying: [7]))
                var buffer = Buffer(capacity: 1)
                try server.read(into: &buffer)
                #expect([UInt8](buffer) == [7])
            }
        }
    }

    /// Waits for what only a thread of the parent could bring about.
    private static func waits(_ endless: Fiber<Void>, _ scheduler: Scheduler) throws -> [Call] {
        let lock = Lock()
        try lock.lock()
        let full = Channel<Int>(capacity: 1)
        try full.send(1)
        let condition = Condition()
        let queue = Queue<Int>(capacity: 1)
        let filled = Queue([1], capacity: 1)
        let pool = try FiberPool(capacity: 1, on: scheduler)
        return [
            Call("Lock.lock") { try lock.lock() },
            Call("Semaphore.acquire") { try Semaphore(0).acquire() },
            Call("Event.wait") { try Event().wait() },
            Call("Condition.wait") { try condition.withLock { try condition.wait() } },
            Call("Barrier.wait") { try Barrier(parties: 2).wait() },
            Call("CapacityLimiter.acquire") { try CapacityLimiter(capacity: 0).acquire() },
            Call("Channel.receive") { _ = try Channel<Int>().receive() },
            Call("Channel.send") { try full.send(2) },
            Call("Queue.get") { _ = try queue.get() },
            Call("Queue.peek") { _ = try queue.peek() },
            Call("Queue.put") { try filled.put(2) },
            Call("Queue.join") { try filled.join() },
            Call("select") { try select(.receive(from: Channel<Int>()) { _ in }) },
            Call("Promise.value") { _ = try Promise<Int>().value() },
            Call("Fiber.wait") { try endless.wait() },
            Call("wait(for:)") { _ = try Ringlet.wait(for: [endless]) },
            Call("asCompleted") { _ = try asCompleted([endless]).next() },
            Call("gatherOutcomes") { _ = try gatherOutcomes([endless]) },
            Call("gather") { _ = try gather([{ @Sendable in 1 }]) },
            Call("race") { _ = try race([{ @Sendable in 1 }]) },
            Call("withGroup") { _ = try withGroup { group in try group.spawn { try Fiber.yield() } } },
            Call("withChild") { _ = try withChild({ 1 }) { child in try child.join() } },
            Call("FiberPool.spawn and join") { try pool.spawn { try Fiber.yield() }.join() },
            Call("Scheduler.waitUntilIdle") { try scheduler.waitUntilIdle() },
            Call("Scheduler.waitReadable") { try Scheduler.waitReadable(.standardInput) },
            Call("SchedulerRunner.run") { try SchedulerRunner().run { try Fiber.yield() } },
        ]
    }

    @Test func `what cannot throw does nothing in a child, and what needs no scheduler works`() async throws {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run {
                let scheduler = try #require(Scheduler.current)
                let endless = Fiber(name: "endless") { try Fiber.sleep(until: .never) }
                let queued = Fiber(name: "queued") { #expect(Bool(false), "this ran in the child") }
                let parent = getpid()
                let status = inChild {
                    guard Scheduler.current == nil, AnyFiber.current == nil else { return 1 }
                    guard scheduler.snapshot() == SchedulerSnapshot() else { return 2 }
                    guard Scheduler.dumpAll().contains("no scheduler") else { return 3 }
                    guard scheduler.counters.workers.count == 1 else { return 4 }
                    guard scheduler.shutdown() == ShutdownReport() else { return 5 }
                    endless.cancel()
                    endless.cancel(throwing: Failure())
                    endless.interrupt()
                    _ = endless.withdrawInterrupt()
                    endless.name = "renamed"
                    guard !queued.isFinished, endless.name == "renamed" else { return 6 }
                    let generated = Array(Generator(of: Int.self) { yield in try yield(1) })
                    guard generated == [1] else { return 7 }
                    let coroutine = Coroutine<Int> { $0 + 1 }
                    guard try coroutine.switch(1) == 2 else { return 8 }
                    guard Deadline.after(.zero).hasPassed else { return 9 }
                    return getpid() == parent ? 10 : 0
                }
                #expect(status == .exitCode(0))
                #expect(!endless.isCancelled && endless.name == "endless")
                queued.cancel()
                endless.cancel()
            }
        }
    }

    @Test func `Fiber { } in a child traps with a sentence`() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await Scheduler.run {
                let status = inChild {
                    Fiber {}
                    return 0
                }
                #expect(status != .exitCode(0))
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("this is the child of a fork"), "stderr: \(output)")
    }

    @Test func `an error that a program reports in a child is a line on stderr, and the handler is not called`() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await Scheduler.run {
                let scheduler = try #require(Scheduler.current)
                scheduler.setUnseenErrorHandler { _ in _exit(9) }
                let status = inChild {
                    scheduler.reportUnseen(Failure(number: 5), source: "the child")
                    return 0
                }
                #expect(status == .exitCode(0))
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("ringlet: the child ended with an error that nobody saw: Failure(number: 5)"))
    }

    /// posix_spawn(3) makes its child without the handlers of a fork, and that one does nothing but exec.
    @Test func `programs can be started from a fiber while rings are busy`() async throws {
        try await Scheduler.run(SchedulerOptions(workers: 2)) {
            let stop = Flag()
            let (client, server) = try connectedPair()
            let echoing = Fiber { try echo(server) }
            let load = Fiber {
                var rounds = 0
                var buffer = Buffer(capacity: 1)
                while !stop.isSet {
                    try client.write(Buffer(copying: [1]))
                    #expect(try client.read(into: &buffer) == 1)
                    rounds += 1
                }
                try client.close()
                return rounds
            }
            for number in 0..<10 {
                var process: pid_t = 0
                var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [
                    strdup("sh"), strdup("-c"), strdup("exit \(number)"), nil,
                ]
                defer { for unsafe argument in unsafe arguments { unsafe free(argument) } }
                let error = unsafe posix_spawn(&process, "/bin/sh", nil, nil, &arguments, environ)
                #expect(error == 0)
                #expect(wait(for: process) == .exitCode(Int32(number)))
                try Fiber.yield()
            }
            let foundation = Process()
            foundation.executableURL = URL(filePath: "/bin/sh")
            foundation.arguments = ["-c", "exit 3"]
            try foundation.run()
            foundation.waitUntilExit()
            #expect(foundation.terminationStatus == 3)
            stop.set()
            #expect(try load.join() > 0)
            try echoing.join()
        }
    }
}
