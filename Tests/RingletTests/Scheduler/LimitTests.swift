import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// Too little of what the system gives is an error with a name, and nothing is lost.
@Suite(.timeLimit(.minutes(4))) struct LimitTests {
    /// Lets the process have `more` descriptors than it has now; nil takes the limit back.
    private static func allowDescriptors(_ more: Int?) {
        var limit = rlimit()
        _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // The limit is one of numbers, and the lowest free number is given out next.
        let next = dup(2)
        close(next)
        limit.rlim_cur = more.map { rlim_t(Int(next) + $0) } ?? limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    @Test func `a scheduler without descriptors is a clear error that leaks none`() async throws {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run {}
            let before = try await settledDescriptors()
            for more in 0..<12 {
                Self.allowDescriptors(more)
                let error = await #expect(throws: KernelRefusal.self) {
                    try await Scheduler.run(SchedulerOptions(workers: 8)) {}
                }
                Self.allowDescriptors(nil)
                #expect(error?.errno == .tooManyOpenFiles)
                let text = error?.description ?? ""
                #expect(text.contains("descriptors") || text.contains("eventfd"), "\(text)")
                #expect(try await settledDescriptors() <= before, "with \(more) more")
            }
            let value = try await Scheduler.run { 3 }
            #expect(value == 3)
        }
    }

    @Test func `an operation without descriptors is a clear error`() async throws {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run {
                let listener = try TCPListener(on: .loopback(port: 0))
                let client = try TCPConnection.connect(to: listener.address)
                Self.allowDescriptors(0)
                #expect(throws: Errno.tooManyOpenFiles) { try listener.accept() }
                #expect(throws: Errno.tooManyOpenFiles) { try File.open("/dev/null") }
                #expect(throws: Errno.tooManyOpenFiles) {
                    try TCPConnection.connect(to: listener.address)
                }
                #expect(throws: Errno.tooManyOpenFiles) { try TCPListener(on: .loopback(port: 0)) }
                Self.allowDescriptors(nil)
                // The connection still waits to be accepted.
                let server = try listener.accept(deadline: .after(patience))
                try client.write(Buffer(copying: [1]))
                var buffer = Buffer(capacity: 1)
                let count = try server.read(into: &buffer)
                #expect(count == 1)
            }
        }
    }

    @Test func `a fiber that gets no stack ends with the error, and the others go on`() async throws {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run(SchedulerOptions(fiberStackSize: 1 << 30)) {
                try Fiber {}.join()
                var limit = rlimit()
                _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
                // Stacks come 64 at a time; there is no room for so many again.
                limit.rlim_cur = rlim_t(addressSpace() + 5 << 30)
                _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
                let release = Flag()
                let fibers = (0..<80).map { _ in
                    Fiber { try yieldUntil("released") { release.isSet } }
                }
                for _ in 0..<3 { try Fiber.yield() }
                release.set()
                var refused = 0
                for fiber in fibers {
                    do { try fiber.join() } catch Errno.noMemory { refused += 1 }
                }
                #expect(refused > 0)
                #expect(refused < 20)
                // What has ended makes room.
                try Fiber {}.join()
            }
        }
    }

    @Test(
        arguments: [
            ("RINGLET_KERNEL_MASK", "7.0", "it can be 5.15, 5.19 or 6.1, and -recv or another opcode"),
            ("RINGLET_FIBER_HOST", "fast", "it can be hc, nc or plain"),
        ])
    func `an environment variable that means nothing is an error`(
        name: String, value: String, advice: String
    ) async throws {
        await #expect(processExitsWith: .success) { [name, value, advice] in
            _ = unsafe setenv(name, value, 1)
            let error = await #expect(throws: SchedulerError.self) {
                try await Scheduler.run(SchedulerOptions(workers: 2)) {}
            }
            #expect(error == .invalidEnvironment("\(name)=\(value); \(advice)"))
            _ = unsafe unsetenv(name)
            try await Scheduler.run {}
        }
    }

    @Test(arguments: ["hc", "nc", "plain"])
    func `a host can be forced`(name: String) async throws {
        await #expect(processExitsWith: .success) { [name] in
            _ = unsafe setenv("RINGLET_FIBER_HOST", name, 1)
            let rung = try await Scheduler.run { CurrentThread.worker?.rung.rawValue }
            #expect(rung == name)
        }
    }

    @Test(arguments: ["5.15", "5.19", "6.1"])
    func `an older kernel can be imitated`(mask: String) async throws {
        await #expect(processExitsWith: .success) { [mask] in
            _ = unsafe setenv("RINGLET_KERNEL_MASK", mask, 1)
            let canCancel = try await Scheduler.run {
                CurrentThread.worker?.ring.canCancelByDescriptor
            }
            #expect(canCancel == (mask != "5.15"))
        }
    }
}

/// The address space of the process in bytes.
private func addressSpace() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (text.split(separator: " ").first.flatMap { Int($0) } ?? 0) * Int(getpagesize())
}
