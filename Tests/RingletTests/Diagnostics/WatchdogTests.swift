import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// Scenario 84: a blocked loop is reported from a watchdog thread with its stack.
@Suite(.timeLimit(.patient)) struct WatchdogTests {
    private static func options(
        workers: Int = 1, _ handler: @escaping @Sendable (BlockedWorkerReport) -> Void
    ) -> SchedulerOptions {
        var options = SchedulerOptions(workers: workers)
        options.watchdog = Watchdog(threshold: .milliseconds(30), handler: handler)
        return options
    }

    private static func names(_ report: BlockedWorkerReport?) -> [String] {
        (report?.backtrace ?? []).map(\.description)
    }

    /// Once, and again only when it has lasted ten times as long.
    private static func areFarApart(_ reports: [BlockedWorkerReport]) -> Bool {
        zip(reports, reports.dropFirst()).allSatisfy { $1.duration >= $0.duration * 10 }
    }

    @Test func `a fiber that computes is named, with its stack, once`() async throws {
        let reports = Journal<BlockedWorkerReport>()
        @Sendable func isReported(_ name: String) -> Bool { reports.all.contains { $0.fiber?.name == name } }
        let line = #line + 2
        try await Scheduler.run(Self.options { reports.note($0) }) {
            let fiber = Fiber(name: "hog") {
                try computeHere { isReported("hog") }
                // Longer than a threshold after the report, and still once.
                let end = Deadline.after(.milliseconds(100))
                try computeHere { end.hasPassed }
            }
            try fiber.join()
            // Another turn: what one turn runs is one blockage.
            try Fiber.sleep(for: .milliseconds(1))
            try Fiber(name: "second") { try computeHere { isReported("second") } }.join()
        }
        let first = try #require(reports.all.first { $0.fiber?.name == "hog" })
        #expect(first.worker == 0 && first.duration >= .milliseconds(30))
        #expect(first.fiber?.spawnSite?.line == line)
        #expect(first.fiber?.parentID != nil)
        #expect(Self.names(first).contains { $0.contains("computeHere") }, "\(first)")
        #expect(first.description.contains("'hog', spawned at RingletTests/WatchdogTests.swift:\(line)"))
        #expect(Self.areFarApart(reports.all.filter { $0.fiber?.name == "hog" }))
        #expect(Self.areFarApart(reports.all.filter { $0.fiber?.name == "second" }))
    }

    /// The frame pointer is the caller's where a function begins and where it returns, and a call through a pointer does
    /// not say whom it calls.
    @Test func `no caller is missing where a function begins or returns`() async throws {
        // What handles the samples' signal comes with a watchdog, which here looks at nothing itself.
        var options = SchedulerOptions(workers: 2)
        options.watchdog = Watchdog(threshold: .seconds(3600))
        try await Scheduler.run(options) {
            let scheduler = try #require(Scheduler.current)
            let hasBegun = Flag()
            let isOver = Flag()
            let hog = scheduler.spawn(onWorker: 1) {
                callOften {
                    hasBegun.set()
                    return isOver.isSet
                }
            }
            try blockUntil("the fiber runs") { hasBegun.isSet }
            var incomplete: [[String]] = []
            var samples = 0
            let limit = Deadline.after(patience)
            while samples < 300 && !limit.hasPassed {
                let names = WorkerSample(of: scheduler.workers[1]).backtrace.map(\.description)
                if names.isEmpty { continue }
                samples += 1
                if !names.contains(where: { $0.contains("callOften") }) { incomplete.append(names) }
            }
            isOver.set()
            try hog.join()
            #expect(samples == 300)
            #expect(incomplete.isEmpty, "\(incomplete.count), such as \(incomplete.first ?? [])")
        }
    }

    /// A turn runs several things before it looks at the clock.
    @Test func `what blocks after something that was reported in the same turn is reported, too`() async throws {
        let reports = Journal<BlockedWorkerReport>()
        @Sendable func isReported(_ name: String) -> Bool { reports.all.contains { $0.fiber?.name == name } }
        try await Scheduler.run(Self.options { reports.note($0) }) {
            let fibers = ["first", "next"].map { name in Fiber(name: name) { try computeHere { isReported(name) } } }
            for fiber in fibers { try fiber.join() }
        }
        #expect(isReported("first") && isReported("next"))
    }

    /// poll(2) ends with EINTR at any signal that is handled.
    @Test func `a call that blocks is not cut short, and its caller is found`() async throws {
        let reports = Journal<BlockedWorkerReport>()
        let obstacle = try BlockingPipe()
        let options = Self.options { report in
            // It may be late on its way to the call.
            guard report.fiber?.name == "sleeper", Self.names(report).contains(where: { $0.contains("poll") }) else { return }
            reports.note(report)
            obstacle.end()
        }
        let result = try await Scheduler.run(options) {
            try Fiber(name: "sleeper") { blockHere(obstacle) }.join()
        }
        #expect(result == 1, "poll was interrupted")
        let report = try #require(reports.all.first)
        #expect(Self.names(report).contains { $0.contains("blockHere") }, "\(report)")
    }

    @Test func `a task that blocks the thread of a worker is reported without a fiber`() async throws {
        let reports = Journal<BlockedWorkerReport>()
        let obstacle = try BlockingPipe()
        let options = Self.options(workers: 2) { report in
            guard report.backtrace.contains(where: { $0.description.contains("poll") }) else { return }
            reports.note(report)
            obstacle.end()
        }
        try await Scheduler.run(options) { () async throws in
            #expect(blockHere(obstacle) == 1)
        }
        let report = try #require(reports.all.first)
        #expect(report.fiber == nil)
        #expect(Self.names(report).contains { $0.contains("BlockingPipe") }, "\(report)")
    }

    @Test func `workers that sleep, or are busy with many things, are no blockage`() async throws {
        let reports = Journal<BlockedWorkerReport>()
        try await Scheduler.run(Self.options(workers: 2) { reports.note($0) }) {
            try Fiber.sleep(for: .milliseconds(100))
            let scheduler = try #require(Scheduler.current)
            let yielders = (0..<4).map { index in
                scheduler.spawn(onWorker: index % 2) {
                    let end = Deadline.after(.milliseconds(150))
                    while !end.hasPassed { try Fiber.yield() }
                }
            }
            for fiber in yielders { try fiber.join() }
        }
        // A machine that gives a thread no time for so long blocks it; nobody is to blame then.
        let blamed = reports.all.filter { report in
            Self.names(report).contains { $0.contains("waitForCompletions") || $0.contains("io_uring") }
        }
        #expect(blamed.isEmpty, "\(blamed)")
    }

    @Test func `a handler of SIGURG that was there before goes on working`() async {
        await #expect(processExitsWith: .success) {
            try await onThread {
                signal(SIGURG) { _ in strangersSignals.add() }
                let reports = Journal<BlockedWorkerReport>()
                try Scheduler.run(Self.options { reports.note($0) }) {
                    try computeHere { reports.count > 0 }
                }
                kill(getpid(), SIGURG)
                try blockUntil("the signal") { strangersSignals.value == 1 }
            }
        }
    }

    @Test func `a handler of SIGURG that was there before and is used up is not called`() async {
        await #expect(processExitsWith: .success) {
            try await onThread {
                useUpHandler(of: SIGURG)
                let reports = Journal<BlockedWorkerReport>()
                try Scheduler.run(Self.options { reports.note($0) }) {
                    try computeHere { reports.count > 0 }
                }
                raiseHere(SIGURG)
            }
        }
    }

    @Test func `thresholds that make no sense are refused`() {
        for threshold in [Duration.zero, .milliseconds(-1), .seconds(100_000)] {
            var options = SchedulerOptions()
            options.watchdog = Watchdog(threshold: threshold)
            #expect(throws: SchedulerError.self) { try Scheduler(options) }
        }
        let one = Watchdog(threshold: .seconds(1)) { _ in }
        #expect(one == one && one != Watchdog(threshold: .seconds(1)))
        #expect(Watchdog() == Watchdog() && Watchdog() != Watchdog(threshold: .seconds(2)))
    }
}

private let strangersSignals = Counter()

/// Keeps its thread without a call into the kernel.
@inline(never)
private func computeHere(until isDone: () -> Bool) throws {
    let limit = Deadline.after(patience)
    while !isDone() && !limit.hasPassed {}
    if limit.hasPassed { throw WaitedTooLong(what: "a report") }
}

@inline(never)
private func callOften(until isDone: () -> Bool) {
    while !isDone() {}
}

/// A pipe that nobody has written to.
private struct BlockingPipe {
    private let ends: [Int32]

    init() throws {
        var ends: [Int32] = [-1, -1]
        if unsafe pipe(&ends) != 0 { throw Errno(rawValue: errno) }
        self.ends = ends
    }

    /// What poll(2) returns, once somebody has written.
    func wait() -> Int32 {
        var polled = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
        return unsafe poll(&polled, 1, Int32(patience.components.seconds * 1000))
    }

    func end() { _ = unsafe write(ends[1], [1], 1) }
}

/// Blocks its thread in a system call.
@inline(never)
private func blockHere(_ obstacle: BlockingPipe) -> Int32 {
    let result = obstacle.wait()
    return result
}
