import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// 0 when each of the calls throws what a call in a child throws; otherwise the number of the first that does not.
private func refusals(_ calls: [() throws -> Void]) -> Int32 {
    for (number, call) in calls.enumerated() {
        do {
            try call()
            return Int32(number + 1)
        } catch SchedulerError.forkedChild {
        } catch {
            return Int32(number + 1)
        }
    }
    return 0
}

/// A child of a fork gets errors with a name, and its parent does not notice it.
@Suite(.timeLimit(.patient)) struct ForkTests {
    /// Whatever a worker of the parent was in the middle of.
    @Test func `the parent's figures can be read in a child`() async {
        await #expect(processExitsWith: .success) {
            try await withScheduler { scheduler in
                let stop = Flag()
                let busy = scheduler.spawn { while !stop.isSet { try Fiber.yield() } }
                try await onThread {
                    for _ in 0..<300 {
                        let status = inChild { scheduler.counters.liveFibers == 1 ? 0 : 1 }
                        #expect(status == .exitCode(0))
                        if status != .exitCode(0) { break }
                    }
                }
                stop.set()
                try await busy.join()
            }
        }
    }

    @Test func `a child that a plain thread forks has no scheduler, old or new`() async throws {
        await #expect(processExitsWith: .success) {
            let scheduler = try Scheduler(SchedulerOptions(workers: 2))
            let sleeper = scheduler.spawn { try Fiber.sleep(until: .never) }
            let ended = scheduler.spawn { 3 }
            _ = try await ended.join()
            let status = try await onThread {
                inChild {
                    sleeper.cancel()
                    let spawned = scheduler.spawn { 4 }
                    guard try ended.join() == 3, scheduler.shutdown() == ShutdownReport() else {
                        return 98
                    }
                    return refusals([
                        { try sleeper.join() },
                        { _ = try spawned.join() },
                        { try Scheduler.run {} },
                        { _ = try Scheduler() },
                        { try Scheduler.run { () async in } },
                    ])
                }
            }
            #expect(status == .exitCode(0))
            #expect(!sleeper.isCancelled)
            let value = try await scheduler.spawn { try Fiber.yield(); return 5 }.join()
            #expect(value == 5)
        }
    }

    @Test func `a child that a fiber forks goes on up to its exit, and waits for nothing`() async throws {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run {
                let (client, server) = try connectedPair()
                let bystander = Fiber { try Fiber.sleep(for: .milliseconds(1)) }
                var buffer = Buffer(capacity: 10)
                let status = inChild {
                    guard Scheduler.current == nil, AnyFiber.current == nil else { return 98 }
                    let generated = Array(Generator(of: Int.self) { yield in try yield(1) })
                    guard generated == [1] else { return 97 }
                    return refusals([
                        { try Fiber.yield() },
                        { try Fiber.sleep(for: .zero) },
                        { try Fiber.checkCancellation() },
                        { try withoutCancellation { try Fiber.yield() } },
                        { try Fiber.await {} },
                        { try client.write(Buffer(copying: [1])) },
                        { try server.close() },
                        { _ = try File.open("/dev/null") },
                        { try bystander.join() },
                    ])
                }
                #expect(status == .exitCode(0))
                try client.write(Buffer(copying: [7]))
                try server.read(into: &buffer)
                #expect([UInt8](buffer) == [7])
                try bystander.join()
            }
        }
    }

    @Test func `a child has the pool anew, without what was queued in the parent`() async throws {
        await #expect(processExitsWith: .success) {
            let pool = try ThreadPool(limit: 1)
            let gate = ThreadGate()
            let ran = Flag()
            let running = pool.spawn { gate.pass() }
            let waiting = pool.spawn { ran.set() }
            try await awaitUntil("the thread is taken") { gate.arrived == 1 }
            let status = try await onThread {
                inChild {
                    guard pool.counts == ThreadPoolCounts(), try pool.run({ 4 }) == 4 else { return 98 }
                    let jobs = (0..<20).map { number in pool.spawn { number } }
                    guard try jobs.map({ try $0.join() }) == Array(0..<20) else { return 97 }
                    guard pool.shutdown() == ThreadPoolReport(), !ran.isSet else { return 96 }
                    return refusals([{ try running.join() }, { try waiting.join() }])
                }
            }
            #expect(status == .exitCode(0))
            gate.open()
            try await waiting.join()
            #expect(await pool.shutdown() == ThreadPoolReport())
        }
    }

    @Test func `a child has no children of its parent's, and starts none`() async throws {
        await #expect(processExitsWith: .success) {
            let running = try await Command("sleep", "100000", input: .pipe).start()
            let ended = try await Command("true").start()
            try await ended.wait()
            let status = try await onThread {
                inChild {
                    refusals([
                        { try running.wait() },
                        { try ended.wait() },
                        { try running.kill() },
                        { try running.input.write(Buffer(copying: [1])) },
                        { _ = try Command("true").start() },
                        { try Command("true").run() },
                        { _ = try ChildProcess(adopting: 1) },
                    ])
                }
            }
            #expect(status == .exitCode(0))
            #expect(running.status == nil && ended.status == .exited(0))
            try running.kill()
            let killed = try await running.wait()
            #expect(killed == .killed(by: .kill))
        }
    }

    private static func descriptors() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }
    }

    private static func target(of descriptor: Int32) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
    }

    private static func isOfRing(_ descriptor: Int32) -> Bool {
        target(of: descriptor).map { target in
            ["io_uring", "eventpoll", "eventfd"].contains { target.contains($0) }
        } ?? false
    }

    /// The child's copies lead nowhere: not to the ring, not to the epoll set, not to what wakes a worker.
    @Test func `a child has neither its parent's ring nor its descriptors`() async throws {
        await #expect(processExitsWith: .success) {
            // What the runtime opens at its first timer is not the library's.
            _ = try await settledDescriptors()
            let before = Set(Self.descriptors().filter(Self.isOfRing))
            let scheduler = try Scheduler(SchedulerOptions(workers: 3))
            try await scheduler.spawn { _ = try? File.open("/nowhere") }.join()
            let own = Self.descriptors().filter { !before.contains($0) && Self.isOfRing($0) }
            #expect(own.count >= 6)
            // The control: the parent does have what the child must not.
            let maps = try memoryMaps()
            #expect(maps.contains("io_uring") == (scheduler.kernel.name == "io_uring"), "\(maps)")
            let status = try await onThread {
                inChild {
                    if try memoryMaps().contains("io_uring") { return 1 }
                    for number in own {
                        guard Self.target(of: number)?.contains("eventfd") == true else { return 2 }
                        if fcntl(number, F_GETFD) & FD_CLOEXEC == 0 { return 3 }
                    }
                    for worker in scheduler.workers {
                        worker.inbox.wake.signal()
                        if worker.ring.enter(wait: true, timeout: -1) >= 0 { return 4 }
                    }
                    return 0
                }
            }
            #expect(status == .exitCode(0))
        }
    }

    /// Under ThreadSanitizer the runtime takes the lock of what is made once at each of its uses (`once_slow` of Swift
    /// 6.3), so that a child finds it taken again and again by threads that it does not have.
    @Test(.enabled(if: !threadSanitizer, "under ThreadSanitizer busy threads hold locks of the Swift runtime"))
    func `children do not take their parent's events away`() async throws {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run(SchedulerOptions(workers: 2)) {
                let scheduler = try #require(Scheduler.current)
                let stop = Flag()
                let load = (0..<4).map { index in
                    scheduler.spawn(onWorker: index % 2) { () -> Int in
                        let (client, server) = try connectedPair()
                        let answerer = Fiber { try echo(server) }
                        var rounds = 0
                        var buffer = Buffer(capacity: 1)
                        while !stop.isSet {
                            try client.write(Buffer(copying: [1]))
                            let count = try client.read(into: &buffer, deadline: .after(patience))
                            #expect(count == 1)
                            rounds += 1
                        }
                        try client.close()
                        try answerer.join()
                        return rounds
                    }
                }
                // What generic code needs the runtime makes at its first use, under a lock that a child could find
                // taken by a thread which it does not have. So each is used before.
                for worker in scheduler.workers { worker.inbox.notify() }
                for worker in 0..<2 {
                    let sleeper = scheduler.spawn(onWorker: worker) { try Fiber.sleep(for: .milliseconds(5)) }
                    try sleeper.join()
                }
                for _ in 0..<50 {
                    let status = inChild {
                        scheduler.spawn {}
                        for worker in scheduler.workers { worker.inbox.notify() }
                        return 0
                    }
                    #expect(status == .exitCode(0))
                    try Fiber.sleep(for: .milliseconds(1))
                }
                stop.set()
                for fiber in load { #expect(try fiber.join() > 0) }
            }
        }
    }

    // MARK: Back to the loop

    private static let farewell = "ringlet-test: this ran in the child\n"

    private static func expectTrap(_ result: ExitTest.Result?, _ words: String) {
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains(words), "stderr: \(output)")
        #expect(!output.contains(Self.farewell), "stderr: \(output)")
        #expect(result?.exitStatus == .exitCode(0))
    }

    /// Says so when it runs in another process than the one it was made in.
    private static func makeBystanders() -> [Fiber<Void>] {
        let parent = getpid()
        return (0..<3).map { index in
            Fiber {
                if index == 2 { try Fiber.sleep(for: .milliseconds(5)) } else { try Fiber.yield() }
                if getpid() != parent { _ = unsafe write(2, farewell, farewell.utf8.count) }
            }
        }
    }

    @Test func `a fiber that ends in the child traps, and no other runs there`() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await Scheduler.run {
                let bystanders = Self.makeBystanders()
                let child = try Fiber { fork() }.join()
                #expect(wait(for: child) == .signal(SIGILL))
                for fiber in bystanders { try fiber.join() }
            }
        }
        Self.expectTrap(result, "a fiber waits or ends in the child of a fork")
    }

    @Test(arguments: [true, false])
    func `a task that returns in the child traps, and nothing else runs there`(waits: Bool) async {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) { [waits] in
            let scheduler = try Scheduler()
            try await Task(executorPreference: scheduler.taskExecutor) {
                let bystanders = Self.makeBystanders()
                let child = fork()
                if child == 0 {
                    if waits { await Task.yield() }
                    return
                }
                #expect(wait(for: child) != .exitCode(0))
                for fiber in bystanders { try await fiber.join() }
            }.value
        }
        Self.expectTrap(result, "returned to its scheduler in the child of a fork")
    }
}
