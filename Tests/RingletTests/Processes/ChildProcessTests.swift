import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// A child, its pipes, its end, and signals.
@Suite(.timeLimit(.patient)) struct ChildProcessTests {
    private static let cat = Command("cat", input: .pipe, output: .pipe)
    private static let sleeper = Command("sleep", "100000")
    private static let text = Array("some data".utf8)

    // MARK: Pipes

    @Test func `a fiber writes to a child and reads from it`() async throws {
        try await Scheduler.run {
            let child = try Self.cat.start()
            try child.input.write(Buffer(copying: Self.text))
            var buffer = Buffer(capacity: 100)
            let count = try child.output.read(into: &buffer)
            #expect(count == Self.text.count && [UInt8](buffer) == Self.text)
            try child.input.close()
            let end = try child.output.read(into: &buffer)
            #expect(end == 0)
            let status = try child.wait()
            #expect(status == .exited(0) && status.isSuccess && child.status == status)
        }
    }

    @Test(arguments: [true, false])
    func `a task writes to a child and reads from it`(onWorker: Bool) async throws {
        let body = { @Sendable () async throws in
            let child = try await Self.cat.start()
            try await child.input.write(Buffer(copying: Self.text))
            var buffer = Buffer(capacity: 100)
            let count = try await child.output.read(into: &buffer)
            #expect(count == Self.text.count && [UInt8](buffer) == Self.text)
            try await child.input.close()
            let rest = try await child.output.readToEnd()
            #expect(rest.isEmpty)
            let status = try await child.wait()
            #expect(status == .exited(0))
        }
        if onWorker { try await Scheduler.run { try await body() } } else { try await body() }
    }

    @Test func `what a child has written is there after its end`() async throws {
        try await Scheduler.run {
            let child = try Command("echo", "hello", output: .pipe).start()
            let status = try child.wait()
            let output = try child.output.readToEnd()
            #expect(status.isSuccess && output == Array("hello\n".utf8))
        }
    }

    @Test func `a write waits for room, and a deadline or a cancellation ends that`() async throws {
        try await Scheduler.run {
            try Command("sleep", "100000", input: .pipe).withChild(gracePeriod: .zero) { child in
                let much = Buffer(copying: muchInput)
                let deadline = Deadline.after(.milliseconds(5))
                #expect(throws: TimeoutError(deadline: deadline)) { try child.input.write(much, deadline: deadline) }
                let writer = Fiber { try child.input.write(Buffer(copying: muchInput)) }
                let closed = Fiber { try child.input.write(Buffer(copying: muchInput)) }
                try Fiber.yield()
                writer.cancel()
                #expect(throws: CancellationError.self) { try writer.join() }
                try child.input.close()
                #expect(throws: Errno.badFileDescriptor) { try closed.join() }
            }
        }
    }

    @Test func `a write to a child that does not read is EPIPE and no signal`() async throws {
        // The default action of SIGPIPE would end the process.
        await #expect(processExitsWith: .success) {
            Glibc.signal(SIGPIPE, SIG_DFL)
            try await Scheduler.run {
                let child = try Command("true", input: .pipe).start()
                try child.wait()
                #expect(throws: Errno.brokenPipe) { try child.input.write(Buffer(copying: [1])) }
                let inTask = Fiber { try Fiber.await { try await child.input.write(Buffer(copying: [1])) } }
                #expect(throws: Errno.brokenPipe) { try inTask.join() }
            }
            // One that the program itself is to get is left to it.
            var signals = sigset_t()
            unsafe sigemptyset(&signals)
            unsafe sigaddset(&signals, SIGPIPE)
            unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
            raise(SIGPIPE)
            let pipe = try PipeCalls.make()
            SocketCalls.close(pipe.reading)
            var byte: UInt8 = 1
            #expect(throws: Errno.brokenPipe) {
                try unsafe withUnsafeBytes(of: &byte) { bytes in
                    _ = try PipeCalls.write(
                        pipe.writing, from: UInt(bitPattern: bytes.baseAddress), count: 1)
                }
            }
            unsafe sigemptyset(&signals)
            unsafe sigpending(&signals)
            let isPending = unsafe sigismember(&signals, SIGPIPE)
            #expect(isPending == 1)
        }
    }

    // MARK: The end

    @Test func `everybody who waits is told the same`() async throws {
        let told = Journal<ChildStatus>()
        try await withScheduler(workers: 2) { scheduler in
            let child = try await Self.sleeper.start()
            let fibers = (0..<4).map { index in
                scheduler.spawn(onWorker: index % 2) { told.note(try child.wait()) }
            }
            let tasks = (0..<4).map { index in
                Task(executorPreference: index < 2 ? scheduler.taskExecutor : nil) {
                    told.note(try await child.wait())
                }
            }
            async let thread: Void = onThread { told.note(try child.wait(deadline: .after(patience))) }
            for fiber in fibers { try await awaitUntil("it waits") { !fiber.isFinished } }
            #expect(child.status == nil)
            let wasSent = try child.kill()
            #expect(wasSent)
            for fiber in fibers { try await fiber.join() }
            for task in tasks { try await task.value }
            try await thread
            // Also who comes later.
            told.note(try await child.wait())
        }
        #expect(told.all == Array(repeating: .killed(by: .kill), count: 10))
    }

    @Test func `a wait that ends early changes nothing for the child`() async throws {
        try await Scheduler.run {
            try Self.sleeper.withChild { child in
                let deadline = Deadline.after(.milliseconds(5))
                #expect(throws: TimeoutError(deadline: deadline)) { try child.wait(deadline: deadline) }
                let waiter = Fiber { try child.wait() }
                let awaiter = Fiber { try Fiber.await { try await child.wait() } }
                try Fiber.yield()
                waiter.cancel()
                awaiter.cancel()
                #expect(throws: CancellationError.self) { _ = try waiter.join() }
                #expect(throws: CancellationError.self) { _ = try awaiter.join() }
                let isThere = try child.signal(UnixSignal(rawValue: 0))
                #expect(isThere && child.status == nil)
            }
        }
        let child = try await Self.sleeper.start()
        let deadline = Deadline.after(.milliseconds(5))
        await #expect(throws: TimeoutError(deadline: deadline)) { try await child.wait(deadline: deadline) }
        let waiter = Task { try await child.wait() }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { _ = try await waiter.value }
        #expect(try child.terminate())
        let status = try await child.wait()
        #expect(status == .killed(by: .terminate))
    }

    @Test func `an exit code is told from a signal`() async throws {
        let code = try await Command.shell("exit 7").start().wait()
        #expect(code == .exited(7) && code.exitCode == 7 && !code.isSuccess && "\(code)" == "exit code 7")
        let signal = try await Command.shell("kill -USR1 $$").start().wait()
        #expect(signal == .killed(by: .user1) && signal.exitCode == nil && "\(signal)" == "signal 10")
    }

    @Test func `the first of several is waited for, and the end can be a call`() async throws {
        try await Scheduler.run {
            let (slow, quick) = (try Self.sleeper.start(), try Self.cat.start())
            let called = Journal<ChildStatus?>()
            slow.onEnd { called.note($0.status) }
            let never = slow.onEnd(.failure) { called.note($0.status) }
            slow.onEnd { called.note($0.status) }.remove()
            try quick.input.close()
            let result = try wait(for: [slow, quick], until: .firstCompleted)
            #expect(result.done.first === quick && result.pending.first === slow)
            slow.cancel()
            let statuses = try gatherLeavingOthersRunning([slow, quick])
            #expect(statuses == [.killed(by: .terminate), .exited(0)])
            try yieldUntil("the call was made") { called.count == 1 }
            #expect(called.all == [.killed(by: .terminate)])
            withExtendedLifetime(never) {}
        }
    }

    @Test func `two hundred children that end at the same moment are all told`() async throws {
        let (reading, writing) = try makePipe()
        try await Scheduler.run {
            let command = Command("cat", input: .descriptor(reading))
            let children = try (0..<200).map { _ in try command.start() }
            try reading.close()
            try writing.close()
            let statuses = try children.map { try $0.wait(deadline: .after(patience)) }
            #expect(statuses == Array(repeating: .exited(0), count: 200))
        }
    }

    // MARK: Signals

    @Test func `a signal at the moment of the end is sent or is not, and never to a stranger`() async throws {
        try await Scheduler.run {
            for round in 0..<150 {
                let child = try Command("true").start()
                if round % 3 == 1 { try Fiber.yield() }
                if round % 3 == 2 { try Fiber.sleep(for: .microseconds(round * 10)) }
                let wasSent = try child.kill()
                let status = try child.wait()
                #expect(status == .exited(0) || wasSent && status == .killed(by: .kill))
                let isSentAgain = try child.kill()
                #expect(!isSentAgain)
            }
        }
    }

    @Test func `what is no signal is refused`() async throws {
        let child = try await Self.sleeper.start()
        #expect(throws: Errno.invalidArgument) { try child.signal(UnixSignal(rawValue: 4711)) }
        #expect(try child.signal(.stop) && child.signal(.resume) && child.kill())
        try await child.wait()
        #expect(try !child.terminate())
    }

    // MARK: Scopes

    @Test func `a scope ends its child`() async throws {
        try await Scheduler.run {
            let (child, value) = try Self.sleeper.withChild { ($0, 3) }
            #expect(value == 3 && child.status == .killed(by: .terminate))
            let failed = Shared<ChildProcess?>(nil)
            #expect(throws: Failure(number: 1)) {
                try Self.cat.withChild { child in
                    failed.value = child
                    throw Failure(number: 1)
                }
            }
            #expect(failed.value?.status != nil)
            // Its pipes are closed.
            var buffer = Buffer(capacity: 1)
            #expect(throws: Errno.badFileDescriptor) { try failed.value!.output.read(into: &buffer) }
            let cancelled = Fiber {
                try Self.sleeper.withChild { child in
                    failed.value = child
                    try child.wait()
                }
            }
            try yieldUntil("it waits") { failed.value?.status == nil }
            cancelled.cancel()
            #expect(throws: CancellationError.self) { try cancelled.join() }
            #expect(failed.value?.status == .killed(by: .terminate))
        }
    }

    @Test func `a scope of a task ends its child`() async throws {
        let child = try await Self.sleeper.withChild { $0 }
        #expect(child.status == .killed(by: .terminate))
        let begun = Shared<ChildProcess?>(nil)
        let task = Task {
            try await Self.cat.withChild { child in
                begun.value = child
                try await child.wait()
            }
        }
        try await awaitUntil("it has begun") { begun.value != nil }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        #expect(begun.value?.status != nil)
        await #expect(throws: Errno.badFileDescriptor) { try await begun.value!.input.close() }
    }

    @Test func `a child that does not want to end is killed when the grace period is over`() async throws {
        let stubborn = Command("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done", output: .pipe)
        let fiberStatus = try await Scheduler.run {
            try stubborn.withChild(gracePeriod: .milliseconds(20)) { child in
                var buffer = Buffer(capacity: 10)
                try child.output.read(into: &buffer)
                return child
            }.status
        }
        #expect(fiberStatus == .killed(by: .kill))
        let child = try await stubborn.withChild(gracePeriod: .milliseconds(20)) { child in
            var buffer = Buffer(capacity: 10)
            try await child.output.read(into: &buffer)
            return child
        }
        #expect(child.status == .killed(by: .kill))
        let atOnce = try await Scheduler.run { try Self.sleeper.withChild(gracePeriod: .zero) { $0 }.status }
        #expect(atOnce == .killed(by: .kill))
    }

    @Test func `a group of the child's own is ended as a whole`() async throws {
        let family = Command("sh", "-c", "sleep 100000 & echo started; wait", output: .pipe, group: .own)
        try await Scheduler.run {
            let child = try family.start()
            var buffer = Buffer(capacity: 100)
            try child.output.read(into: &buffer)
            let wasSent = try child.signal(.terminate, toGroup: true)
            // The grandchild has the pipe, too.
            let rest = try child.output.readToEnd(deadline: .after(patience))
            let status = try child.wait()
            #expect(wasSent && rest.isEmpty && status == .killed(by: .terminate))
        }
        // Read by another process, so that the end of the scope is seen from outside.
        let (reading, writing) = try makePipe()
        var scoped = family
        scoped.output = .descriptor(writing)
        try await scoped.withChild { child in
            let first = try await onThread { try reading.readByte() }
            #expect(first == UInt8(ascii: "s"))
        }
        try writing.close()
        let rest = try await onThread { try reading.readToEnd() }
        #expect(rest == Array("tarted\n".utf8))
        try reading.close()
    }

    // MARK: Traps

    @Test func `what the command did not ask for is named`() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let child = try await Command("true").start()
            _ = child.output
        }
        try expectReport(result, says: "the child's output is no pipe; make its Command with output: .pipe")
        let group = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let child = try await Command("true").start()
            try child.signal(.terminate, toGroup: true)
        }
        try expectReport(group, says: "make its Command with group: .own")
    }
}

extension FileDescriptor {
    /// Nil at the end.
    fileprivate func readByte() throws -> UInt8? {
        var byte: UInt8 = 0
        let count = try unsafe withUnsafeMutableBytes(of: &byte) { try unsafe read(into: $0) }
        return count == 0 ? nil : byte
    }

    fileprivate func readToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let byte = try readByte() { bytes.append(byte) }
        return bytes
    }
}
