import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import Ringlet

/// A loop such as a GUI has: it waits for descriptors, and knows nothing of schedulers.
private final class HostLoop {
    let guest: GuestScheduler

    init(_ guest: GuestScheduler) { self.guest = guest }

    /// Whether the guest's descriptor becomes readable.
    func isReadable(within milliseconds: Int32 = 0) -> Bool {
        var watched = pollfd(fd: guest.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&watched, 1, milliseconds) == 1
    }

    /// Calls the guest when its descriptor says so, and not otherwise.
    func run(until isDone: () -> Bool) throws {
        while !isDone() {
            if !isReadable(within: 600_000) { throw WaitedTooLong(what: "the descriptor is readable") }
            guest.runOnce()
        }
    }

    /// Until nothing is ready.
    func settle() throws { try run { !isReadable() } }
}

private func withHost(
    _ options: SchedulerOptions = SchedulerOptions(), _ body: @escaping (HostLoop, Scheduler) throws -> Void
) {
    onPlainThread {
        #expect(throws: Never.self) {
            let guest = try GuestScheduler(options)
            try body(HostLoop(guest), guest.scheduler)
            guest.close()
        }
    }
}

@Suite struct GuestSchedulerTests {
    @Test func `the descriptor says when there is something to do, for whatever reason`() {
        withHost { host, scheduler in
            // A close elsewhere in the process may ask any worker.
            try blockUntil("nothing is ready") { !host.guest.runOnce() && !host.isReadable() }

            // Spawned by the host's code.
            let fiber = scheduler.spawn {
                try Fiber.yield()
                return 1
            }
            #expect(host.isReadable() && !fiber.isFinished)
            try host.run { fiber.isFinished }
            #expect(try fiber.join() == 1)
            try host.settle()

            // Pushed by another thread.
            let calls = Counter()
            onPlainThread { scheduler.soon { calls.add() } }
            try host.run { calls.value == 1 }
            try host.settle()

            // A timer.
            let earliest = Deadline.after(.milliseconds(20))
            let sleeper = scheduler.spawn {
                try Fiber.sleep(for: .milliseconds(20))
                return Deadline.now
            }
            try host.run { sleeper.isFinished }
            #expect(try sleeper.join() >= earliest)
            try host.settle()

            // The kernel.
            let ends = try Ends()
            let reader = scheduler.spawn { try ends.read() }
            try host.settle()
            #expect(!reader.isFinished)
            onPlainThread { ends.write(7) }
            try host.run { reader.isFinished }
            #expect(try reader.join() == 7)
            ends.close()
        }
    }

    /// A watchdog takes a worker for blocked whose pulse is even and stays.
    @Test func `between two turns, and while it waits in one, its worker sleeps`() {
        withHost { host, scheduler in
            let meter = scheduler.workers[0].meter
            let sleeps: @Sendable () -> Bool = { meter.pulse.load(ordering: .relaxed) & 1 == 1 }
            #expect(sleeps())
            let sleptInBody = Shared(true)
            let body = scheduler.spawn { sleptInBody.value = sleeps() }
            try host.run { body.isFinished }
            #expect(!sleptInBody.value)
            #expect(sleeps())
            try host.settle()
            // In a wait that another thread ends: it has been awake since.
            let between = meter.pulse.load(ordering: .relaxed)
            let sleptInWait = Flag()
            let waker = startPlainThread {
                while !sleeps() || meter.pulse.load(ordering: .relaxed) == between { sched_yield() }
                sleptInWait.set()
                scheduler.soon {}
            }
            host.guest.runOnce(deadline: .after(patience))
            pthread_join(waker, nil)
            #expect(sleptInWait.isSet)
        }
    }

    @Test func `tasks run on it, and wait`() {
        withHost { host, scheduler in
            let isHere = Shared(false)
            let done = Flag()
            Task(executorPreference: scheduler.taskExecutor) {
                try await Scheduler.sleep(for: .milliseconds(1))
                try await Task.sleep(for: .milliseconds(1))
                isHere.value = scheduler.isCurrent
                done.set()
            }
            try host.run { done.isSet }
            #expect(isHere.value)
        }
    }

    @Test func `a host without descriptors waits in runOnce, no longer than it says`() {
        withHost { host, scheduler in
            // A close elsewhere in the process may ask any worker.
            try blockUntil("a call waits to its limit") {
                let limit = Deadline.after(.milliseconds(5))
                host.guest.runOnce(deadline: limit)
                return limit.hasPassed
            }

            let fiber = scheduler.spawn { try Fiber.sleep(for: .milliseconds(5)) }
            while !fiber.isFinished { host.guest.runOnce(deadline: .never) }
            try fiber.join()

            // Woken by another thread.
            let calls = Counter()
            let waits = Flag()
            let thread = startPlainThread {
                try? blockUntil("the host waits") { waits.isSet }
                scheduler.soon { calls.add() }
            }
            waits.set()
            while calls.value == 0 { host.guest.runOnce(deadline: .never) }
            pthread_join(thread, nil)
        }
    }

