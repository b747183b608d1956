import Foundation
import SystemPackage
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct TCPConnectionTests {
    // MARK: Echo

    /// Sends `count` messages one after the other and expects each back. For fibers.
    private static func exchange(_ address: SocketAddress, count: Int, salt: Int) throws {
        let connection = try TCPConnection.connect(to: address)
        var answer = Buffer(capacity: 4096)
        for number in 0..<count {
            let message = pattern(from: number &+ salt, count: 1 + number * 37 % 2000)
            try connection.write(Buffer(copying: message))
            var received: [UInt8] = []
            while received.count < message.count {
                guard try connection.read(into: &answer) > 0 else { throw Failure(number: number) }
                received += [UInt8](answer)
            }
            guard received == message else { throw Failure(number: number) }
        }
        try connection.finishWriting()
        guard try connection.read(into: &answer) == 0 else { throw Failure(number: -1) }
        try connection.close()
    }

    /// The same for tasks.
    private static func exchange(_ address: SocketAddress, count: Int, salt: Int) async throws {
        let connection = try await TCPConnection.connect(to: address)
        var answer = Buffer(capacity: 4096)
        for number in 0..<count {
            let message = pattern(from: number &+ salt, count: 1 + number * 37 % 2000)
            try await connection.write(Buffer(copying: message))
            var received: [UInt8] = []
            while received.count < message.count {
                guard try await connection.read(into: &answer) > 0 else {
                    throw Failure(number: number)
                }
                received += [UInt8](answer)
            }
            guard received == message else { throw Failure(number: number) }
        }
        try await connection.finishWriting()
        guard try await connection.read(into: &answer) == 0 else { throw Failure(number: -1) }
        try await connection.close()
    }

    @Test func `fibers echo to fibers`() async throws {
        try await Scheduler.run {
            let listener = try TCPListener(on: .loopback(port: 0))
            let server = Fiber {
                for _ in 0..<20 {
                    let connection = try listener.accept()
                    Fiber { try echo(connection) }
                }
            }
            let clients = (0..<20).map { salt in
                Fiber { try Self.exchange(listener.address, count: 30, salt: salt) }
            }
            for client in clients { try client.join() }
            try server.join()
        }
    }

    @Test func `tasks echo to tasks`() async throws {
        try await withScheduler { scheduler in
            try await Task(executorPreference: scheduler.taskExecutor) {
                let listener = try TCPListener(on: .loopback(port: 0))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await withThrowingDiscardingTaskGroup { group in
                            for _ in 0..<20 {
                                let connection = try await listener.accept()
                                group.addTask { try await echo(connection) }
                            }
                        }
                    }
                    for salt in 0..<20 {
                        group.addTask {
                            try await Self.exchange(listener.address, count: 30, salt: salt)
                        }
                    }
                    try await group.waitForAll()
                }
            }.value
        }
    }

    @Test func `fibers, tasks and tasks of other executors mix, on two workers`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let listener = try TCPListener(on: .loopback(port: 0))
            let server = scheduler.spawn(onWorker: 0) {
                for number in 0..<24 {
                    let connection = try listener.accept()
                    if number % 2 == 0 {
                        // The connection moves to the other worker.
                        scheduler.spawn(onWorker: 1) { try echo(connection) }
                    } else {
                        Task(executorPreference: scheduler.taskExecutor(ofWorker: number / 2 % 2)) {
                            try await echo(connection)
                        }
                    }
                }
            }
            let address = listener.address
            let fibers = (0..<8).map { salt in
                scheduler.spawn { try Self.exchange(address, count: 20, salt: salt) }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for salt in 0..<8 {
                    let executor = scheduler.taskExecutor(ofWorker: salt % 2)
                    group.addTask(executorPreference: executor) {
                        try await Self.exchange(address, count: 20, salt: salt)
                    }
                    group.addTask { try await Self.exchange(address, count: 20, salt: salt) }
                }
                try await group.waitForAll()
            }
            for fiber in fibers { try await fiber.join() }
            try await server.join()
        }
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/net/if_inet6")))
    func `connections over IPv6 work too`() async throws {
        try await Scheduler.run {
            let listener = try TCPListener(on: .loopbackV6(port: 0))
            let server = Fiber { try echo(try listener.accept()) }
            try Self.exchange(listener.address, count: 3, salt: 0)
            try server.join()
        }
    }

    @Test func `each end knows the other's address`() async throws {
        try await Scheduler.run {
            let listener = try TCPListener(on: .loopback(port: 0))
            #expect(listener.address.port != 0)
            let client = try TCPConnection.connect(to: listener.address)
            let server = try listener.accept()
            let peer = try client.peerAddress
            #expect(peer == listener.address)
            let back = try server.peerAddress
            #expect(back.description.hasPrefix("127.0.0.1:"))
        }
    }

    // MARK: Streams

    @Test(arguments: [64 << 10, 1 << 20, 8 << 20], [1, 16])
    func `a slow reader gets every byte of a fast writer's message`(size: Int, pace: Int) async throws {
        try await Scheduler.run {
            let (client, server) = try connectedPair()
            let writer = Fiber {
                try client.write(Stream.buffer(count: size))
                try client.finishWriting()
            }
            var reads = 0
            let count = try readStream(server, chunk: 65_521 / pace) {
                reads += 1
                if reads % 8 == 0 { try Fiber.sleep(for: .microseconds(100)) }
            }
            try writer.join()
            #expect(count == size)
        }
    }

    @Test func `a task writes a long message that a task reads`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let (client, server) = try await connectedPair()
            let writer = Task(executorPreference: scheduler.taskExecutor(ofWorker: 0)) {
                try await client.write(Stream.buffer(count: 4 << 20))
                try await client.finishWriting()
            }
            let reader = Task(executorPreference: scheduler.taskExecutor(ofWorker: 1)) {
                try await readStream(server, chunk: 10_007)
            }
            let count = try await reader.value
            #expect(count == 4 << 20)
            try await writer.value
        }
    }

    @Test func `both directions are busy at the same time`() async throws {
        try await Scheduler.run {
            let (client, server) = try connectedPair()
            let fibers = [client, server].map { end in
                Fiber { () -> Int in
                    let writer = Fiber {
                        try end.write(Stream.buffer(count: 2 << 20))
                        try end.finishWriting()
                    }
                    let count = try readStream(end, chunk: 30_011)
                    try writer.join()
                    return count
                }
            }
            for fiber in fibers {
                let count = try fiber.join()
                #expect(count == 2 << 20)
            }
        }
    }

    @Test func `what does not fit into the buffer is read next`() async throws {
        try await Scheduler.run {
            let (client, server) = try connectedPair()
            try client.writeBehindTheScenes(Array("abcdefg".utf8))
            var buffer = Buffer(capacity: 3)
            var parts: [[UInt8]] = []
            for _ in 0..<3 {
                try server.read(into: &buffer)
                parts.append([UInt8](buffer))
            }
            #expect(parts == [Array("abc".utf8), Array("def".utf8), Array("g".utf8)])
        }
    }

    // MARK: Ends

    @Test func `half a connection goes on after the other half has finished`() async throws {
        try await Scheduler.run {
            let (client, server) = try connectedPair()
            let answerer = Fiber {
                let count = try readStream(server, chunk: 1000)
                try server.write(Stream.buffer(count: count * 2))
                try server.finishWriting()
            }
            try client.write(Stream.buffer(count: 12_345))
            try client.finishWriting()
            let count = try readStream(client, chunk: 1000)
            #expect(count == 24_690)
            try answerer.join()
            // The end of the stream stays the end.
            var buffer = Buffer(capacity: 1)
            let again = try client.read(into: &buffer)
            #expect(again == 0)
            #expect(throws: Errno.brokenPipe) { try client.write(Buffer(copying: [1])) }
        }
    }

    @Test func `a port that nobody listens on refuses`() async throws {
        // Bound but not listening: nobody else can get the port meanwhile.
        let raw = try SocketCalls.makeStream(.loopback(port: 0))
        defer { SocketCalls.close(raw) }
        try SocketCalls.bind(raw, to: .loopback(port: 0))
        let address = try SocketCalls.localAddress(of: raw)
        try await Scheduler.run { () -> Void in
            #expect(throws: Errno.connectionRefused) { try TCPConnection.connect(to: address) }
        }
        await #expect(throws: Errno.connectionRefused) {
            try await TCPConnection.connect(to: address)
        }
    }

    @Test func `a port is listened on once, unless it is shared`() throws {
        let first = try TCPListener(on: .loopback(port: 0))
        #expect(throws: Errno.addressInUse) { try TCPListener(on: first.address) }
        #expect(throws: Errno.addressInUse) { try TCPListener(on: first.address, sharesPort: true) }
        let shared = try TCPListener(on: .loopback(port: 0), sharesPort: true)
        let second = try TCPListener(on: shared.address, sharesPort: true)
        #expect(second.address == shared.address)
    }

    @Test func `a reset in the middle of a write ends the write`() async throws {
        try await Scheduler.run {
            let (client, server) = try connectedPair()
            let writer = Fiber { try client.write(Stream.buffer(count: 32 << 20)) }
            var buffer = Buffer(capacity: 1000)
            try server.read(into: &buffer)
            try server.resetOnClose()
            try server.close()
            let error = errorThrown { try writer.join(deadline: .after(patience)) } as? Errno
            #expect(error == .connectionReset || error == .brokenPipe)
        }
    }

    @Test func `a reset ends a read that waits`() async throws {
        try await Scheduler.run {
            let (client, server) = try connectedPair()
            let reader = Fiber { () -> Int in
                var buffer = Buffer(capacity: 1000)
                return try client.read(into: &buffer)
            }
            try Fiber.yield()
            try server.resetOnClose()
            try server.close()
            #expect(throws: Errno.connectionReset) { try reader.join(deadline: .after(patience)) }
        }
    }
}
