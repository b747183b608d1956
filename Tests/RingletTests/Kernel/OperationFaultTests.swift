import Foundation
import SystemPackage
import Testing

@testable @_spi(Testing) import Ringlet

/// Operations that move less than was asked for, or fail for want of something.
@Suite(.timeLimit(.patient)) struct OperationFaultTests {
    @Test(arguments: KernelPreference.underFaults)
    func `a write on a connection goes on after short sends, until all is sent`(
        kernel: KernelPreference
    )
        async throws
    {
        let size = 100_000
        // 1,000 bytes at a time.
        let script = [KernelFault.isShort(writing: .send, 1000).at(times: .max)]
        let (count, sends) = try await FaultyScheduler.run(kernel, script) { faulty in
            let (client, server) = try connectedPair()
            let writer = Fiber {
                try client.write(Stream.buffer(count: size))
                try client.finishWriting()
            }
            let count = try readStream(server, chunk: 4096)
            try writer.join(deadline: .after(patience))
            return (count, faulty.faults.count(.isShort(writing: .send, 0)))
        }
        #expect(count == size)
        // The last thousand is sent in full.
        #expect(sends == 99)
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a task's write goes on after short sends, until all is sent`(kernel: KernelPreference)
        async throws
    {
        let size = 10_000
        let faulty = try FaultyScheduler(
            kernel,
            [
                .isShort(writing: .send, 1).at(times: 3),
                .isShort(writing: .send, 999).at(times: .max),
            ])
        let executor = faulty.scheduler.taskExecutor
        let count = try await Task(executorPreference: executor) { () -> Int in
            let (client, server) = try await connectedPair()
            let writer = Task(executorPreference: executor) {
                try await client.write(Stream.buffer(count: size))
                try await client.finishWriting()
            }
            let count = try await readStream(server, chunk: 4096)
            try await writer.value
            return count
        }.value
        #expect(count == size)
        #expect(faulty.faults.count(.isShort(writing: .send, 0)) == 3 + 10)
        try await faulty.end()
    }

    @Test(arguments: KernelPreference.underFaults)
    func `a write to a file goes on after short writes, at the right offsets`(
        kernel: KernelPreference
    )
        async throws
    {
        let size = 20_000
        let script = [
            KernelFault.isShort(writing: .write, 999).at(times: .max),
            .isShort(reading: .read, 777).at(times: .max),
        ]
        let path = FilePath("/tmp/ringlet-short-\(UUID().uuidString)")
        try await FaultyScheduler.run(kernel, script) { faulty in
            let file = try File.open(path, .readWrite, options: [.create, .truncate])
            defer { _ = unsafe unlink(path.string) }
            try file.write(Stream.buffer(count: size), at: 500)
            // A read gives what there is; the loop is the caller's.
            var buffer = Buffer(capacity: 4096)
            var position = 0
            while try file.read(into: &buffer, at: UInt64(500 + position)) > 0 {
                #expect(buffer.count <= 777)
                let matches = Stream.matches(buffer, from: position)
                #expect(matches)
                position += buffer.count
            }
            #expect(position == size)
            #expect(faulty.faults.count(.isShort(writing: .write, 0)) == 20)
            try file.close()
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `the third accept gets EMFILE, and the connection is there for the next one`(
        kernel: KernelPreference
    ) async throws {
        let script = [KernelFault.fails(.accept, .tooManyOpenFiles).at(after: 2)]
        try await FaultyScheduler.run(kernel, script) { _ in
            let listener = try TCPListener(on: .loopback(port: 0))
            let clients = try (0..<4).map { _ in try TCPConnection.connect(to: listener.address) }
            var accepted: [TCPConnection] = []
            accepted.append(try listener.accept())
            accepted.append(try listener.accept())
            #expect(throws: Errno.tooManyOpenFiles) { try listener.accept() }
            accepted.append(try listener.accept(deadline: .after(patience)))
            accepted.append(try listener.accept(deadline: .after(patience)))
            for (client, server) in zip(clients, accepted) {
                try client.write(Buffer(copying: [7]))
                var buffer = Buffer(capacity: 1)
                try server.read(into: &buffer, deadline: .after(patience))
                #expect(buffer[0] == 7)
            }
        }
    }

    @Test(
        arguments: KernelPreference.underFaults,
        [
            (KernelFault.Operation.receive, Errno.noBufferSpace), (.receive, .noMemory),
            (.send, .noBufferSpace), (.send, .noMemory), (.open, .tooManyOpenFilesInSystem),
            (.connect, .noMemory), (.sync, .ioError), (.read, .ioError), (.write, .noSpace),
        ])
    func `what the kernel lacks is said as it said it, once`(
        kernel: KernelPreference, fault: (operation: KernelFault.Operation, error: Errno)
    ) async throws {
        try await FaultyScheduler.run(kernel) { faulty in
            let listener = try TCPListener(on: .loopback(port: 0))
            let (client, server) = try connectedPair()
            let file = try File.open("/dev/zero", .readWrite)
            let bytes = Buffer(copying: [1, 2, 3])
            var buffer = Buffer(capacity: 3)
            faulty.faults.add(.fails(fault.operation, fault.error))
            #expect(throws: fault.error) {
                switch fault.operation {
                case .receive: try server.read(into: &buffer)
                case .send: try client.write(bytes)
                case .open: _ = try File.open("/dev/null")
                case .connect: _ = try TCPConnection.connect(to: listener.address)
                case .sync: try file.sync()
                case .read: try file.read(into: &buffer, at: 0)
                case .write: try file.write(bytes, at: 0)
                case .accept, .close: throw Failure()
                }
            }
            #expect(faulty.faults.failures(with: fault.error) == 1)
            // Nothing was done, and the next ones succeed.
            try client.write(bytes)
            try server.read(into: &buffer)
            #expect([UInt8](buffer) == [1, 2, 3])
        }
    }

    @Test(arguments: KernelPreference.underFaults)
    func `an error that comes before the cancel or the deadline is the one that is thrown`(
        kernel: KernelPreference
    ) async throws {
        let script = [
            KernelFault.fails(.receive, .noBufferSpace), .fails(.receive, .noMemory).at(after: 1),
        ]
        try await FaultyScheduler.run(kernel, script) { _ in
            let (_, server) = try connectedPair()
            let cancelled = Fiber {
                var buffer = Buffer(capacity: 3)
                try server.read(into: &buffer)
            }
            try Fiber.yield()
            cancelled.cancel()
            #expect(throws: Errno.noBufferSpace) { try cancelled.join(deadline: .after(patience)) }
            var buffer = Buffer(capacity: 3)
            #expect(throws: Errno.noMemory) {
                try server.read(into: &buffer, deadline: .after(patience))
            }
        }
    }
}
