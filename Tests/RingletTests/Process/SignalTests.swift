import Foundation
import SystemPackage
import Testing

@testable import Ringlet

private let alarms = Counter()

/// Signals belong to the program: they change nothing here, and nothing here changes them.
@Suite(.timeLimit(.patient)) struct SignalTests {
    /// A signal every 100 microseconds, whose handler does not ask for interrupted calls to be restarted.
    private static func startStorm() {
        // Globals are made at their first use, which must not be in the handler.
        #expect(alarms.value == 0)
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in alarms.add() }
        _ = unsafe sigaction(SIGALRM, &action, nil)
        let interval = timeval(tv_sec: 0, tv_usec: 100)
        var timer = itimerval(it_interval: interval, it_value: interval)
        _ = unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    }

    private static func endStorm() {
        var never = itimerval()
        _ = unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &never, nil)
    }

    private static func exchange(rounds: Int) throws {
        let (client, server) = try connectedPair()
        let answerer = Fiber { try echo(server) }
        var buffer = Buffer(capacity: 4096)
        for round in 0..<rounds {
            let message = pattern(from: round, count: 1 + round % 4000)
            try client.write(Buffer(copying: message), deadline: .after(patience))
            var got: [UInt8] = []
            while got.count < message.count {
                try client.read(into: &buffer, deadline: .after(patience))
                got += [UInt8](buffer)
            }
            #expect(got == message)
        }
        try client.close()
        try answerer.join()
    }

    private static func exchange(rounds: Int) async throws {
        let (client, server) = try await connectedPair()
        async let answerer: Void = echo(server)
        var buffer = Buffer(capacity: 4096)
        for round in 0..<rounds {
            let message = pattern(from: round, count: 1 + round % 4000)
            try await client.write(Buffer(copying: message), deadline: .after(patience))
            var got: [UInt8] = []
            while got.count < message.count {
                try await client.read(into: &buffer, deadline: .after(patience))
                got += [UInt8](buffer)
            }
            #expect(got == message)
        }
        try await client.close()
        try await answerer
    }

    private static func useFiles(rounds: Int) throws {
        let path = "/tmp/ringlet-signals-\(getpid())-\(AnyFiber.current?.id ?? 0)"
        let file = try File.open(
            FilePath(path), .readWrite, options: [.create, .truncate, .exclusiveCreate])
        _ = unsafe unlink(path)
        for round in 0..<rounds {
            let data = pattern(from: round, count: 3000)
            try file.write(Buffer(copying: data), at: UInt64(round * 3000))
            try file.sync(dataOnly: true)
            var buffer = Buffer(capacity: 3000)
            try file.read(into: &buffer, at: UInt64(round * 3000))
            #expect([UInt8](buffer) == data)
        }
        try file.close()
    }

    /// Deadlines hold: neither early, nor lost.
    private static func watchTheClock(rounds: Int) throws {
        for _ in 0..<rounds {
            let instant = Deadline.after(.milliseconds(3))
            try Fiber.sleep(until: instant)
            #expect(instant.hasPassed)
            let listener = try TCPListener(on: .loopback(port: 0))
            let deadline = Deadline.after(.milliseconds(2))
            #expect(throws: TimeoutError(deadline: deadline)) {
                try listener.accept(deadline: deadline)
            }
            #expect(deadline.hasPassed)
        }
    }

    @Test func `a storm of signals changes nothing`() async throws {
        await #expect(processExitsWith: .success) {
            let scheduler = try Scheduler(SchedulerOptions(workers: 2))
            Self.startStorm()
            let work = (0..<2).flatMap { index in
                [
                    scheduler.spawn(onWorker: index) { try Self.exchange(rounds: 400) },
                    scheduler.spawn(onWorker: index) { try Self.useFiles(rounds: 20) },
                    scheduler.spawn(onWorker: index) { try Self.watchTheClock(rounds: 40) },
                ]
            }
            async let tasks: Void = Task(executorPreference: scheduler.taskExecutor) {
                try await Self.exchange(rounds: 400)
            }.value
            async let foreign: Void = Self.exchange(rounds: 200)
            // A plain thread waits through signals, and its deadline does not come early.
            try await onThread {
                let sleeper = scheduler.spawn { try Fiber.sleep(for: .milliseconds(100)) }
                let deadline = Deadline.after(.milliseconds(10))
                #expect(throws: TimeoutError(deadline: deadline)) { try sleeper.join(deadline: deadline) }
                #expect(deadline.hasPassed)
                try sleeper.join()
                for fiber in work { try fiber.join() }
            }
            _ = try await (tasks, foreign)
            let report = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
            #expect(report == ShutdownReport())
            Self.endStorm()
            #expect(alarms.value > 200)
        }
    }

    /// The handler of each signal, from number 1 on.
    private static func dispositions() -> [UInt] {
        var handlers: [UInt] = []
        for number: Int32 in 1...64 {
            var action = sigaction()
            _ = unsafe sigaction(number, nil, &action)
            handlers.append(unsafe unsafeBitCast(action.__sigaction_handler, to: UInt.self))
        }
        return handlers
    }

    @Test func `no disposition changes but those of faults`() async throws {
        await #expect(processExitsWith: .success) {
            let before = Self.dispositions()
            try await Scheduler.run(SchedulerOptions(workers: 2)) { try Self.exchange(rounds: 3) }
            let after = Self.dispositions()
            let changed = before.indices.filter { before[$0] != after[$0] }.map { Int32($0 + 1) }
            #expect(changed.isEmpty || changed == [SIGBUS, SIGSEGV])
        }
    }

    @Test func `a write to a connection that is gone is EPIPE and no signal`() async throws {
        // The default action of SIGPIPE would end the process.
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_DFL)
            try await Scheduler.run {
                let (client, server) = try connectedPair()
                try server.close()
                var thrown: (any Error)?
                for _ in 0..<100 where thrown == nil {
                    thrown = errorThrown { try client.write(Buffer(copying: [1])) }
                }
                #expect(thrown as? Errno == .brokenPipe || thrown as? Errno == .connectionReset)
                #expect(throws: Errno.brokenPipe) { try client.write(Buffer(copying: [1])) }
            }
        }
    }
}
