import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// Where no thread can start and no stack can be had: errors with a name, and everything else goes on.
@Suite(.timeLimit(.patient)) struct ThreadLimitTests {
    /// What keeps a thread from starting.
    enum Scarcity: String, CaseIterable, Codable {
        case addressSpace, processes

        /// Lets the process have no more than it has, and a little.
        ///
        /// - Parameter room: Address space; a thread's stack takes 8 MiB of it.
        func begin(room: rlim_t = 30 << 20) throws {
            switch self {
            case .addressSpace:
                let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
                let pages = text.split(separator: " ").first.flatMap { rlim_t($0) } ?? 0
                Self.limit(RLIMIT_AS, pages * rlim_t(getpagesize()) + room)
            case .processes:
                // The limit counts all threads of a user, and is not for root.
                guard setuid(uid_t(54_600 + getpid() % 1000)) == 0 else { throw Errno.notPermitted }
                let text = try String(contentsOfFile: "/proc/self/stat", encoding: .utf8)
                // After the name: the 18th field is the number of threads.
                let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
                Self.limit(__RLIMIT_NPROC, rlim_t(Int(fields[17]) ?? 8) + 2)
            }
        }

        func end() {
            let resource = self == .addressSpace ? RLIMIT_AS : __RLIMIT_NPROC
            var limit = rlimit()
            _ = unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit)
            Self.limit(resource, limit.rlim_max)
        }

        private static func limit(_ resource: __rlimit_resource, _ value: rlim_t) {
            var limit = rlimit()
            _ = unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit)
            limit.rlim_cur = value
            _ = unsafe setrlimit(__rlimit_resource_t(resource.rawValue), &limit)
        }
    }

    /// AddressSanitizer has all of the address space for itself; ThreadSanitizer ends the process where it gets none.
    static let testable: [Scarcity] =
        (addressSanitizer || threadSanitizer ? [] : [.addressSpace]) + (getuid() == 0 ? [.processes] : [])

    @Test(arguments: testable)
    func `a scheduler whose threads cannot all start is an error, and what runs goes on`(
        scarcity: Scarcity
    ) async throws {
        await #expect(processExitsWith: .success) { [scarcity] in
            let scheduler = try Scheduler(SchedulerOptions(workers: 2))
            let echoed = Shared(0)
            let stop = Flag()
            let load = scheduler.spawn {
                let (client, server) = try connectedPair()
                let answerer = Fiber { try echo(server) }
                var buffer = Buffer(capacity: 8)
                while !stop.isSet {
                    try client.write(Buffer(copying: [1, 2, 3]))
                    try client.read(into: &buffer)
                    echoed.value += 1
                }
                try client.close()
                try answerer.join()
            }
            try await awaitUntil("the load") { echoed.value > 10 }
            let before = try await settledDescriptors()
            try scarcity.begin()
            for _ in 0..<5 {
                #expect(throws: Errno.resourceTemporarilyUnavailable) {
                    _ = try Scheduler(SchedulerOptions(workers: 64))
                }
            }
            scarcity.end()
            let now = echoed.value
            try await awaitUntil("the load goes on") { echoed.value > now + 10 }
            try await awaitUntil("nothing is left") { openDescriptors() <= before }
            stop.set()
            try await load.join()
            _ = try await onThread { scheduler.shutdown() }
        }
    }

    @Test(
        .enabled(if: !addressSanitizer, "AddressSanitizer has all of the address space for itself"),
        .enabled(if: !threadSanitizer, "ThreadSanitizer ends the process where it gets no address space"))
    func `a run ends also where no thread can be started for its end`() async throws {
        await #expect(processExitsWith: .success) {
            let value = try await Scheduler.run {
                Fiber { try Fiber.sleep(until: .never) }
                try Scarcity.addressSpace.begin(room: 6 << 20)
                return 3
            }
            #expect(value == 3)
        }
    }

    @Test(.enabled(if: !threadSanitizer, "ThreadSanitizer ends the process where it gets no mapping"))
    func `fibers beyond the limit of mappings get an error, and the others go on`() async throws {
        await #expect(processExitsWith: .success) {
            let limit = try String(contentsOfFile: "/proc/sys/vm/max_map_count", encoding: .utf8)
            let mappings = Int(limit.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 65_530
            // With a larger limit this would take more memory than a test should.
            guard mappings <= 70_000 else { return }
            _ = unsafe setenv("RINGLET_STACK_GUARDS", "mprotect", 1)
            try await Scheduler.run(SchedulerOptions(fiberStackSize: 128 * 1024)) {
                let release = Flag()
                let fibers = (0..<mappings).map { _ in
                    Fiber { while !release.isSet { try Fiber.sleep(for: .milliseconds(200)) } }
                }
                try yieldUntil("all have begun or failed") {
                    fibers.last?.isFinished == true
                }
                let refused = fibers.count { $0.isFinished }
                // A guard splits a mapping in two.
                #expect(refused > mappings / 4 && refused < mappings * 3 / 4, "\(refused)")
                // What needs no new stack goes on: operations, files, and what frees its stack makes room.
                let listener = try TCPListener(on: .loopback(port: 0))
                let client = try TCPConnection.connect(to: listener.address)
                let server = try listener.accept()
                try client.write(Buffer(copying: [1]))
                var buffer = Buffer(capacity: 1 << 20)
                #expect(try server.read(into: &buffer) == 1)
                #expect(throws: Errno.noMemory) { try Fiber {}.join() }
                release.set()
                var failures = 0
                for fiber in fibers {
                    do { try fiber.join() } catch Errno.noMemory { failures += 1 }
                }
                #expect(failures == refused)
                try Fiber {}.join()
            }
        }
    }
}
