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

    /// How many mappings a process may have; nil where that cannot be read.
    static let mostMappings: Int? = {
        let limit = try? String(contentsOfFile: "/proc/sys/vm/max_map_count", encoding: .utf8)
        return limit.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }()

    /// Asks for so many fibers that wait, ten thousand at a time: of what was refused nothing is kept.
    private static func ask(_ count: Int, _ release: Event) throws -> (waiting: [Fiber<Void>], refused: Int) {
        var waiting: [Fiber<Void>] = []
        var refused = 0
        for _ in 0..<count / 10_000 {
            var fibers = (1..<10_000).map { _ in Fiber { try release.wait() } }
            // The last in the queue.
            let begun = Flag()
            let last = Fiber {
                begun.set()
                try release.wait()
            }
            fibers.append(last)
            try yieldUntil("all have begun or failed") { begun.isSet || last.isFinished }
            for fiber in fibers {
                // Not thrown: the testing library keeps a backtrace of each error.
                switch fiber.outcome {
                case nil: waiting.append(fiber)
                case .failure(Errno.noMemory): refused += 1
                case let outcome: throw Unexpected(what: "\(String(describing: outcome))")
                }
            }
        }
        return (waiting, refused)
    }

    private struct Unexpected: Error {
        let what: String
    }

    private static func mappings() throws -> Int {
        try memoryMaps().utf8.count { $0 == UInt8(ascii: "\n") }
    }

    /// With guards of Linux 6.13 a stack is no mapping of its own, and memory would be the limit, which belongs to
    /// others, too. So they are those of older kernels.
    @Test(
        .enabled(if: !threadSanitizer, "ThreadSanitizer ends the process where it gets no mapping"),
        .enabled(
            if: mostMappings.map { $0 <= 70_000 } ?? false,
            "with more mappings than 70,000 this would take more memory than a test should"))
    func `of a million fibers those beyond the limit of mappings get an error, and all else goes on`() async throws {
        await #expect(processExitsWith: .success) {
            _ = unsafe setenv("RINGLET_STACK_GUARDS", "mprotect", 1)
            let most = try #require(Self.mostMappings)
            let million = 1_000_000
            try await Scheduler.run { try Fiber {}.join() }
            let before = try Self.mappings()
            try await Scheduler.run(SchedulerOptions(workers: 2)) {
                let scheduler = try #require(Scheduler.current)
                let echoed = Shared(0)
                let stop = Flag()
                let load = scheduler.spawn(onWorker: 1) {
                    let (client, server) = try connectedPair()
                    let answerer = Fiber { try echo(server) }
                    var buffer = Buffer(capacity: 8)
                    while !stop.isSet {
                        try client.write(Buffer(copying: [1, 2, 3]))
                        try client.read(into: &buffer)
                        echoed.value += 1
                        // The processor is for the others.
                        try Fiber.sleep(for: .milliseconds(1))
                    }
                    try client.close()
                    try answerer.join()
                }
                let release = Event()
                try yieldUntil("the echo has its stacks") { echoed.value > 0 }
                // From both workers at once.
                let other = scheduler.spawn(onWorker: 1) { try Self.ask(million / 2, release) }
                let own = try Self.ask(million / 2, release)
                let others = try other.join()
                let waiting = own.waiting + others.waiting
                let refused = own.refused + others.refused
                #expect(waiting.count + refused == million)
                // A guard splits a mapping in two.
                #expect(waiting.count > most / 4 && waiting.count < most * 3 / 4, "\(waiting.count)")
                #expect(waiting.allSatisfy { !$0.isFinished })
                // What needs no new stack goes on, on this worker and the other.
                let listener = try TCPListener(on: .loopback(port: 0))
                let client = try TCPConnection.connect(to: listener.address)
                let server = try listener.accept()
                try client.write(Buffer(copying: [1]))
                var buffer = Buffer(capacity: 1 << 20)
                #expect(try server.read(into: &buffer) == 1)
                let now = echoed.value
                try yieldUntil("the echo goes on") { echoed.value > now + 10 }
                #expect(throws: Errno.noMemory) { try Fiber {}.join() }
                release.set()
                for fiber in waiting { try fiber.join() }
                // What has ended makes room.
                try Fiber {}.join()
                stop.set()
                try load.join()
            }
            let after = try Self.mappings()
            #expect(after < before + 100, "\(before) before, \(after) after")
        }
    }
}
