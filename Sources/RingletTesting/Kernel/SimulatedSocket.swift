import CUring
import Ringlet
import SystemPackage

/// One end of a connection, a listener, or a socket that is neither yet.
final class SimulatedSocket {
    enum Role {
        case fresh
        case listening
        case connected
    }

    var role = Role.fresh
    var address: SocketAddress?

    /// A listener's connections that were not accepted, oldest first.
    var arrivals: [SimulatedSocket] = []

    /// The other end. Nil once that is closed, or this one.
    weak var peer: SimulatedSocket?
    var peerAddress: SocketAddress?

    /// Its number; nil before it is accepted.
    var number: Int32?

    /// What has arrived and was not read, from `read` on.
    private var bytes: [UInt8] = []
    private var read = 0
    /// How much may lie there.
    let capacity: Int

    /// Nothing more will arrive.
    var isFinished = false
    /// The other end was closed before it had read everything.
    var isReset = false
    /// This end said that it will write no more.
    var hasFinished = false

    init(capacity: Int) {
        self.capacity = capacity
    }

    var available: Int { bytes.count - read }
    var room: Int { capacity - available }

    func append(_ more: [UInt8]) { bytes += more }

    func take(_ count: Int) -> ArraySlice<UInt8> {
        defer {
            read += count
            if read == bytes.count {
                bytes.removeAll(keepingCapacity: true)
                read = 0
            }
        }
        return bytes[read..<read + count]
    }

    /// As poll(2) tells them: 1 readable, 4 writable, 16 hung up.
    var events: UInt32 {
        var events: UInt32 = 0
        if available > 0 || isFinished || isReset || !arrivals.isEmpty { events |= 1 }
        if role == .connected, let peer, peer.room > 0 { events |= 4 }
        if role == .connected && peer == nil { events |= 4 | 16 }
        return events
    }
}
