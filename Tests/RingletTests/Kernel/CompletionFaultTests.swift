import SystemPackage
import Testing

@testable @_spi(Testing) import Ringlet

/// Completions that come late, twice, out of order or in drops.
@Suite(.timeLimit(.patient)) struct CompletionFaultTests {
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
        let overflows = try await FaultyScheduler.run(kernel, script) { faulty in
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
            return faulty.faults.count(.completionsOverflow(beyond: 1))
        }
        #expect(overflows > 0)
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

    // MARK: Early ECANCELED

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
    func `an operation that is cancelled early, while it waits, fails with the kernel's word`(
        kernel: KernelPreference
    ) async throws {
        let script = [
            KernelFault.isCancelledEarly(.receive, enters: 3).at(times: 2),
            .isCancelledEarly(.accept, enters: 0),
        ]
        try await FaultyScheduler.run(kernel, script) { faulty in
            let (client, server) = try connectedPair()
            var buffer = Buffer(capacity: 10)
            for _ in 0..<2 {
                #expect(throws: Errno.canceled) { try server.read(into: &buffer, deadline: .after(patience)) }
            }
            #expect(AnyFiber.current?.isCancelled == false)
            try client.write(Buffer(copying: [1, 2]))
            try server.read(into: &buffer)
            #expect([UInt8](buffer) == [1, 2])
            #expect(faulty.faults.count(.earlyCancel) == 3)
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `of an early cancellation and the fiber's own the fiber's own is told, when it came first`(
        kernel: KernelPreference
    ) async throws {
        let script = [KernelFault.isCancelledEarly(.receive, enters: 100).at(times: 2)]
        try await FaultyScheduler.run(kernel, script) { faulty in
            let (client, server) = try connectedPair()
            let worker = faulty.worker
            let reader = Fiber {
                var buffer = Buffer(capacity: 10)
                try server.read(into: &buffer)
            }
            try yieldUntil("it reads") { worker.operationsOfTheTest == 1 }
            reader.cancel()
            #expect(throws: CancellationError.self) { try reader.join(deadline: .after(patience)) }
            let other = Fiber {
                var buffer = Buffer(capacity: 10)
                try server.read(into: &buffer)
            }
            #expect(throws: Errno.canceled) { try other.join(deadline: .after(patience)) }
            // Of what has ended, so it changes nothing.
            other.cancel()
            try client.close()
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

    // MARK: Late ECANCELED

    @Test(arguments: KernelPreference.underFaults)
    func `a late ECANCELED resumes nobody before it is there, whoever has asked for it`(
        kernel: KernelPreference
    ) async throws {
        let script = [KernelFault.cancellationIsLate(enters: 200).at(times: 4)]
        try await FaultyScheduler.run(kernel, script) { faulty in
            let worker = faulty.worker
            let (client, server) = try connectedPair()
            func readers(_ count: Int, _ deadline: Deadline = .never) -> [Fiber<Void>] {
                (0..<count).map { _ in
                    Fiber {
                        var buffer = Buffer(capacity: 10)
                        try server.read(into: &buffer, deadline: deadline)
                    }
                }
            }
            /// Lets `worker` come round while the kernel has given its answer and not its completion.
            func holds(_ fiber: Fiber<Void>) throws {
                let began = worker.counters.turns
                while worker.counters.turns < began + 100 { try Fiber.yield() }
                #expect(!fiber.isFinished)
            }
            let cancelled = readers(1)[0]
            try yieldUntil("it reads") { worker.operationsOfTheTest == 1 }
            cancelled.cancel()
            try holds(cancelled)
            #expect(throws: CancellationError.self) { try cancelled.join(deadline: .after(patience)) }

            let deadline = Deadline.after(.milliseconds(10))
            let late = readers(1, deadline)[0]
            #expect(throws: TimeoutError(deadline: deadline)) { try late.join(deadline: .after(patience)) }

            let closed = readers(2)
            try yieldUntil("they read") { worker.operationsOfTheTest == 2 }
            try server.close()
            // Not while a number's operation is in flight.
            #expect(worker.operationsOfTheTest == 0)
            for reader in closed {
                #expect(throws: Errno.badFileDescriptor) { try reader.join(deadline: .after(patience)) }
            }
            #expect(faulty.faults.count(.lateCancel) == 4)
            try client.close()
        }
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
