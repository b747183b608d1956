import Ringlet
import SystemPackage

/// An echo server that knows its connections by name and says when a fault has ended one.
///
/// A connection begins with its id, eight bytes. One listener per worker on a shared port; workers serve by
/// turns with fibers and with tasks.
final class StressServer: Sendable {
    let address: SocketAddress

    private let ledger: StressLedger
    private let bufferSize: Int

    init(on scheduler: Scheduler, _ ledger: StressLedger, bufferSize: Int) throws {
        self.ledger = ledger
        self.bufferSize = bufferSize
        let first = try TCPListener(on: .loopback(port: 0), sharesPort: true)
        address = first.address
        for worker in 0..<scheduler.workerCount {
            let listener =
                worker == 0 ? first : try TCPListener(on: first.address, sharesPort: true)
            if worker % 2 == 0 {
                ledger.spawn(on: scheduler, worker: worker, name: "accept-\(worker)") { [self] in
                    while true {
                        let connection = try ledger.insist { try listener.accept() }
                        ledger.spawn(on: scheduler, worker: worker, name: "serve") { [self] in
                            try serve(connection)
                        }
                    }
                }
            } else {
                let executor = scheduler.taskExecutor(ofWorker: worker)
                Task(executorPreference: executor) { [self] in
                    do {
                        while true {
                            let connection = try await ledger.insist { try await listener.accept() }
                            Task(executorPreference: executor) { [self] in await serve(connection) }
                        }
                    } catch {
                        ledger.settle(error, "accept-\(worker)", isCancelled: false)
                    }
                }
            }
        }
    }

    // MARK: In both colours

    private func serve(_ connection: TCPConnection) throws {
        var id = StressID()
        do {
            var buffer = Buffer(capacity: bufferSize)
            while !id.isComplete {
                var part = Buffer(capacity: id.missing)
                let count = try ledger.insist { try connection.read(into: &part) }
                guard count > 0 else { return try connection.close() }
                id.append([UInt8](part))
            }
            while try ledger.insist({ try connection.read(into: &buffer) }) > 0 {
                try ledger.tolerate { try connection.write(buffer) }
            }
        } catch is InjectedError {
            ledger.markBroken(id.value)
        } catch Errno.connectionReset, Errno.brokenPipe {
            // Clients vanish.
        }
        try connection.close()
    }

    private func serve(_ connection: TCPConnection) async {
        var id = StressID()
        do {
            do {
                var buffer = Buffer(capacity: bufferSize)
                while !id.isComplete {
                    var part = Buffer(capacity: id.missing)
                    let count = try await ledger.insist { try await connection.read(into: &part) }
                    guard count > 0 else { return try await connection.close() }
                    id.append([UInt8](part))
                }
                while try await ledger.insist({ try await connection.read(into: &buffer) }) > 0 {
                    try await ledger.tolerate { try await connection.write(buffer) }
                }
            } catch is InjectedError {
                ledger.markBroken(id.value)
            } catch Errno.connectionReset, Errno.brokenPipe {
                // As above.
            }
            try await connection.close()
        } catch {
            ledger.settle(error, "serve", isCancelled: false)
        }
    }
}

/// The first eight bytes of a connection.
struct StressID {
    private var bytes: [UInt8] = []

    var missing: Int { 8 - bytes.count }
    var isComplete: Bool { missing == 0 }
    var value: UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    mutating func append(_ more: [UInt8]) { bytes += more }

    static func bytes(of id: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: id >> (56 - 8 * $0)) }
    }
}
