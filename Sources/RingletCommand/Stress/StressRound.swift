import Ringlet
import Synchronization
import SystemPackage

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and good enough to vary a load.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}

/// One scheduler from beginning to end, under a load that the seed decides.
struct StressRound {
    let seed: UInt64
    let workers: Int

    private static let largestMessage = 32 * 1024

    private final class Tally: Sendable {
        let state = Mutex(StressTally())
    }

    func run() throws -> StressTally {
        let tally = Tally()
        var random = SeededGenerator(seed: seed)
        let colour: EchoColour = Bool.random(using: &random) ? .fibers : .tasks
        let clientCount = Int.random(in: 10...80, using: &random)
        let workers = workers
        let seed = seed
        try Scheduler.run(SchedulerOptions(workers: workers)) {
            guard let scheduler = Scheduler.current else { return }
            let server = try EchoServer(on: .loopback(port: 0), colour: colour, bufferSize: 8192)
            let address = server.address
            let clients = (0..<clientCount).map { number in
                scheduler.spawn(onWorker: number % workers, name: "client-\(number)") {
                    var random = SeededGenerator(seed: seed << 16 | UInt64(number))
                    try Self.ask(address, &random, tally)
                }
            }
            // Cancels some of them, at any moment of their lives.
            var random = SeededGenerator(seed: ~seed)
            for _ in 0..<clientCount / 4 {
                let pause = Duration.microseconds(Int.random(in: 0...3000, using: &random))
                try Fiber.sleep(for: pause)
                clients.randomElement(using: &random)?.cancel()
            }
            for client in clients {
                do {
                    try client.join()
                } catch is CancellationError {
                    tally.state.withLock { $0.cancelled += 1 }
                }
            }
            // The rest, servers among it, is cancelled and awaited at the end of run.
        }
        return tally.state.withLock { $0 }
    }

    /// A client that asks, checks, and now and then misbehaves.
    private static func ask(
        _ address: SocketAddress, _ random: inout SeededGenerator, _ tally: Tally
    ) throws {
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let connection = try TCPConnection.connect(to: address)
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                try waitInVain(connection, &random, tally)
            case 1:
                try closeWhileWaiting(connection, tally)
                continue
            case 2:
                // Dropped with bytes on their way in both directions.
                try connection.write(Buffer(copying: [1, 2, 3]))
                tally.state.withLock { $0.closed += 1 }
                continue
            default:
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    try echo(connection, &random)
                    tally.state.withLock { $0.echoes += 1 }
                }
            }
            try connection.close()
        }
    }

    private static func echo(_ connection: TCPConnection, _ random: inout SeededGenerator) throws {
        let size = Int.random(in: 1...largestMessage, using: &random)
        let start = UInt8.random(in: 0...255, using: &random)
        let question = Buffer(copying: (0..<size).map { start &+ UInt8(truncatingIfNeeded: $0) })
        // The answer is read while the question is still being written, or both sides would block.
        let writer = Fiber { try connection.write(question) }
        var answer = Buffer(capacity: 4096)
        var received = 0
        while received < size {
            let count = try connection.read(into: &answer)
            guard count > 0 else { throw StressFailure(description: "the server ended early") }
            for index in 0..<count
            where answer[index] != start &+ UInt8(truncatingIfNeeded: received + index) {
                throw StressFailure(description: "byte \(received + index) of \(size) is wrong")
            }
            received += count
        }
        try writer.join()
    }

    /// A deadline for an answer that nobody gives.
    private static func waitInVain(
        _ connection: TCPConnection, _ random: inout SeededGenerator, _ tally: Tally
    ) throws {
        var buffer = Buffer(capacity: 16)
        let patience = Duration.microseconds(Int.random(in: 0...2000, using: &random))
        do {
            try connection.read(into: &buffer, deadline: .after(patience))
            throw StressFailure(description: "an answer without a question")
        } catch is TimeoutError {
            tally.state.withLock { $0.timedOut += 1 }
        }
    }

    private static func closeWhileWaiting(_ connection: TCPConnection, _ tally: Tally) throws {
        let reader = Fiber {
            var buffer = Buffer(capacity: 16)
            try connection.read(into: &buffer)
        }
        try Fiber.yield()
        try connection.close()
        do {
            try reader.join()
            throw StressFailure(description: "a read of a closed connection succeeded")
        } catch Errno.badFileDescriptor {
            tally.state.withLock { $0.closed += 1 }
        }
    }
}
