import SystemPackage
import Testing

@testable @_spi(Testing) import Ringlet

/// An enter that fails, or takes less than it was given, loses nothing and changes no order.
@Suite(.timeLimit(.patient)) struct SubmissionFaultTests {
    /// Reads byte by byte what another fiber writes byte by byte. Returns what was read.
    private static func converse(_ count: Int) throws -> [UInt8] {
        let (client, server) = try connectedPair()
        let reader = Fiber { () -> [UInt8] in
            var bytes: [UInt8] = []
            var buffer = Buffer(capacity: 100)
            while try server.read(into: &buffer) > 0 { bytes += [UInt8](buffer) }
            return bytes
        }
        for number in 0..<count {
            try client.write(Buffer(copying: [UInt8(truncatingIfNeeded: number)]))
            if number % 7 == 0 { try Fiber.sleep(for: .microseconds(10)) }
        }
        try client.finishWriting()
        return try reader.join(deadline: .after(patience))
    }

    @Test(
        arguments: KernelPreference.underFaults,
        [Errno.interrupted, .resourceTemporarilyUnavailable, .resourceBusy])
    func `a storm of failing enters delays and loses nothing`(
        kernel: KernelPreference, error: Errno
    )
        async throws
    {
        let script = [KernelFault.enterFails(error).at(times: 500)]
        let (bytes, failed) = try await FaultyScheduler.run(kernel, script) { faulty in
            (try Self.converse(200), faulty.faults.count(.enterFails(error)))
        }
        #expect(bytes == (0..<200).map { UInt8($0) })
        #expect(failed == 500)
    }

    @Test(
        arguments: KernelPreference.underFaults,
        [nil, Errno.interrupted, .resourceTemporarilyUnavailable, .resourceBusy])
    func `what an enter did not take is submitted by a later one`(
        kernel: KernelPreference, error: Errno?
    ) async throws {
        // Each time one of them is taken, and then the error, or none.
        let script = [KernelFault.enterSubmitsOnly(1, then: error).at(times: .max)]
        let (order, faults) = try await FaultyScheduler.run(kernel, script) { faulty in
            let (client, server) = try connectedPair()
            try client.write(Stream.buffer(count: 5))
            let order = Journal<Int>()
            let readers = (0..<5).map { number in
                Fiber { () -> UInt8 in
                    var buffer = Buffer(capacity: 1)
                    try server.read(into: &buffer)
                    order.note(number)
                    return buffer[0]
                }
            }
            let bytes = try readers.map { try $0.join(deadline: .after(patience)) }
            // Each reader got the byte of its place, so the submissions kept their order.
            #expect(bytes == Array(Stream.bytes(from: 0, count: 5)))
            return (order.all, faulty.faults.count(.enterSubmitsOnly(1)))
        }
        #expect(order.sorted() == [0, 1, 2, 3, 4])
        #expect(faults >= 4)
    }

    @Test(
        arguments: KernelPreference.underFaults,
        [KernelFault.enterFails(.interrupted), .enterSubmitsOnly(0)])
    func `a flush whose send the kernel takes late returns although nothing else happens`(
        kernel: KernelPreference, fault: KernelFault
    ) async throws {
        try await FaultyScheduler.run(kernel) { faulty in
            let (client, server) = try connectedPair()
            var writer = BufferedWriter(client)
            for round in 1...5 {
                let before = faulty.faults.count(fault)
                faulty.faults.add(fault.at(times: round))
                try writer.write(Buffer(copying: [1, 2, 3]))
                try writer.flush(deadline: .after(patience))
                #expect(faulty.faults.count(fault) == before + round)
            }
            var received = 0
            var buffer = Buffer(capacity: 15)
            while received < 15 { received += try server.read(into: &buffer, deadline: .after(patience)) }
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a send that settles is cut short, and its rest follows`(kernel: KernelPreference) async throws {
        try await FaultyScheduler.run(kernel) { faulty in
            let (client, server) = try connectedPair()
            var writer = BufferedWriter(client)
            var received = 0
            for round in 0..<30 {
                faulty.faults.add(.isShort(writing: .send, 1 + round % 7))
                try writer.write(Buffer(copying: Stream.bytes(from: round * 10, count: 10)))
                if round % 3 == 0 { try writer.flush(deadline: .after(patience)) }
                if round % 3 == 1 { try Fiber.yield() }
            }
            try writer.close(deadline: .after(patience))
            while true {
                var buffer = Buffer(capacity: 100)
                if try server.read(into: &buffer, deadline: .after(patience)) == 0 { break }
                guard Stream.matches(buffer, from: received) else { throw Failure(number: received) }
                received += buffer.count
            }
            #expect(received == 300)
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `what finds no room in a full queue waits in a backlog, in order`(kernel: KernelPreference) async throws {
        let count = 2000
        // More than the turns that it takes to begin so many fibers, on every host.
        let refusals = 400
        try await FaultyScheduler.run(kernel) { faulty in
            let (client, server) = try connectedPair()
            try client.write(Stream.buffer(count: count))
            let (worker, faults) = (faulty.worker, faulty.faults)
            // From now on the kernel takes nothing. The queue has 256 places.
            faults.add(.queueIsFull(enters: refusals))
            let readers = (0..<count).map { _ in
                Fiber { () -> UInt8 in
                    var buffer = Buffer(capacity: 1)
                    try server.read(into: &buffer)
                    return buffer[0]
                }
            }
            try yieldUntil("there is a backlog") { worker.ring.hasBacklog }
            let bytes = try readers.map { try $0.join(deadline: .after(patience)) }
            #expect(bytes == Array(Stream.bytes(from: 0, count: count)))
            #expect(!worker.ring.hasBacklog)
            #expect(faults.count(.fullQueue) == 1)
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a cancel in the backlog reaches its operation although nothing else happens`(
        kernel: KernelPreference
    ) async throws {
        let count = 1000
        try await FaultyScheduler.run(kernel) { faulty in
            let worker = faulty.worker
            let (client, server) = try connectedPair()
            let readers = (0..<count).map { _ in
                Fiber {
                    var buffer = Buffer(capacity: 1)
                    try server.read(into: &buffer)
                }
            }
            try yieldUntil("all wait") { worker.operationsOfTheTest == count }
            try yieldUntil("the kernel has them") { worker.ring.pending == 0 }
            // More cancels than the queue holds, and the kernel takes none while they are made.
            faulty.faults.add(.queueIsFull(enters: 900))
            for reader in readers { reader.cancel() }
            #expect(worker.ring.hasBacklog)
            for reader in readers {
                #expect(throws: CancellationError.self) {
                    try reader.join(deadline: .after(patience))
                }
            }
            try client.close()
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `what waits in the backlog is submitted although nothing before it ends`(
        kernel: KernelPreference
    ) async throws {
        try await FaultyScheduler.run(kernel) { faulty in
            let worker = faulty.worker
            let (mute, silent) = try connectedPair()
            let (client, server) = try connectedPair()
            let answered = Fiber { () -> Int in
                var buffer = Buffer(capacity: 1)
                return try server.read(into: &buffer)
            }
            try yieldUntil("it reads") {
                worker.operationsOfTheTest == 1 && worker.ring.pending == 0
            }
            faulty.faults.add(.enterSubmitsOnly(0).at(times: 100))
            // Twice what the queue holds, and the first of it never ends by itself.
            let readers = (0..<300).map { _ in
                Fiber {
                    var buffer = Buffer(capacity: 1)
                    try silent.read(into: &buffer)
                }
            }
            try yieldUntil("there is a backlog") { worker.operationsOfTheTest == 301 }
            #expect(worker.ring.hasBacklog)
            try client.write(Buffer(copying: [1]))
            let count = try answered.join(deadline: .after(patience))
            #expect(count == 1)
            for reader in readers { reader.cancel() }
            try mute.close()
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a worker ends although its queue is full`(kernel: KernelPreference) async throws {
        let faulty = try FaultyScheduler(kernel, [])
        let (worker, faults) = (faulty.worker, faulty.faults)
        worker.perform { worker in
            faults.add(.enterSubmitsOnly(0).at(times: 10))
            // Requests that nobody waits for. The cancel of the wake-up finds no place after them.
            while worker.ring.pending < Ring.submissionEntries {
                worker.submitUnawaited(.cancel(userData: .max))
            }
            // In the same turn, so that the loop has no chance to submit them.
            worker.beginShutdown(tasksUntil: .never)
        }
        try await faulty.end()
    }

    @Test func `an enter that lost completions ends the process and says so`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            // EBADR: Linux had no memory to keep a completion.
            _ = try await FaultyScheduler.run(.automatic, [.enterFails(Errno(rawValue: 53))]) { _ in
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("completions are lost"))
    }
}
