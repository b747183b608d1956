import Foundation
import Testing

@testable import Ringlet

/// Scenario 32 of the table of features: SIGINT during a run that wants to end in order.
@Suite(.timeLimit(.patient)) struct RunInterruptTests {
    private static let options = SchedulerOptions(cancelsOnInterrupt: true)

    /// A shell in the background makes its children ignore it.
    private static func resetDisposition() { signal(SIGINT, SIG_DFL) }

    private static func interrupt() { kill(getpid(), SIGINT) }

    @Test func `scenario 32: the first SIGINT cancels a fiber, which cleans up, and the run throws InterruptError`() async throws {
        await #expect(processExitsWith: .success) {
            Self.resetDisposition()
            for inTask in [true, false] {
                let cleaned = Counter()
                let body: @Sendable () throws -> Void = {
                    Fiber {
                        defer { cleaned.add() }
                        try Fiber.sleep(until: .never)
                    }
                    defer { cleaned.add() }
                    try Fiber.yield()
                    Self.interrupt()
                    try Fiber.sleep(until: .never)
                }
                await #expect(throws: InterruptError()) {
                    if inTask {
                        try await Scheduler.run(Self.options, body)
                    } else {
                        try await onThread { try Scheduler.run(Self.options, body) }
                    }
                }
                #expect(cleaned.value == 2)
            }
        }
    }

    @Test func `scenario 32: the first SIGINT cancels a task, which cleans up, and the run throws InterruptError`() async throws {
        await #expect(processExitsWith: .success) {
            Self.resetDisposition()
            for inTask in [true, false] {
                let isCleaned = Flag()
                let body: @Sendable () async throws -> Void = {
                    defer { isCleaned.set() }
                    Self.interrupt()
                    try await Scheduler.sleep(until: .never)
                }
                await #expect(throws: InterruptError()) {
                    if inTask {
                        try await Scheduler.run(Self.options, body)
                    } else {
                        try await onThread { try Scheduler.run(Self.options, body) }
                    }
                }
                #expect(isCleaned.isSet)
            }
        }
    }

    @Test func `a body that swallows the cancellation has its way`() async throws {
        await #expect(processExitsWith: .success) {
            Self.resetDisposition()
            let value = try await Scheduler.run(Self.options) { () throws -> Int in
                Self.interrupt()
                #expect(throws: CancellationError.self) { try Fiber.sleep(until: .never) }
                return 4
            }
            #expect(value == 4)
            await #expect(throws: Failure(number: 5)) {
                try await Scheduler.run(Self.options) { () async throws -> Void in
                    Self.interrupt()
                    do { try await Scheduler.sleep(until: .never) } catch { throw Failure(number: 5) }
                }
            }
        }
    }

    @Test func `the second SIGINT ends the process at once`() async throws {
        await #expect(processExitsWith: .signal(SIGINT)) {
            Self.resetDisposition()
            try await Scheduler.run(Self.options) {
                Self.interrupt()
                #expect(throws: CancellationError.self) { try Fiber.sleep(until: .never) }
                Self.interrupt()
                // Not reached by any turn of a scheduler.
                while true { usleep(1000) }
            }
        }
    }

    @Test func `a runner takes the signal anew for each run, and gives it back`() async throws {
        await #expect(processExitsWith: .signal(SIGINT)) {
            Self.resetDisposition()
            let runner = SchedulerRunner(Self.options)
            for _ in 0..<3 {
                await #expect(throws: InterruptError()) {
                    try await runner.run {
                        Self.interrupt()
                        try Fiber.sleep(until: .never)
                    }
                }
                let value = try await runner.run { () throws -> Int in 6 }
                #expect(value == 6)
            }
            // Between runs the default action is in force.
            Self.interrupt()
            while true { usleep(1000) }
        }
    }

    @Test func `the signal wakes a scheduler that sleeps, from another thread, on any worker`() async throws {
        await #expect(processExitsWith: .success) {
            Self.resetDisposition()
            let options = SchedulerOptions(workers: 3, cancelsOnInterrupt: true)
            let began = Flag()
            let run = Task {
                try await onThread {
                    try Scheduler.run(options) {
                        began.set()
                        try Fiber.sleep(until: .never)
                    }
                }
            }
            try await awaitUntil("the body") { began.isSet }
            try await Task.sleep(for: .milliseconds(5))
            Self.interrupt()
            await #expect(throws: InterruptError()) { try await run.value }
        }
    }

    @Test func `a default action that is back after a handler for one signal is a default action`() async throws {
        await #expect(processExitsWith: .success) {
            useUpHandler(of: SIGINT)
            await #expect(throws: InterruptError()) {
                try await Scheduler.run(Self.options) {
                    Self.interrupt()
                    try Fiber.sleep(until: .never)
                }
            }
        }
    }

    @Test func `a program that handles SIGINT itself, or did not ask, keeps it`() async throws {
        await #expect(processExitsWith: .success) {
            signal(SIGINT, SIG_IGN)
            let value = try await Scheduler.run(Self.options) { () throws -> Int in
                Self.interrupt()
                try Fiber.sleep(for: .milliseconds(5))
                return 1
            }
            #expect(value == 1)
        }
        await #expect(processExitsWith: .signal(SIGINT)) {
            Self.resetDisposition()
            try await Scheduler.run {
                Self.interrupt()
                while true { usleep(1000) }
            }
        }
    }
}
