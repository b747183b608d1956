import Foundation
import SystemPackage
import Testing

@testable @_spi(Testing) import Ringlet

/// Each kind of fault by itself and often, by a seed, under a load that must come to the same as without it.
@Suite(.timeLimit(.patient)) struct FaultKindTests {
    /// A ring that cannot be enabled is the end of its scheduler (``SetupFaultTests``).
    static let kinds = KernelFaults.Kind.allCases.filter { $0 != .refusedEnable && $0 != .lateEnable }

    @Test(arguments: KernelPreference.underFaults, kinds)
    func `a load under many faults of one kind loses nothing`(
        kernel: KernelPreference, kind: KernelFaults.Kind
    ) async throws {
        try await Self.tryLoad(kernel, kind)
    }

    @Test(.needsDisabledRings, arguments: KernelPreference.enabledByWorkers)
    func `a load whose workers begin late loses nothing`(kernel: KernelPreference) async throws {
        try await Self.tryLoad(kernel, .lateEnable)
    }

    private static func tryLoad(_ kernel: KernelPreference, _ kind: KernelFaults.Kind) async throws {
        // Which seeds give a kind that has few occasions one of them is left to chance.
        for seed in 1...50 as ClosedRange<UInt64> {
            let faults = KernelFaults(seed: seed, kind, perMille: 200)
            let faulty = try FaultyScheduler(kernel, faults: faults)
            try await faulty.scheduler.spawn {
                try load(faulty)
                // Some enters later than what they repeat; a worker that ends does not wait for them.
                try yieldUntil("what comes twice has come") {
                    faulty.worker.operations.staleCount == faults.repeatedCompletions
                }
            }.join(deadline: .after(patience))
            try await faulty.end(stale: faults.repeatedCompletions)
            if faults.count(kind) > 0 { return }
        }
        Issue.record("none of the seeds has led to \(kind.rawValue)")
    }

    /// Repeats what a fault has kept from happening.
    private static func insist<Result>(_ operation: () throws -> Result) throws -> Result {
        while true {
            do { return try operation() } catch let error as Errno where KernelFaults.errors.contains(error) {}
        }
    }

    private static func load(_ faulty: FaultyScheduler) throws {
        let listener = try TCPListener(on: .loopback(port: 0))
        let exchanges = (0..<10).map { number in
            Fiber {
                let client = try TCPConnection.connect(to: listener.address)
                let server = try insist { try listener.accept() }
                // Whose other end this is nobody knows; all get the same.
                let writer = Fiber {
                    for start in stride(from: 0, to: 5000, by: 500) {
                        let part = Buffer(copying: Stream.bytes(from: start, count: 500))
                        try insist { try client.write(part) }
                        if number % 2 == 0 { try Fiber.yield() }
                    }
                    try client.finishWriting()
                }
                var buffer = Buffer(capacity: 300 + number * 100)
                var position = 0
                while try insist({ try server.read(into: &buffer) }) > 0 {
                    guard Stream.matches(buffer, from: position) else { throw Failure(number: position) }
                    position += buffer.count
                }
                try writer.join()
                guard position == 5000 else { throw Failure(number: position) }
                try server.close()
                try client.close()
            }
        }
        let path = FilePath("/tmp/ringlet-kinds-\(UUID().uuidString)")
        let file = try insist { try File.open(path, .readWrite, options: [.create, .truncate]) }
        defer { _ = unsafe unlink(path.string) }
        try insist { try file.write(Stream.buffer(count: 5000), at: 0) }
        var buffer = Buffer(capacity: 700)
        var position = 0
        while try insist({ try file.read(into: &buffer, at: UInt64(position)) }) > 0 {
            guard Stream.matches(buffer, from: position) else { throw Failure(number: position) }
            position += buffer.count
        }
        guard position == 5000 else { throw Failure(number: position) }
        try file.close()
        for fiber in exchanges { try fiber.join() }
        try end(of: listener)
    }

    /// Waits that end cancelled, at their deadline, and closed.
    private static func end(of listener: TCPListener) throws {
        let waiting = (0..<20).map { _ in Fiber { _ = try listener.accept() } }
        let late = (0..<10).map { _ in Fiber { _ = try listener.accept(deadline: .after(.milliseconds(2))) } }
        try Fiber.yield()
        for fiber in waiting[..<10] { fiber.cancel() }
        for fiber in late {
            do { try fiber.join() } catch is TimeoutError {} catch let error as Errno
                where KernelFaults.errors.contains(error) {}
        }
        try listener.close()
        for fiber in waiting {
            do { try fiber.join() } catch is CancellationError {} catch Errno.badFileDescriptor {
            } catch let error as Errno where KernelFaults.errors.contains(error) {}
        }
    }
}
