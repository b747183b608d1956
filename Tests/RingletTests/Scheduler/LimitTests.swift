import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// Too little of what the system gives is an error with a name, and nothing is lost.
@Suite(.timeLimit(.patient)) struct LimitTests {
    /// Runs `body` on a plain thread whose table of descriptors is its own, and that of the threads which it starts.
    ///
    /// Everybody else in the process must find descriptors: libdispatch opens a file of /proc for each of its threads once
    /// a second, and ends the process by SIGILL when it cannot (`_dispatch_workq_monitor_pools` of Swift 6.3).
    private static func withOwnDescriptors(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await onThread {
            var limit = rlimit()
            _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = 256
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            // unshare(2) is not in Swift's Glibc.
            typealias Unshare = @convention(c) (Int32) -> Int32
            guard let function = unsafe dlsym(nil, "unshare") else { throw Failure() }
            let result = unsafe unsafeBitCast(function, to: Unshare.self)(0x400 /* CLONE_FILES */)
            try #require(result == 0)
            try body()
        }
    }

    /// Leaves the thread's table `more` free numbers while `body` runs.
    private static func withDescriptors<Result>(_ more: Int, _ body: () throws -> Result) rethrows -> Result {
        var taken: [Int32] = []
        while case let next = dup(2), next >= 0 { taken.append(next) }
        for _ in 0..<more { if let last = taken.popLast() { close(last) } }
        defer { for number in taken { close(number) } }
        return try body()
    }

    /// The descriptors in the thread's table.
    private static var ownDescriptors: Int {
        let numbers = try? FileManager.default.contentsOfDirectory(atPath: "/proc/thread-self/fd")
        return numbers?.count ?? 0
    }

    @Test func `a scheduler without descriptors is a clear error that leaks none`() async throws {
        await #expect(processExitsWith: .success) {
            try await Self.withOwnDescriptors {
                let before = Self.ownDescriptors
                for more in 0..<12 {
                    let error = Self.withDescriptors(more) {
                        #expect(throws: KernelRefusal.self) {
                            try Scheduler.run(SchedulerOptions(workers: 8)) {}
                        }
                    }
                    #expect(error?.errno == .tooManyOpenFiles)
                    let text = error?.description ?? ""
                    #expect(text.contains("descriptors") || text.contains("eventfd"), "\(text)")
                    // Threads that have begun give back theirs as they end.
                    try blockUntil("all are closed, with \(more) more") { Self.ownDescriptors <= before }
                }
                let value = try Scheduler.run { 3 }
                #expect(value == 3)
            }
        }
    }

    @Test func `an operation without descriptors is a clear error`() async throws {
        await #expect(processExitsWith: .success) {
            try await Self.withOwnDescriptors {
                try Scheduler.run {
                    let listener = try TCPListener(on: .loopback(port: 0))
                    let client = try TCPConnection.connect(to: listener.address)
                    Self.withDescriptors(0) {
                        #expect(throws: Errno.tooManyOpenFiles) { try listener.accept() }
                        #expect(throws: Errno.tooManyOpenFiles) { try File.open("/dev/null") }
                        #expect(throws: Errno.tooManyOpenFiles) {
                            try TCPConnection.connect(to: listener.address)
                        }
                        #expect(throws: Errno.tooManyOpenFiles) {
                            try TCPListener(on: .loopback(port: 0))
                        }
                    }
                    // The connection still waits to be accepted.
                    let server = try listener.accept(deadline: .after(patience))
                    try client.write(Buffer(copying: [1]))
                    var buffer = Buffer(capacity: 1)
                    let count = try server.read(into: &buffer)
                    #expect(count == 1)
                }
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
