import Glibc
import SystemPackage
import Testing

@testable import Ringlet

/// What the kernel gives, and what happens when it does not.
@Suite(.timeLimit(.patient)) struct KernelInfoTests {
    @Test(arguments: ["io_uring", "emulated"])
    func `a scheduler says what it runs on`(name: String) async {
        await #expect(processExitsWith: .success) { [name] in
            _ = unsafe setenv("RINGLET_KERNEL", name, 1)
            let scheduler = try Scheduler()
            defer { scheduler.shutdown() }
            #expect(scheduler.kernel.name == name)
            #expect(scheduler.kernel.submissionEntries == Int(Ring.submissionEntries))
            #expect(scheduler.kernel.completionEntries == 1024)
            #expect(scheduler.kernel.description.hasPrefix("\(name), setup flags 0x"))
            #expect((scheduler.kernel.reason == nil) == (name == "io_uring"))
        }
    }

    @Test func `the kernel can be chosen in the program, and the environment has the last word`() async {
        await #expect(processExitsWith: .success) {
            _ = unsafe unsetenv("RINGLET_KERNEL")
            let chosen = try Scheduler(SchedulerOptions(kernel: .emulated))
            #expect(chosen.kernel.name == "emulated")
            chosen.shutdown()
            _ = unsafe setenv("RINGLET_KERNEL", "emulated", 1)
            let overruled = try Scheduler(SchedulerOptions(kernel: .ioUring))
            #expect(overruled.kernel.name == "emulated")
            overruled.shutdown()
            _ = unsafe setenv("RINGLET_KERNEL", "epoll", 1)
            #expect(throws: SchedulerError.self) { _ = try Scheduler() }
        }
    }

    @Test func `only a refusal that emulation can answer leads to it`() {
        for cause in [Errno.noFunction, .notPermitted, .permissionDenied, .noMemory] {
            #expect(KernelRefusal(stage: .setup, error: -cause.rawValue).leavesEmulation)
        }
        #expect(KernelRefusal(stage: .features, error: -EOPNOTSUPP).leavesEmulation)
        #expect(!KernelRefusal(stage: .setup, error: -EMFILE).leavesEmulation)
        #expect(!KernelRefusal(stage: .wakeDescriptor, error: -EMFILE).leavesEmulation)
    }

    @Test func `a mask takes a lower rung of the setup ladder`() throws {
        let deferred: UInt32 = 1 << 13
        let cooperative: UInt32 = 1 << 8
        let old = try Ring.make(on: KernelChoice(mask: KernelMask(.linux5_15)), forWorker: 0)
        #expect(old.info(nil).setupFlags == 0)
        #expect(!old.canCancelByDescriptor)
        old.destroy()
        let newer = try Ring.make(on: KernelChoice(mask: KernelMask(.linux5_19)), forWorker: 0)
        #expect(newer.info(nil).setupFlags & (deferred | cooperative) == cooperative)
        #expect(newer.canCancelByDescriptor)
        newer.destroy()
    }

    @Test func `operations that are taken away are emulated, and named`() async {
        await #expect(processExitsWith: .success) {
            _ = unsafe setenv("RINGLET_KERNEL", "io_uring", 1)
            _ = unsafe setenv("RINGLET_KERNEL_MASK", "6.1,-recv,-openat", 1)
            let scheduler = try Scheduler()
            #expect(scheduler.kernel.name == "io_uring")
            #expect(scheduler.kernel.emulatedOperations == ["openat", "recv"])
            #expect(scheduler.kernel.description.contains("openat, recv emulated"))
            scheduler.shutdown()
            // Of these the emulated ring beside the kernel's has need itself.
            _ = unsafe setenv("RINGLET_KERNEL_MASK", "-poll_add", 1)
            let refusal = #expect(throws: KernelRefusal.self) { _ = try Scheduler() }
            #expect(refusal?.stage == .features)
            _ = unsafe setenv("RINGLET_KERNEL", "auto", 1)
            let emulated = try Scheduler()
            #expect(emulated.kernel.name == "emulated")
            #expect(emulated.kernel.emulatedOperations.isEmpty)
            emulated.shutdown()
        }
    }

    @Test func `a mask is a version, operations, or both`() {
        #expect(KernelMask("")?.lacking == 0)
        #expect(KernelMask("5.19")?.version == .linux5_19)
        #expect(KernelMask("-recv")?.lacking == KernelOperation.recv.bit)
        let both = KernelMask("5.15,-connect,-close")
        #expect(both?.version == .linux5_15)
        #expect(both?.text == "5.15,-connect,-close")
        for text in [",", "5.15,", "-recv,5.15", "recv", "-", "-receive", "5.15,5.19", " -recv", "-recv,"] {
            #expect(KernelMask(text) == nil, "\(text)")
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can become somebody else"))
    func `64 KiB of locked memory are enough for a worker, and many are emulated`() async {
        await #expect(processExitsWith: .success) {
            _ = unsafe setenv("RINGLET_KERNEL", "io_uring", 1)
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
            _ = unsafe setenv("RINGLET_KERNEL", "auto", 1)
            let many = try Scheduler(SchedulerOptions(workers: 64))
            #expect(many.kernel.name == "emulated")
            #expect(many.kernel.reason?.contains("locked memory") == true)
            many.shutdown()
        }
    }
}