    @Test func `a call is one turn: a storm of yields leaves the host its own`() {
        withHost { host, scheduler in
            let storms = (0..<4).map { _ in
                scheduler.spawn { while true { try Fiber.yield() } }
            }
            for _ in 1...100 {
                #expect(host.isReadable())
                #expect(host.guest.runOnce())
            }
            for storm in storms { storm.cancel() }
            try host.run { storms.allSatisfy { $0.isFinished } }
        }
    }

    @Test func `other workers have threads, and hand over`() {
        withHost(SchedulerOptions(workers: 3)) { host, scheduler in
            let lock = Lock()
            let count = Shared(0)
            let fibers = (0..<30).map { number in
                scheduler.spawn(onWorker: number % 3) {
                    for _ in 1...10 {
                        try lock.withLock {
                            count.value += 1
                            try Fiber.yield()
                        }
                    }
                }
            }
            // An end on another worker is no event of the guest's, one that a fiber of the guest waits for is.
            let all = scheduler.spawn(onWorker: 0) { for fiber in fibers { try fiber.join() } }
            try host.run { all.isFinished }
            #expect(count.value == 300)
        }
    }

    @Test func `whoever waits until nothing is left is told`() {
        withHost { host, scheduler in
            let idle = Flag()
            scheduler.spawn { try Fiber.sleep(for: .milliseconds(5)) }
            let thread = startPlainThread {
                try? scheduler.waitUntilIdle()
                idle.set()
            }
            try blockUntil("it is idle") {
                host.guest.runOnce()
                return idle.isSet
            }
            pthread_join(thread, nil)
        }
    }

    @Test func `the close cancels what is left, which cleans up, and the thread is a plain one again`() {
        onPlainThread { #expect(throws: Never.self) { try close() } }
    }

    private func close() throws {
        let guest = try GuestScheduler()
        #expect(throws: SchedulerError.nestedRun) { try GuestScheduler() }
        #expect(throws: SchedulerError.nestedRun) { try Scheduler.run {} }
        let cleaned = Flag()
        let fiber = guest.scheduler.spawn {
            defer { cleaned.set() }
            try Fiber.sleep(until: .never)
        }
        while guest.runOnce() {}
        guest.close()
        guest.close()
        #expect(!guest.runOnce())
        #expect(cleaned.isSet)
        #expect(throws: CancellationError.self) { try fiber.join() }
        // Another one, which is dropped unclosed, and then a scheduler of the usual kind.
        try { _ = try GuestScheduler().runOnce() }()
        let one = try Scheduler.run { 1 }
        #expect(one == 1)
    }

    @Test func `what would block the host's thread for ever traps, and so does a call from elsewhere`() async throws {
        let joins = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            onPlainThread {
                let guest = try! GuestScheduler()
                let fiber = guest.scheduler.spawn { try Fiber.yield() }
                try? fiber.join()
            }
        }
        try expectReport(joins, says: "fiber.join() would block a worker's thread")
        let inside = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            onPlainThread {
                nonisolated(unsafe) let guest = try! GuestScheduler()
                unsafe guest.scheduler.soon { unsafe guest.runOnce() }
                while true { unsafe guest.runOnce() }
            }
        }
        try expectReport(inside, says: "GuestScheduler.runOnce is called by the host's loop")
        let elsewhere = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            onPlainThread {
                nonisolated(unsafe) let guest = try! GuestScheduler()
                onPlainThread { unsafe guest.runOnce() }
            }
        }
        try expectReport(elsewhere, says: "on the thread that made the guest")
    }
}

/// A pipe.
private final class Ends: Sendable {
    private let (reading, writing): (Int32, Int32)

    init() throws {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
        (reading, writing) = (ends[0], ends[1])
    }

    /// Suspends a fiber until a byte comes.
    func read() throws -> UInt8 {
        try Scheduler.waitReadable(FileDescriptor(rawValue: reading))
        var byte: UInt8 = 0
        guard unsafe Glibc.read(reading, &byte, 1) == 1 else { throw Errno(rawValue: errno) }
        return byte
    }

    func write(_ byte: UInt8) {
        var byte = byte
        _ = unsafe Glibc.write(writing, &byte, 1)
    }

    func close() {
        _ = Glibc.close(reading)
        _ = Glibc.close(writing)
    }
}
