import SystemPackage
import Testing

@testable @_spi(Testing) import Ringlet

/// Completions that come late, twice, out of order or in drops.
@Suite(.timeLimit(.minutes(4))) struct CompletionFaultTests {
    @Test(arguments: KernelPreference.underFaults, [false, true])
    func `an overflow of completions loses none`(kernel: KernelPreference, reordered: Bool)
        async throws
    {
        let count = 3000
        var script = [KernelFault.completionsOverflow(beyond: 1).at(times: .max)]
        if reordered { script.append(.completionsAreReordered.at(times: .max)) }
        let (ended, overflows) = try await FaultyScheduler.run(kernel, script) { faulty in
            let (client, server) = try connectedPair()
            let readers = (0..<count).map { _ in
                Fiber { () -> Int in
                    var buffer = Buffer(capacity: 1)
                    return try server.read(into: &buffer)
                }
            }
            try client.write(Stream.buffer(count: count))
            let ended = try readers.reduce(0) { try $0 + $1.join(deadline: .after(patience)) }
            return (ended, faulty.faults.count(.completionsOverflow(beyond: 1)))
        }
        #expect(ended == count)
        #expect(overflows >= count)
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a worker that is never idle still asks for what overflowed`(kernel: KernelPreference)
        async throws
    {
        let script = [KernelFault.completionsOverflow(beyond: 1).at(times: .max)]
        try await FaultyScheduler.run(kernel, script) { _ in
            let (client, server) = try connectedPair()
            let readers = (0..<20).map { _ in
                Fiber {
                    var buffer = Buffer(capacity: 1)
                    try server.read(into: &buffer)
                }
            }
            try client.write(Stream.buffer(count: 20))
            // The worker has something ready all the time.
            try yieldUntil("all have read") { readers.allSatisfy(\.isFinished) }
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `completions out of order reach the right waiters`(kernel: KernelPreference) async throws {
        let script = [
            KernelFault.completionsAreReordered.at(times: .max),
            .isHeld(.receive, enters: 3).at(after: 2, times: 30),
        ]
        try await FaultyScheduler.run(kernel, script) { _ in
            let pairs = try (0..<40).map { _ in try connectedPair() }
            let readers = pairs.map { pair in
                Fiber { () -> [UInt8] in
                    var buffer = Buffer(capacity: 10)
                    try pair.server.read(into: &buffer)
                    return [UInt8](buffer)
                }
            }
            for (number, pair) in pairs.enumerated() {
                try pair.client.write(Buffer(copying: [UInt8(number), 1, 2]))
            }
            for (number, reader) in readers.enumerated() {
                let bytes = try reader.join(deadline: .after(patience))
                #expect(bytes == [UInt8(number), 1, 2])
            }
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a completion that comes twice is counted and harms nobody`(kernel: KernelPreference)
        async throws
    {
        let script = [KernelFault.comesTwice(.receive, enters: 2).at(times: 50)]
        try await FaultyScheduler.run(kernel, script, stale: 50) { faulty in
            let (client, server) = try connectedPair()
            var buffer = Buffer(capacity: 10)
            // The slot of an operation that has ended is the next one's, so each stale completion meets
            // another tenant.
            for number in 0..<100 {
                try client.write(Buffer(copying: [UInt8(number)]))
                try server.read(into: &buffer)
                #expect([UInt8](buffer) == [UInt8(number)])
            }
            let worker = faulty.worker
            try yieldUntil("all have come twice") { worker.operations.staleCount == 50 }
        }
    }

    // MARK: Cancelled by nobody

    @Test(arguments: KernelPreference.underFaults)
    func `an operation that the kernel cancelled by itself fails with the kernel's word`(
        kernel: KernelPreference
    ) async throws {
        let script = [
            KernelFault.fails(.receive, .canceled), .fails(.accept, .canceled).at(after: 1),
            .fails(.open, .canceled),
        ]
        try await FaultyScheduler.run(kernel, script) { faulty in
            let (client, server) = try connectedPair()
            var buffer = Buffer(capacity: 10)
            // Neither a CancellationError, which would say that the fiber was cancelled, nor EBADF.
            #expect(throws: Errno.canceled) { try server.read(into: &buffer) }
            #expect(AnyFiber.current?.isCancelled == false)
            let listener = try TCPListener(on: .loopback(port: 0))
            #expect(throws: Errno.canceled) { try listener.accept() }
            #expect(throws: Errno.canceled) { try File.open("/dev/null") }
            // It concerned one operation each; the connection goes on.
            try client.write(Buffer(copying: [1, 2]))
            try server.read(into: &buffer)
            #expect([UInt8](buffer) == [1, 2])
            #expect(faulty.faults.failures(with: .canceled) == 3)
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a task whose operation the kernel cancelled is not cancelled`(kernel: KernelPreference)
        async throws
    {
        let faulty = try FaultyScheduler(kernel, [.fails(.receive, .canceled)])
        let task = Task(executorPreference: faulty.scheduler.taskExecutor) { () -> Bool in
            let (_, server) = try await connectedPair()
            var buffer = Buffer(capacity: 10)
            do {
                try await server.read(into: &buffer)
                return false
            } catch Errno.canceled {
                return !Task.isCancelled
            }
        }
        let isUntouched = try await task.value
        #expect(isUntouched)
        try await faulty.end()
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a cancel that is answered long before its operation ends resumes nobody early`(
        kernel: KernelPreference
    ) async throws {
        let script = [KernelFault.isHeld(.receive, enters: 200)]
        try await FaultyScheduler.run(kernel, script) { faulty in
            let worker = faulty.worker
            let (client, server) = try connectedPair()
            let ended = Flag()
            let reader = Fiber {
                defer { ended.set() }
                var buffer = Buffer(capacity: 10)
                try server.read(into: &buffer)
            }
            try yieldUntil("it reads") { worker.operationsOfTheTest == 1 }
            let began = worker.counters.turns
            reader.cancel()
            // The answer to the cancel is long there; the read's own completion is not.
            while worker.counters.turns < began + 100 { try Fiber.yield() }
            #expect(!ended.isSet)
            #expect(worker.operationsOfTheTest == 1)
            #expect(throws: CancellationError.self) { try reader.join(deadline: .after(patience)) }
            try client.close()
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a close waits for completions that are late`(kernel: KernelPreference) async throws {
        let script = [KernelFault.isHeld(.receive, enters: 100).at(times: 3)]
        try await FaultyScheduler.run(kernel, script) { faulty in
            let worker = faulty.worker
            let (client, server) = try connectedPair()
            let readers = (0..<3).map { _ in
                Fiber {
                    var buffer = Buffer(capacity: 10)
                    try server.read(into: &buffer)
                }
            }
            try yieldUntil("they read") { worker.operationsOfTheTest == 3 }
            try server.close()
            // Nothing was in flight any more when the number was given back.
            #expect(worker.operationsOfTheTest == 0)
            for reader in readers {
                #expect(throws: Errno.badFileDescriptor) {
                    try reader.join(deadline: .after(patience))
                }
            }
            try client.close()
        }
    }
}
