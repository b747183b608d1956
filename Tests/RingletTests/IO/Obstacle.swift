import Glibc
import SystemPackage

@testable import Ringlet

/// An operation that waits for ever, made with plain system calls.
final class Obstacle: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case accept, read, write, connect
    }

    let kind: Kind
    private let listener: TCPListener
    private let near: TCPConnection
    private let far: TCPConnection

    init(_ kind: Kind) throws {
        self.kind = kind
        // With this backlog the kernel keeps one connection and drops the packets of a second.
        listener = try TCPListener(on: .loopback(port: 0), backlog: 0)
        near = try Self.connect(to: listener.address)
        far = TCPConnection(try check(Glibc.accept(listener.descriptor.raw, nil, nil)))
        if kind == .connect { full = try Self.connect(to: listener.address) } else { full = nil }
    }

    private let full: TCPConnection?

    private static func connect(to address: SocketAddress) throws -> TCPConnection {
        let connection = TCPConnection(try SocketCalls.makeStream(address))
        let encoded = address.encoded
        _ = try check(
            unsafe encoded.withUnsafeBytes {
                unsafe Glibc.connect(
                    connection.descriptor.raw,
                    $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
            })
        return connection
    }

    /// More than the buffers of both ends hold.
    private static let tooMuch = 32 << 20

    /// For fibers.
    func wait(deadline: Deadline = .never) throws {
        switch kind {
        case .accept: _ = try listener.accept(deadline: deadline)
        case .connect: _ = try TCPConnection.connect(to: listener.address, deadline: deadline)
        case .read:
            var buffer = Buffer(capacity: 100)
            try near.read(into: &buffer, deadline: deadline)
        case .write:
            try near.write(Stream.buffer(count: Self.tooMuch), deadline: deadline)
        }
    }

    /// For tasks.
    func wait(deadline: Deadline = .never) async throws {
        switch kind {
        case .accept: _ = try await listener.accept(deadline: deadline)
        case .connect:
            _ = try await TCPConnection.connect(to: listener.address, deadline: deadline)
        case .read:
            var buffer = Buffer(capacity: 100)
            try await near.read(into: &buffer, deadline: deadline)
        case .write:
            try await near.write(Stream.buffer(count: Self.tooMuch), deadline: deadline)
        }
    }

    /// Closes what the operation waits on. For fibers.
    func close() throws {
        if kind == .accept { try listener.close() } else { try near.close() }
    }

    /// Closes what the operation waits on. For tasks.
    func close() async throws {
        if kind == .accept { try await listener.close() } else { try await near.close() }
    }
}

private func check(_ result: Int32) throws -> Int32 {
    if result < 0 { throw Errno(rawValue: errno) }
    return result
}

extension Scheduler {
    /// Operations in flight on a worker, counted by its own thread.
    func operationsInFlight(ofWorker index: Int = 0) async throws -> Int {
        let worker = workers[index]
        return try await spawn(onWorker: index) { worker.operationsOfTheTest }.join()
    }

    /// Waits until a worker has as many operations in flight.
    func awaitOperations(_ count: Int, ofWorker index: Int = 0) async throws {
        let limit = Deadline.after(patience)
        while try await operationsInFlight(ofWorker: index) != count {
            if limit.hasPassed { throw WaitedTooLong(what: "\(count) operations in flight") }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}
