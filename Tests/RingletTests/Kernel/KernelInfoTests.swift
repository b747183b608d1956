import Glibc
import SystemPackage
import Testing

@testable import Ringlet

/// What the kernel gives, and what happens when it does not.
@Suite(.timeLimit(.minutes(2))) struct KernelInfoTests {
    @Test func `a scheduler says what it runs on`() throws {
        let scheduler = try Scheduler()
        defer { scheduler.shutdown() }
        #expect(scheduler.kernel.name == "io_uring")
        #expect(scheduler.kernel.submissionEntries == 128)
        #expect(scheduler.kernel.completionEntries == 1024)
        #expect(scheduler.kernel.description.hasPrefix("io_uring, setup flags 0x"))
    }

    @Test func `a mask takes a lower rung of the setup ladder`() throws {
        let deferred: UInt32 = 1 << 13
        let cooperative: UInt32 = 1 << 8
        let old = try Ring.make(mask: .linux5_15)
        #expect(old.info.setupFlags == 0)
        #expect(!old.canCancelByDescriptor)
        old.destroy()
        let newer = try Ring.make(mask: .linux5_19)
        #expect(newer.info.setupFlags & (deferred | cooperative) == cooperative)
        #expect(newer.canCancelByDescriptor)
        newer.destroy()
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become somebody else"))
    func `64 KiB of locked memory are enough for a worker, and too little for many`() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit(rlim_cur: 64 * 1024, rlim_max: 64 * 1024)
            #expect(unsafe setrlimit(__rlimit_resource_t(8) /* MEMLOCK */, &limit) == 0)
            // The kernel charges nothing to those who may lock what they like. An id of our own, since the
            // limit is per user and other processes may have rings.
            #expect(setuid(54_321) == 0)
            let value = try await Scheduler.run { 42 }
            #expect(value == 42)
            let refusal = #expect(throws: KernelRefusal.self) {
                _ = try Scheduler(SchedulerOptions(workers: 64))
            }
            #expect(refusal?.errno == .noMemory)
            #expect(refusal?.description.contains("locked memory") == true)
        }
    }
}
