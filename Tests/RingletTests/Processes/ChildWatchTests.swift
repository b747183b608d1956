import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// Every child is reaped once, whoever refers to it and whatever else the program does.
@Suite(.timeLimit(.patient)) struct ChildWatchTests {
    private static let cat = Command("cat", input: .pipe, output: .pipe)
    private static let sleeper = Command("sleep", "100000")

    @Test func `nothing is left of children, here or in the kernel`() async throws {
        await #expect(processExitsWith: .success) {
            try await Self.useChildren()
            try await awaitNoChildren()
            let before = try await settledDescriptors()
            for _ in 0..<5 { try await Self.useChildren() }
            try await awaitNoChildren()
            try await awaitUntil("all descriptors are closed") { openDescriptors() <= before }
        }
    }

    private static func useChildren() async throws {
        try await Scheduler.run {
            _ = try cat.start().communicate([1])
            _ = try? Command("false").run()
            try cat.withChild { _ in }
            for _ in 0..<3 { _ = try cat.start() }
            try Command("true").start().wait()
        }
        _ = try await cat.start().communicate([1])
        _ = try await cat.start()
        _ = try? await Command("ringlet-nonesuch", output: .pipe).start()
        // Ended, and nobody has asked.
        let ended = try await Command("true").start()
        try await awaitUntil("it has been reaped") { children()[ended.pid] == nil }
        try await awaitUntil("its status is told") { ended.status != nil }
        #expect(ended.status == .exited(0))
    }

    @Test func `a child whose handle is dropped gets the end of its input, and a call is kept for its end`() async throws {
        await #expect(processExitsWith: .success) {
            let called = Journal<ChildStatus?>()
            try await Scheduler.run {
                _ = try Self.cat.start()
                var command = Self.cat
                command.input = .null
                try command.start().onEnd { called.note($0.status) }
            }
            try await awaitNoChildren()
            try await awaitUntil("the call was made") { called.count == 1 }
            #expect(called.all == [.exited(0)])
        }
    }

    @Test func `a child outlives its scheduler, and is waited for elsewhere`() async throws {
        let child = try await withScheduler { scheduler in
            try await scheduler.spawn { try Self.sleeper.start() }.join()
        }
        #expect(try child.terminate())
        let status = try await onThread { try child.wait(deadline: .after(patience)) }
        #expect(status == .killed(by: .terminate))
        let started = try await onThread { try Command("true").start().wait(deadline: .after(patience)) }
        #expect(started == .exited(0))
    }

    // MARK: Starts that are cancelled

    @Test func `a start that is cancelled leaves no child`() async throws {
        await #expect(processExitsWith: .success) {
            let cancelled = Counter()
            try await Scheduler.run {
                for round in 0..<120 {
                    let starter = Fiber { try Self.sleeper.start() }
                    for _ in 0..<round % 10 { try Fiber.yield() }
                    if round % 3 == 0 { try Fiber.sleep(for: .microseconds(round)) }
                    starter.cancel()
                    do {
                        let child = try starter.join()
                        child.end(within: .zero)
                    } catch is CancellationError {
                        cancelled.add()
                    }
                    if round % 10 == 9 { #expect(children().isEmpty) }
                }
            }
            #expect(cancelled.value > 0)
            for round in 0..<60 {
                let starter = Task { try await Self.sleeper.start() }
                for _ in 0..<round % 5 { await Task.yield() }
                starter.cancel()
                if let child = try? await starter.value { await child.end(within: .zero) }
                if round % 10 == 9 { #expect(children().isEmpty) }
            }
        }
    }

    @Test func `a start that waits for a thread is taken back`() async throws {
        await #expect(processExitsWith: .success) {
            let gate = ThreadGate()
            let blocking = (0..<ThreadPool.spawning.limit).map { _ in ThreadPool.spawning.spawn { gate.pass() } }
            try await awaitUntil("all threads are taken") { gate.arrived == blocking.count }
            try await Scheduler.run {
                let starter = Fiber { try Self.cat.start() }
                try yieldUntil("it waits") { ThreadPool.spawning.counts.waiting == 1 }
                starter.cancel()
                #expect(throws: CancellationError.self) { _ = try starter.join() }
                let late = Fiber { try Self.cat.start() }
                late.cancel()
                #expect(throws: CancellationError.self) { _ = try late.join() }
            }
            // What was taken back keeps its place until a thread comes to it.
            #expect(ThreadPool.spawning.counts.waiting == 1)
            let starter = Task { try await Self.cat.start() }
            try await awaitUntil("it waits") { ThreadPool.spawning.counts.waiting == 2 }
            starter.cancel()
            await #expect(throws: CancellationError.self) { _ = try await starter.value }
            gate.open()
            for job in blocking { try await job.join() }
            #expect(children().isEmpty)
        }
    }

    // MARK: What else the program does

    @Test func `an end that somebody else has taken is unknown`() async throws {
        await #expect(processExitsWith: .success) {
            var (taken, told) = (0, 0)
            for _ in 0..<40 {
                let child = try await Self.cat.start()
                let thief = Task { [pid = child.pid] in
                    try await onThread {
                        var status: Int32 = 0
                        return unsafe waitpid(pid, &status, 0) == pid
                    }
                }
                try await child.input.close()
                let status = try await child.wait()
                let wasTaken = try await thief.value
                #expect(status == (wasTaken ? .unknown : .exited(0)))
                #expect(try !child.kill())
                if wasTaken { taken += 1 } else { told += 1 }
            }
            #expect(taken + told == 40)
        }
    }

    @Test func `where SIGCHLD is ignored, ends are told and statuses are not`() async throws {
        await #expect(processExitsWith: .success) {
            Glibc.signal(SIGCHLD, SIG_IGN)
            try await Scheduler.run {
                let child = try Self.cat.start()
                let waiters = (0..<3).map { _ in Fiber { try child.wait() } }
                let before = child.status
                #expect(before == nil)
                try child.input.close()
                for waiter in waiters {
                    let status = try waiter.join()
                    #expect(status == .unknown && !status.isSuccess)
                }
                let wasSent = try child.terminate()
                #expect(!wasSent)
                let output = try Command("echo", "x").run(throwsOnFailure: false)
                #expect(output.status == .unknown && output.text == "x\n")
            }
        }
    }

    @Test func `the handler of SIGCHLD stays as it is`() async throws {
        await #expect(processExitsWith: .success) {
            var (before, after) = (sigaction(), sigaction())
            unsafe before.__sigaction_handler.sa_handler = { _ in }
            _ = unsafe sigaction(SIGCHLD, &before, nil)
            try await Command("true").run()
            _ = unsafe sigaction(SIGCHLD, nil, &after)
            let handlers = unsafe (
                unsafeBitCast(before.__sigaction_handler, to: Int.self),
                unsafeBitCast(after.__sigaction_handler, to: Int.self)
            )
            #expect(handlers.0 == handlers.1)
        }
    }

    // MARK: Children of the program's own

    private static func spawn(_ path: String) throws -> Int32 {
        let plan = SpawnCalls.Plan(
            executable: Array(path.utf8), arguments: [], environment: nil, directory: nil,
            streams: [.null, .inherited, .inherited], group: .inherited)
        return try SpawnCalls.spawn(plan)
    }

    @Test func `a child that the program has started is taken over, also when it has ended`() async throws {
        await #expect(processExitsWith: .success) {
            let adopted = try ChildProcess(adopting: Self.spawn("cat"))
            let status = try await adopted.wait()
            #expect(status == .exited(0))
            let pid = try Self.spawn("false")
            try await awaitUntil("it has ended") { children()[pid] == "Z" }
            let ended = try ChildProcess(adopting: pid)
            let late = try await ended.wait()
            #expect(late == .exited(1) && children().isEmpty)
            for number in [0, -1, 1, getpid(), pid] {
                #expect(throws: Errno.noChildProcess) { _ = try ChildProcess(adopting: number) }
            }
        }
    }

    // MARK: Without pidfds

    /// Has pidfd_open(2) fail in this process from now on, as a sandbox does.
    private static func forbidDescriptors(_ error: Int32) throws {
        // struct sock_filter: code, jump if true, jump if false, operand.
        func step(_ code: UInt16, _ yes: UInt8, _ no: UInt8, _ operand: UInt32) -> [UInt8] {
            [UInt8(code & 0xff), UInt8(code >> 8), yes, no]
                + (0..<4).map { UInt8(truncatingIfNeeded: operand >> (8 * $0)) }
        }
        let number: UInt32 = 434 /* pidfd_open, on every architecture */
        let program =
            step(0x20, 0, 0, 0) + step(0x15, 0, 1, number) + step(0x06, 0, 0, 0x5_0000 | UInt32(error))
            + step(0x06, 0, 0, 0x7fff_0000)
        typealias Call = @convention(c) (Int, UInt, UInt, UInt, UInt) -> Int
        let call = unsafe unsafeBitCast(dlsym(nil, "syscall"), to: Call.self)
        typealias Control = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
        let control = unsafe unsafeBitCast(dlsym(nil, "prctl"), to: Control.self)
        try #require(control(38 /* PR_SET_NO_NEW_PRIVS */, 1, 0, 0, 0) == 0)
        let result = unsafe program.withUnsafeBytes { bytes in
            let header = [UInt(bytes.count / 8), UInt(bitPattern: bytes.baseAddress)]
            return unsafe header.withUnsafeBytes { header in
                call(
                    systemCall, 1 /* SECCOMP_SET_MODE_FILTER */, 1 /* for all threads */,
                    UInt(bitPattern: header.baseAddress), 0)
            }
        }
        try #require(result == 0)
        #expect(throws: Errno(rawValue: error)) { _ = try ChildCalls.open(getpid()) }
    }

    #if arch(x86_64)
        private static let systemCall = 317
    #else
        private static let systemCall = 277
    #endif

    @Test(arguments: [EPERM, ENOSYS])
    func `where there are no pidfds a thread waits`(error: Int32) async throws {
        await #expect(processExitsWith: .success) { [error] in
            try Self.forbidDescriptors(error)
            try await Self.useChildren()
            try await Scheduler.run {
                let child = try Self.sleeper.start()
                let waiters = (0..<3).map { _ in Fiber { try child.wait() } }
                let quitter = Fiber { try child.wait() }
                let deadline = Deadline.after(.milliseconds(5))
                #expect(throws: TimeoutError(deadline: deadline)) { try child.wait(deadline: deadline) }
                quitter.cancel()
                #expect(throws: CancellationError.self) { _ = try quitter.join() }
                let (isThere, wasSent) = (try child.signal(UnixSignal(rawValue: 0)), try child.kill())
                #expect(isThere && wasSent)
                for waiter in waiters { #expect(try waiter.join() == .killed(by: .kill)) }
                let isSentAgain = try child.kill()
                #expect(!isSentAgain)
            }
            let adopted = try ChildProcess(adopting: Self.spawn("cat"))
            let status = try await adopted.wait()
            #expect(status == .exited(0))
            for number in [0, -1, 1, getpid(), adopted.pid] {
                #expect(throws: Errno.noChildProcess) { _ = try ChildProcess(adopting: number) }
            }
            // Each has a thread, so that none waits for the others.
            let many = try await Scheduler.run { try (0..<20).map { _ in try Self.sleeper.start() } }
            #expect(try many[19].terminate())
            let last = try await many[19].wait()
            #expect(last == .killed(by: .terminate))
            for child in many { try child.kill() }
            try await awaitNoChildren()
        }
    }
}
