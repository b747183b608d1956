import Glibc
import SystemPackage
import Testing

@testable @_spi(Testing) import Ringlet

/// Rings that cannot be made, or not at once.
@Suite(.timeLimit(.patient)) struct SetupFaultTests {
    @Test(
        arguments: KernelPreference.underFaults,
        [(refusals: 1, submissions: 128, completions: 512), (2, 64, 256)])
    func `queues are halved while there is no memory for them`(
        kernel: KernelPreference, expected: (refusals: Int, submissions: Int, completions: Int)
    ) async throws {
        let faulty = try FaultyScheduler(
            kernel, [.setupFails(.noMemory).at(times: expected.refusals)])
        #expect(faulty.scheduler.kernel.submissionEntries == expected.submissions)
        #expect(faulty.scheduler.kernel.completionEntries == expected.completions)
        // Small queues serve as well.
        let ended = try await faulty.scheduler.spawn { () -> Int in
            let (client, server) = try connectedPair()
            let readers = (0..<1000).map { _ in
                Fiber { () -> Int in
                    var buffer = Buffer(capacity: 1)
                    return try server.read(into: &buffer)
                }
            }
            try client.write(Stream.buffer(count: 1000))
            return try readers.reduce(0) { try $0 + $1.join(deadline: .after(patience)) }
        }.join()
        #expect(ended == 1000)
        try await faulty.end()
    }

    @Test func `when not even the smallest queues fit, all workers are emulated`() async throws {
        await #expect(processExitsWith: .success) {
            _ = unsafe unsetenv("RINGLET_KERNEL")
            // The first two rings are made, the third is refused in all four sizes.
            let faulty = try FaultyScheduler(
                .automatic, workers: 3, [.setupFails(.noMemory).at(after: 2, times: 4)])
            #expect(faulty.scheduler.kernel.name == "emulated")
            #expect(faulty.scheduler.kernel.reason?.contains("locked memory") == true)
            #expect(faulty.scheduler.kernel.submissionEntries == Int(Ring.submissionEntries))
            try await faulty.end()
        }
    }

    @Test(arguments: KernelPreference.underFaults, [Errno.noMemory, .permissionDenied])
    func `a refusal at the set-up names the step and what the kernel said`(
        kernel: KernelPreference, error: Errno
    ) async throws {
        let refusal = #expect(throws: KernelRefusal.self) {
            _ = try FaultyScheduler(kernel, workers: 2, [.setupFails(error).at(times: .max)])
        }
        #expect(refusal?.stage == .setup)
        #expect(refusal?.errno == error)
    }

    @Test(.needsDisabledRings, arguments: KernelPreference.enabledByWorkers, [0, 1, 2])
    func `a worker whose ring cannot be enabled ends the others and leaks nothing`(
        kernel: KernelPreference, failing: Int
    ) async throws {
        let name = kernel.rawValue
        await #expect(processExitsWith: .success) { [name = name as String, failing] in
            let kernel = try #require(KernelPreference(rawValue: name))
            try await Scheduler.run(SchedulerOptions(kernel: kernel)) {}
            let before = try await settledDescriptors()
            let refusal = #expect(throws: KernelRefusal.self) {
                _ = try FaultyScheduler(
                    kernel, workers: 3, [.enableFails(.noMemory).inRing(failing)])
            }
            #expect(refusal?.stage == .enable)
            #expect(refusal?.errno == .noMemory)
            try await awaitUntil("nothing is left open") { openDescriptors() <= before }
        }
    }

    @Test(.needsDisabledRings, arguments: KernelPreference.enabledByWorkers, [0, 1])
    func `a run whose worker cannot be enabled throws, and leaks nothing`(
        kernel: KernelPreference, failing: Int
    ) async throws {
        let name = kernel.rawValue
        await #expect(processExitsWith: .success) { [name = name as String, failing] in
            let kernel = try #require(KernelPreference(rawValue: name))
            try await Scheduler.run(SchedulerOptions(kernel: kernel)) {}
            let before = try await settledDescriptors()
            // Worker 0 runs on the calling thread, the others on threads of their own.
            let refusal = await #expect(throws: KernelRefusal.self) {
                try await onThread {
                    var options = SchedulerOptions(workers: 3, kernel: kernel)
                    let faults = KernelFaults()
                    faults.add(.enableFails(.noMemory).inRing(failing))
                    options.faults = faults
                    try Scheduler.run(options) {}
                }
            }
            #expect(refusal?.stage == .enable)
            try await awaitUntil("nothing is left open") { openDescriptors() <= before }
        }
    }

    @Test(.needsDisabledRings, arguments: KernelPreference.enabledByWorkers)
    func `a worker that starts late gets all that was meant for it`(kernel: KernelPreference)
        async throws
    {
        let faulty = try FaultyScheduler(
            kernel, workers: 3, [.enableIsLate(microseconds: 50_000).inRing(1)])
        let fibers = (0..<30).map { number in
            faulty.scheduler.spawn(onWorker: number % 3) { () -> Int in
                try Fiber.sleep(for: .microseconds(100))
                return number
            }
        }
        for (number, fiber) in fibers.enumerated() {
            let value = try await fiber.join(deadline: .after(patience))
            #expect(value == number)
        }
        #expect(faulty.faults.count(.enableIsLate(microseconds: 0)) == 1)
        try await faulty.end()
    }

    @Test func `the environment asks for faults by a seed`() async {
        await #expect(processExitsWith: .success) {
            _ = unsafe setenv("RINGLET_FAULTS", "7", 1)
            let scheduler = try Scheduler()
            #expect(scheduler.state.kernel.faults != nil)
            scheduler.shutdown()
            _ = unsafe setenv("RINGLET_FAULTS", "many", 1)
            #expect(throws: SchedulerError.self) { _ = try Scheduler() }
            _ = unsafe unsetenv("RINGLET_FAULTS")
            let sound = try Scheduler()
            #expect(sound.state.kernel.faults == nil)
            sound.shutdown()
        }
    }
}
