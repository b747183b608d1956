import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// Scenario 34: debug mode, and promises about waiting.
@Suite(.timeLimit(.patient)) struct DebugTests {
    private static func options(_ reports: Journal<SlowStepReport>) -> SchedulerOptions {
        var options = SchedulerOptions()
        options.debug = DebugMode(slowStep: .milliseconds(20)) { reports.note($0) }
        return options
    }

    /// Keeps the thread, without waiting.
    private static func compute(_ duration: Duration) {
        let end = Deadline.after(duration)
        while !end.hasPassed {}
    }

    @Test func `scenario 34: steps of fibers and tasks that took long are reported`() async throws {
        let reports = Journal<SlowStepReport>()
        let line = #line + 2
        try await Scheduler.run(Self.options(reports)) {
            let slow = Fiber(name: "slow") { Self.compute(.milliseconds(40)) }
            try slow.join()
            try Fiber(name: "twice") {
                Self.compute(.milliseconds(25))
                try Fiber.yield()
                Self.compute(.milliseconds(25))
            }.join()
            try Fiber.await { Self.compute(.milliseconds(30)) }
            // Many short steps are no slow one.
            try Fiber(name: "quick") { for _ in 0..<40 { Self.compute(.milliseconds(1)); try Fiber.yield() } }.join()
        }
        let taskReports = Journal<SlowStepReport>()
        try await Scheduler.run(Self.options(taskReports)) { () async throws in
            let slow = taskHere {
                await Task.yield()
                Self.compute(.milliseconds(40))
                await Task.yield()
            }
            try await slow.value
        }
        let ofTask = try #require(taskReports.all.first { $0.duration >= .milliseconds(40) })
        #expect(ofTask.fiber == nil && ofTask.callback == nil)
        #expect(ofTask.description.hasPrefix("a task or watcher ran for"))
        let callbackLine = #line + 2
        try await Scheduler.run(Self.options(reports)) {
            try #require(Scheduler.current).soon { Self.compute(.milliseconds(30)) }
            try #require(Scheduler.current).waitUntilIdle()
        }
        let callback = try #require(reports.all.first { $0.callback != nil })
        #expect(callback.fiber == nil && callback.callback?.line == callbackLine)
        #expect(callback.description.contains("a callback asked for at RingletTests/DebugTests.swift:\(callbackLine)"))
        let named = reports.all.filter { $0.fiber?.name == "slow" }
        let report = try #require(named.first)
        #expect(named.count == 1 && report.duration >= .milliseconds(40))
        #expect(report.fiber?.spawnSite?.line == line)
        #expect(report.description.hasPrefix("fiber "))
        #expect(report.description.contains("'slow', spawned at RingletTests/DebugTests.swift:\(line) ran for"))
        #expect(reports.all.filter { $0.fiber?.name == "twice" }.count == 2)
    }

    @Test func `scenario 34: what belongs to one thread is refused on another`() async throws {
        let coroutine = Coroutine<Int> { $0 }
        let refused = Unchecked(value: coroutine)
        let error = try await onThread { errorThrown { _ = try refused.value.switch(1) } }
        #expect(error is CoroutineError)
    }

    @Test func `the environment turns debug mode on, and nonsense is refused`() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            _ = unsafe setenv("RINGLET_DEBUG", "1", 1)
            try await Scheduler.run {
                try Fiber(name: "slow") { Self.compute(.milliseconds(120)) }.join()
            }
            _ = unsafe setenv("RINGLET_DEBUG", "yes", 1)
            #expect(throws: SchedulerError.self) { try Scheduler() }
            _ = unsafe setenv("RINGLET_DEBUG", "0", 1)
            try await Scheduler.run {}
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("'slow', spawned at "), "stderr: \(output)")
    }

    // MARK: Promises

    @Test func `in a part without suspension every wait throws before it begins`() async throws {
        try await Scheduler.run {
            let (client, server) = try connectedPair()
            let ended = Fiber { 5 }
            let endless = Fiber { try Fiber.sleep(until: .never) }
            _ = try ended.join()
            var buffer = Buffer(capacity: 1)
            let lock = Lock()
            try lock.lock()
            let channel = Channel<Int>()
            let pool = try FiberPool(capacity: 1)
            let threads = try ThreadPool(limit: 1)
            let waits: [() throws -> Void] = [
                { try Fiber.yield() },
                { try Fiber.sleep(for: .milliseconds(1)) },
                { try Scheduler.sleep(until: .never) },
                { try endless.join() },
                { try server.read(into: &buffer) },
                { try client.write(Buffer(copying: [1])) },
                { try client.close() },
                { _ = try File.open("/dev/null") },
                { try Fiber.await {} },
                { try lock.lock() },
                { try Event().wait() },
                { _ = try channel.receive() },
                { _ = try withGroup { group in try group.spawn { try Fiber.yield() } } },
                { _ = try pool.map([1], { number in number }) },
                { _ = try threads.run { 1 } },
            ]
            for (number, wait) in waits.enumerated() {
                let error = errorThrown { try Fiber.withoutSuspension(.throw) { try wait() } }
                #expect(error as? SuspensionError == .waited, "wait \(number): \(String(describing: error))")
            }
            let value = try Fiber.withoutSuspension {
                try Fiber.checkCancellation()
                try lock.unlock()
                try lock.withLock {}
                return try Fiber.withoutSuspension(.throw) { try ended.join() }
            }
            #expect(value == 5)
            // Nothing has begun, and nothing is left over.
            try client.write(Buffer(copying: [7]))
            try server.read(into: &buffer)
            #expect([UInt8](buffer) == [7])
            endless.cancel()
        }
    }

    @Test func `a cancelled fiber's waits end by cancellation in such a part`() async throws {
        try await Scheduler.run {
            let fiber = Fiber {
                try? Fiber.sleep(until: .never)
                try Fiber.withoutSuspension { try Fiber.yield() }
            }
            try Fiber.yield()
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
        }
    }

    @Test func `a wait in a part without suspension traps`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            try await Scheduler.run {
                try Fiber(name: "hasty") { try Fiber.withoutSuspension { try Fiber.sleep(for: .zero) } }.join()
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("'hasty' was about to wait inside Fiber.withoutSuspension"), "stderr: \(output)")
    }

    @Test func `a part with suspension has to wait`() async throws {
        try await Scheduler.run {
            #expect(throws: SuspensionError.didNotWait) { try Fiber.withSuspension {} }
            #expect(throws: SuspensionError.didNotWait) {
                try Fiber.withSuspension { Fiber {} }
            }
            try Fiber.withSuspension { try Fiber.yield() }
            try Fiber.withSuspension { try Fiber.sleep(for: .microseconds(10)) }
            try Fiber.withSuspension { try Fiber.await { await Task.yield() } }
            let error = errorThrown { try Fiber.withSuspension { try fail() } }
            #expect(error is Failure)
        }
    }
}

private func fail() throws { throw Failure() }

/// A value that the test hands to another thread on purpose.
private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
}
