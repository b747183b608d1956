import Ringlet
import SystemPackage
import Testing

@testable import RingletTesting

/// Connections that are memory: whole streams, ends, resets, cancelled waits, and the two ways to get a pair.
@Suite struct SimulatedNetworkTests {
    @Test
    func `ports are given again once nobody listens at them`() throws {
        let world = World(seed: nil)
        let network = world.network
        let (listener, socket) = (network.makeSocket(), network.makeSocket())
        try network.bind(listener, to: .loopback(port: 0))
        try network.listen(listener)
        let kept = try network.localAddress(of: listener).port
        // More than the 16,384 that there are.
        var ports: Set<UInt16> = []
        for _ in 0..<17_000 {
            try network.bind(socket, to: .loopback(port: 0))
            ports.insert(try network.localAddress(of: socket).port)
        }
        #expect(ports.count == 16_383 && !ports.contains(kept))
    }

    @Test
    func `a descriptor of Linux is writable or readable in a simulation as anywhere`() throws {
        try Simulation.run {
            let (near, far) = try FileDescriptor.pipe()
            defer {
                try? near.close()
                try? far.close()
            }
            try Scheduler.waitWritable(far, deadline: .after(.seconds(1)))
            let waiter = Fiber { try Scheduler.waitReadable(near) }
            try Fiber.yield()
            #expect(!waiter.isFinished)
            _ = try far.writeAll([1])
            try waiter.join()
        }
    }

    @Test
    func `a stream arrives whole and in order, whatever the sizes of its parts`() throws {
        let counts = Shared<Set<Int>>([])
        try forEachSeed { _ in
            let (near, far) = Simulation.connectedPair()
            let sent = pattern(count: 10_000)
            let writer = Fiber {
                try near.write(Buffer(copying: sent))
                try near.finishWriting()
            }
            var received: [UInt8] = []
            var reads = 0
            var buffer = Buffer(capacity: 3000)
            while try far.read(into: &buffer) > 0 {
                received += [UInt8](buffer)
                reads += 1
            }
            try writer.join()
            #expect(received == sent)
            counts.value.insert(reads)
        }
        #expect(counts.value.count > 3, "seeds give different parts")
    }

    @Test
    func `an echo server with listener and clients runs in both colours, in no time`() throws {
        try forEachSeed(1...30) { _ in
            let listener = try TCPListener(on: .loopback(port: 0))
            let server = Fiber(name: "server") {
                for _ in 0..<4 {
                    let connection = try listener.accept()
                    Fiber {
                        var buffer = Buffer(capacity: 64)
                        while try connection.read(into: &buffer) > 0 { try connection.write(buffer) }
                        try connection.close()
                    }
                }
                try listener.close()
            }
            let fibers = (0..<2).map { number in
                Fiber {
                    let connection = try TCPConnection.connect(to: listener.address)
                    #expect(try connection.peerAddress == listener.address)
                    var buffer = Buffer(capacity: 64)
                    for round in 0..<5 {
                        try connection.write(Buffer(copying: [UInt8(number), UInt8(round)]))
                        var answer: [UInt8] = []
                        while answer.count < 2 {
                            try connection.read(into: &buffer)
                            answer += [UInt8](buffer)
                        }
                        #expect(answer == [UInt8(number), UInt8(round)])
                    }
                    try connection.close()
                }
            }
            let tasks = (0..<2).map { number in
                Task(executorPreference: Simulation.executor) {
                    let connection = try await TCPConnection.connect(to: listener.address)
                    try await connection.write(Buffer(copying: [7]))
                    var buffer = Buffer(capacity: 8)
                    #expect(try await connection.read(into: &buffer) == 1)
                    try await connection.close()
                }
            }
            for fiber in fibers { try fiber.join() }
            try Fiber.await { for task in tasks { try await task.value } }
            try server.join()
            #expect(Simulation.now == .zero)
        }
    }

    @Test
    func `a read ends with its deadline, its cancellation and the close of its connection`() throws {
        try forEachSeed { _ in
            let (near, far) = Simulation.connectedPair()
            @Sendable func read() throws -> Int {
                var buffer = Buffer(capacity: 16)
                return try far.read(into: &buffer, deadline: .after(.seconds(60)))
            }
            #expect(throws: TimeoutError.self) { try read() }
            #expect(Simulation.now == .seconds(60))
            let cancelled = Fiber { try read() }
            try Fiber.sleep(for: .seconds(1))
            cancelled.cancel()
            #expect(throws: CancellationError.self) { try cancelled.join() }
            let closed = Fiber { try read() }
            try Fiber.sleep(for: .seconds(1))
            try far.close()
            #expect(throws: Errno.badFileDescriptor) { try closed.join() }
            #expect(throws: Errno.brokenPipe) { try near.write(Buffer(copying: [1])) }
        }
    }

    @Test
    func `the end of one side is told to the other, and a reset when bytes are lost`() throws {
        try Simulation.run {
            var buffer = Buffer(capacity: 16)
            let (first, second) = Simulation.connectedPair()
            try first.write(Buffer(copying: [1, 2]))
            try first.close()
            #expect(try second.read(into: &buffer) == 2)
            #expect(try second.read(into: &buffer) == 0)
            let (third, fourth) = Simulation.connectedPair()
            try third.write(Buffer(copying: [1, 2]))
            try fourth.close()
            #expect(throws: Errno.connectionReset) { try third.read(into: &buffer) }
        }
    }

    @Test
    func `a connection that is dropped is closed`() throws {
        try Simulation.run {
            var pair = Optional(Simulation.connectedPair())
            let far = try #require(pair?.1)
            pair = nil
            var buffer = Buffer(capacity: 16)
            #expect(try far.read(into: &buffer) == 0)
        }
    }

    @Test
    func `who connects where nobody listens is refused`() throws {
        try Simulation.run {
            #expect(throws: Errno.connectionRefused) {
                try TCPConnection.connect(to: .loopback(port: 80))
            }
            let listener = try TCPListener(on: .any(port: 80))
            #expect(listener.address.port == 80)
            #expect(throws: Errno.addressInUse) { try TCPListener(on: .loopback(port: 80)) }
            try listener.close()
            let again = try TCPListener(on: .loopback(port: 80))
            try again.close()
        }
    }

    @Test
    func `a read that nobody will answer is a deadlock, and says so`() throws {
        let error = #expect(throws: DeadlockError.self) {
            try Simulation.run {
                let (near, far) = Simulation.connectedPair()
                let reader = Fiber(name: "reader") {
                    var buffer = Buffer(capacity: 16)
                    return try far.read(into: &buffer)
                }
                _ = try withExtendedLifetime(near) { try reader.join() }
            }
        }
        let reader = error?.snapshot.fibers.last
        #expect(reader?.name == "reader" && reader?.wait?.what == "recv" && reader?.wait?.descriptor != nil)
    }

    @Test
    func `files are those of Linux`() throws {
        try Simulation.run(seed: 1) {
            let path = FilePath("/proc/self/comm")
            let file = try File.open(path)
            var buffer = Buffer(capacity: 64)
            #expect(try file.read(into: &buffer, at: 0) > 0)
            try file.close()
        }
    }
}
