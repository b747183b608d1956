import Glibc
import SystemPackage

@testable import Ringlet

/// The two ends of a connection over loopback. For fibers.
func connectedPair() throws -> (client: TCPConnection, server: TCPConnection) {
    let listener = try TCPListener(on: .loopback(port: 0))
    // The kernel answers for the listener, so one fiber can do both.
    let client = try TCPConnection.connect(to: listener.address)
    let server = try listener.accept()
    try listener.close()
    return (client, server)
}

/// The two ends of a connection over loopback. For tasks.
func connectedPair() async throws -> (client: TCPConnection, server: TCPConnection) {
    let listener = try TCPListener(on: .loopback(port: 0))
    let client = try await TCPConnection.connect(to: listener.address)
    let server = try await listener.accept()
    try await listener.close()
    return (client, server)
}

/// A stream whose every byte tells where it belongs, since its period is a prime number.
struct Stream {
    private static let period = 65_521
    private static let block: [UInt8] = {
        var random = Seeded(seed: 65_521)
        return (0..<2 * period).map { $0 < period ? $0 : $0 - period }.enumerated().map {
            UInt8(truncatingIfNeeded: ($0.element &* 167) ^ ($0.element >> 7))
        }
    }()

    /// The `count` bytes, at most one period, from position `start` on.
    static func bytes(from start: Int, count: Int) -> ArraySlice<UInt8> {
        let first = start % period
        return block[first..<first + count]
    }

    /// All bytes from 0 to `count`.
    static func buffer(count: Int) -> Buffer {
        var buffer = Buffer(capacity: count)
        while buffer.count < count {
            buffer.append(
                contentsOf: bytes(from: buffer.count, count: min(period, count - buffer.count)))
        }
        return buffer
    }

    /// True when the buffer holds what belongs at position `start`.
    static func matches(_ buffer: borrowing Buffer, from start: Int) -> Bool {
        buffer.count <= period
            && bytes(from: start, count: buffer.count).elementsEqual([UInt8](buffer))
    }
}

/// Reads to the end, `chunk` bytes at a time; returns the number of bytes. For fibers.
func readStream(
    _ connection: TCPConnection, chunk: Int, between: () throws -> Void = {}
) throws -> Int {
    var buffer = Buffer(capacity: chunk)
    var position = 0
    while try connection.read(into: &buffer) > 0 {
        guard Stream.matches(buffer, from: position) else { throw Failure(number: position) }
        position += buffer.count
        try between()
    }
    return position
}

/// Reads to the end, `chunk` bytes at a time; returns the number of bytes. For tasks.
func readStream(_ connection: TCPConnection, chunk: Int) async throws -> Int {
    var buffer = Buffer(capacity: chunk)
    var position = 0
    while try await connection.read(into: &buffer) > 0 {
        guard Stream.matches(buffer, from: position) else { throw Failure(number: position) }
        position += buffer.count
        await Task.yield()
    }
    return position
}

/// Sends back what comes, until the other side has finished. For fibers.
func echo(_ connection: TCPConnection) throws {
    var buffer = Buffer(capacity: 4096)
    while try connection.read(into: &buffer) > 0 { try connection.write(buffer) }
    try connection.close()
}

/// Sends back what comes, until the other side has finished. For tasks.
func echo(_ connection: TCPConnection) async throws {
    var buffer = Buffer(capacity: 4096)
    while try await connection.read(into: &buffer) > 0 { try await connection.write(buffer) }
    try await connection.close()
}

extension TCPConnection {
    /// Lets the close of this end reset the connection instead of finishing it.
    func resetOnClose() throws {
        var option = linger(l_onoff: 1, l_linger: 0)
        let result = unsafe setsockopt(
            descriptor.raw, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        if result != 0 { throw Errno(rawValue: errno) }
    }

    /// write(2) without the scheduler's knowledge: on return the other side has the bytes.
    func writeBehindTheScenes(_ bytes: [UInt8]) throws {
        let result = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.write(descriptor.raw, $0.baseAddress, $0.count)
        }
        if result != bytes.count { throw Errno(rawValue: errno) }
    }
}
