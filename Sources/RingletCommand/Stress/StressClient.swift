import Ringlet
import SystemPackage

/// A fiber that asks, checks, and now and then misbehaves. It may be cancelled at any of its steps.
struct StressClient {
    let address: SocketAddress
    let scheduler: Scheduler
    let ledger: StressLedger
    var random: SeededGenerator
    /// Steps until it cancels itself; below 0, never.
    var fuse: Int

    static let largestMessage = 32 * 1024

    mutating func run() throws {
        for _ in 0..<Int.random(in: 1...4, using: &random) { try visit() }
    }

    private mutating func step() {
        fuse -= 1
        if fuse == 0 { AnyFiber.current?.cancel() }
    }

    private mutating func visit() throws {
        step()
        let connection = try ledger.tolerate { try TCPConnection.connect(to: address) }
        ledger.count { $0.connections += 1 }
        let id = ledger.nextID
        do {
            step()
            try ledger.tolerate { try connection.write(Buffer(copying: StressID.bytes(of: id))) }
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                try waitInVain(connection)
            case 1:
                try closeWhileWaiting(connection)
                return
            case 2:
                // Dropped with bytes on their way in both directions.
                try ledger.tolerate { try connection.write(Buffer(copying: [1, 2, 3])) }
                ledger.count { $0.closed += 1 }
                return
            case 3:
                // Nothing but the connection.
                break
            default:
                for _ in 0..<Int.random(in: 1...20, using: &random) { try echo(connection, id) }
            }
        } catch Errno.badFileDescriptor where ledger.isBroken(id) {
            return
        } catch Errno.connectionReset where ledger.isBroken(id) {
        } catch Errno.brokenPipe where ledger.isBroken(id) {
        } catch is InjectedError {
        }
        do { try connection.close() } catch Errno.badFileDescriptor where ledger.isBroken(id) {
            // By the writer, which a fault has ended.
        }
    }

    private mutating func echo(_ connection: TCPConnection, _ id: UInt64) throws {
        let size = Int.random(in: 1...Self.largestMessage, using: &random)
        let start = UInt8.random(in: 0...255, using: &random)
        step()
        // The answer is read while the question is still being written, or both sides would block.
        let ledger = ledger
        let writer = Fiber {
            let question = Buffer(
                copying: (0..<size).map { start &+ UInt8(truncatingIfNeeded: $0) })
            do { try ledger.tolerate { try connection.write(question) } } catch is InjectedError {
                // The reader would wait for ever.
                ledger.markBroken(id)
                try? connection.close()
                throw InjectedError()
            }
        }
        defer { writer.cancel() }
        var answer = Buffer(capacity: 4096)
        var received = 0
        while received < size {
            let count = try ledger.insist { try connection.read(into: &answer) }
            step()
            if count == 0 && ledger.isBroken(id) { throw Errno.connectionReset }
            guard count > 0 else { throw StressFailure(description: "the server ended early") }
            for index in 0..<count
            where answer[index] != start &+ UInt8(truncatingIfNeeded: received + index) {
                throw StressFailure(description: "byte \(received + index) of \(size) is wrong")
            }
            received += count
        }
        try writer.join()
        ledger.count {
            $0.echoes += 1
            $0.bytes += size
        }
    }

    /// Churn: connections that are made and closed, one after another, with a name and nothing else.
    mutating func churn(_ count: Int) throws {
        for _ in 0..<count {
            step()
            let connection: TCPConnection
            do { connection = try ledger.tolerate { try TCPConnection.connect(to: address) } } catch is InjectedError {
                continue
            }
            ledger.count { $0.connections += 1 }
            let id = ledger.nextID
            do {
                try ledger.tolerate { try connection.write(Buffer(copying: StressID.bytes(of: id))) }
            } catch is InjectedError {}
            try connection.close()
        }
    }

    /// A deadline for an answer that nobody gives.
    private mutating func waitInVain(_ connection: TCPConnection) throws {
        var buffer = Buffer(capacity: 16)
        let deadline = Deadline.after(.microseconds(Int.random(in: 0...2000, using: &random)))
        step()
        do {
            _ = try ledger.insist { try connection.read(into: &buffer, deadline: deadline) }
            throw StressFailure(description: "an answer without a question")
        } catch let error as TimeoutError where error.deadline == deadline {
            ledger.count { $0.timedOut += 1 }
        }
    }

    /// Closes on any worker what a fiber of this one, or of another, reads from.
    private mutating func closeWhileWaiting(_ connection: TCPConnection) throws {
        let ledger = ledger
        let reader = scheduler.spawn(onWorker: anyWorker) { () -> Bool in
            var buffer = Buffer(capacity: 16)
            do {
                _ = try ledger.insist { try connection.read(into: &buffer) }
                return false
            } catch Errno.badFileDescriptor {
                return true
            }
        }
        step()
        try Fiber.yield()
        let closer = scheduler.spawn(onWorker: anyWorker) { try connection.close() }
        try withoutCancellation {
            try closer.join()
            guard try reader.join() else {
                throw StressFailure(description: "a read of a closed connection succeeded")
            }
        }
        ledger.count { $0.closed += 1 }
    }

    private var anyWorker: Int {
        mutating get { Int.random(in: 0..<scheduler.workerCount, using: &random) }
    }
}

/// The same in short, as a task.
struct StressTaskClient {
    let address: SocketAddress
    let ledger: StressLedger

    func run(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let connection = try await ledger.tolerate { try await TCPConnection.connect(to: address) }
        ledger.count { $0.connections += 1 }
        let id = ledger.nextID
        do {
            try await ledger.tolerate {
                try await connection.write(Buffer(copying: StressID.bytes(of: id)))
            }
            for _ in 0..<Int.random(in: 1...10, using: &random) {
                // Small enough for the buffers of the sockets, so that one task can do both.
                let size = Int.random(in: 1...8192, using: &random)
                let question = Buffer(
                    copying: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
                try await ledger.tolerate { try await connection.write(question) }
                var answer = Buffer(capacity: 1000)
                var received = 0
                while received < size {
                    let count = try await ledger.insist { try await connection.read(into: &answer) }
                    if count == 0 && ledger.isBroken(id) { throw Errno.connectionReset }
                    guard count > 0 else {
                        throw StressFailure(description: "the server ended early")
                    }
                    for index in 0..<count
                    where answer[index] != UInt8(truncatingIfNeeded: (received + index) &* 7) {
                        throw StressFailure(
                            description: "byte \(received + index) of \(size) is wrong")
                    }
                    received += count
                }
                ledger.count {
                    $0.echoes += 1
                    $0.bytes += size
                }
            }
        } catch Errno.connectionReset where ledger.isBroken(id) {
        } catch Errno.brokenPipe where ledger.isBroken(id) {
        } catch is InjectedError {
        }
        try await connection.close()
    }
}
