import CUring
import Ringlet
import SystemPackage

/// The sockets of one world, and the requests that wait for them.
///
/// What is sent has arrived at once. With a seed, a receive may give less than there is, and buffers are of different sizes, so
/// that sends wait for readers.
final class SimulatedNetwork {
    /// Whose choices it makes. Written once, before there is a socket.
    unowned var world: World!

    /// Far above all descriptors of Linux, whose limit is a million unless somebody raises it.
    static let firstNumber: Int32 = 1 << 30
    private var nextNumber = firstNumber
    private var sockets: [Int32: SimulatedSocket] = [:]
    /// By port: all addresses are the same machine.
    private var listeners: [UInt16: SimulatedSocket] = [:]
    /// As IANA has them, for sockets that do not choose one (RFC 6335).
    private static let dynamicPorts: ClosedRange<UInt16> = 49_152...65_535
    private var nextPort = dynamicPorts.lowerBound

    /// A request that waits for its socket.
    private struct Wait {
        var entry: curing_sqe
        var progress = 0
    }

    /// By socket, in order of submission; and by `user_data` which socket it is.
    private var waits: [Int32: [Wait]] = [:]
    private var places: [UInt64: Int32] = [:]

    /// Requests that have ended since the ring last asked.
    private(set) var ended: [curing_cqe] = []

    func takeEnded() -> [curing_cqe] {
        defer { ended.removeAll() }
        return ended
    }

    // MARK: Calls that do not wait

    func makeSocket() -> Int32 { adopt(SimulatedSocket(capacity: capacity)) }

    /// Two ends of one connection.
    func makePair() -> (Int32, Int32) {
        let (first, second) = (SimulatedSocket(capacity: capacity), SimulatedSocket(capacity: capacity))
        join(first, second)
        return (adopt(first), adopt(second))
    }

    func bind(_ number: Int32, to address: SocketAddress) throws(Errno) {
        let socket = try found(number)
        let address = address.port == 0 ? address.withPort(takePort()) : address
        if listeners[address.port] != nil { throw .addressInUse }
        socket.address = address
    }

    func listen(_ number: Int32) throws(Errno) {
        let socket = try found(number)
        guard let address = socket.address else { throw .invalidArgument }
        if listeners[address.port] != nil { throw .addressInUse }
        socket.role = .listening
        listeners[address.port] = socket
    }

    func localAddress(of number: Int32) throws(Errno) -> SocketAddress {
        guard let address = try found(number).address else { throw .socketNotConnected }
        return address
    }

    func peerAddress(of number: Int32) throws(Errno) -> SocketAddress {
        guard let address = try found(number).peerAddress else { throw .socketNotConnected }
        return address
    }

    /// Returns 0 or a negative errno.
    @discardableResult
    func close(_ number: Int32) -> Int32 {
        guard let socket = sockets.removeValue(forKey: number) else { return -Errno.badFileDescriptor.rawValue }
        for wait in waits.removeValue(forKey: number) ?? [] { end(wait.entry, -Errno.canceled.rawValue) }
        if socket.role == .listening, let address = socket.address { listeners[address.port] = nil }
        for arrival in socket.arrivals { abandon(arrival, isReset: true) }
        abandon(socket, isReset: socket.available > 0)
        return 0
    }

    private func abandon(_ socket: SimulatedSocket, isReset: Bool) {
        guard let peer = socket.peer else { return }
        socket.peer = nil
        peer.peer = nil
        peer.isFinished = true
        peer.isReset = isReset
        retry(peer)
    }

    private func found(_ number: Int32) throws(Errno) -> SimulatedSocket {
        guard let socket = sockets[number] else { throw .badFileDescriptor }
        return socket
    }

    private func adopt(_ socket: SimulatedSocket) -> Int32 {
        defer { nextNumber += 1 }
        socket.number = nextNumber
        sockets[nextNumber] = socket
        return nextNumber
    }

    private func join(_ first: SimulatedSocket, _ second: SimulatedSocket) {
        first.role = .connected
        second.role = .connected
        if first.address == nil { first.address = .loopback(port: takePort()) }
        if second.address == nil { second.address = .loopback(port: takePort()) }
        (first.peer, second.peer) = (second, first)
        (first.peerAddress, second.peerAddress) = (second.address, first.address)
    }

    /// The next that nobody listens at; after the last comes the first again.
    private func takePort() -> UInt16 {
        for _ in Self.dynamicPorts {
            let port = nextPort
            nextPort = port == Self.dynamicPorts.upperBound ? Self.dynamicPorts.lowerBound : port + 1
            if listeners[port] == nil { return port }
        }
        preconditionFailure("a simulation has 16,384 ports to give, and there is a listener at each")
    }

    private var capacity: Int { [65_536, 4096, 512][world.chosen(of: 3)] }

    // MARK: Requests

    static func knows(_ entry: curing_sqe) -> Bool { entry.fd >= firstNumber }

    /// Carries the request out, now or when its socket allows.
    func begin(_ entry: curing_sqe) {
        var wait = Wait(entry: entry)
        if !isBehindAnother(entry), let result = attempt(&wait) { return end(entry, result) }
        waits[entry.fd, default: []].append(wait)
        places[entry.user_data] = entry.fd
    }

    /// Those of one kind come in order.
    private func isBehindAnother(_ entry: curing_sqe) -> Bool {
        guard Int(entry.opcode) != CURING_OP_POLL_ADD, let waiting = waits[entry.fd] else { return false }
        return waiting.contains { $0.entry.opcode == entry.opcode }
    }

    /// Gives a request up. False when it does not wait here.
    func cancel(_ userData: UInt64) -> Bool {
        guard let number = places[userData],
            let index = waits[number]?.firstIndex(where: { $0.entry.user_data == userData }),
            let wait = waits[number]?.remove(at: index)
        else { return false }
        end(wait.entry, wait.progress > 0 ? Int32(wait.progress) : -Errno.canceled.rawValue)
        return true
    }

    /// Gives up all requests of a socket. Returns their number, or a negative errno.
    func cancelAll(on number: Int32) -> Int32 {
        if sockets[number] == nil { return -Errno.badFileDescriptor.rawValue }
        let all = waits[number] ?? []
        for wait in all { _ = cancel(wait.entry.user_data) }
        return Int32(all.count)
    }

    private func end(_ entry: curing_sqe, _ result: Int32) {
        places[entry.user_data] = nil
        ended.append(curing_cqe(user_data: entry.user_data, result: result, flags: 0))
    }

    /// Something has changed for the socket: what waits for it may be able to go on.
    private func retry(_ socket: SimulatedSocket) {
        guard let number = socket.number, let waiting = waits.removeValue(forKey: number) else { return }
        var rest: [Wait] = []
        for var wait in waiting {
            if let result = attempt(&wait) { end(wait.entry, result) } else { rest.append(wait) }
        }
        // What was attempted may have added nothing here: only the program begins requests.
        if !rest.isEmpty { waits[number] = rest }
    }

    /// The result, or nil when the request has to wait.
    private func attempt(_ wait: inout Wait) -> Int32? {
        guard let socket = sockets[wait.entry.fd] else { return -Errno.badFileDescriptor.rawValue }
        switch Int(wait.entry.opcode) {
        case CURING_OP_RECV, CURING_OP_READ: return receive(wait.entry, from: socket)
        case CURING_OP_SEND, CURING_OP_WRITE: return send(&wait, through: socket)
        case CURING_OP_ACCEPT: return accept(on: socket)
        case CURING_OP_CONNECT: return connect(wait.entry, socket)
        case CURING_OP_SHUTDOWN: return shutdown(socket, how: wait.entry.length)
        case CURING_OP_CLOSE: return close(wait.entry.fd)
        case CURING_OP_POLL_ADD:
            let events = socket.events & (wait.entry.operation_flags | 16)
            return events == 0 ? nil : Int32(events)
        default: return -Errno.invalidArgument.rawValue
        }
    }

    private static let doNotWait: UInt32 = 0x40

    private func receive(_ entry: curing_sqe, from socket: SimulatedSocket) -> Int32? {
        guard socket.role == .connected else { return -Errno.socketNotConnected.rawValue }
        if entry.length == 0 { return 0 }
        let most = min(socket.available, Int(entry.length))
        if most > 0 {
            let count = world.chosen(of: 2) == 0 ? most : 1 + world.chosen(of: most)
            entry.receive(socket.take(count))
            if let peer = socket.peer { retry(peer) }
            return Int32(count)
        }
        if socket.isReset { return -Errno.connectionReset.rawValue }
        if socket.isFinished { return 0 }
        return isImpatient(entry) ? -Errno.resourceTemporarilyUnavailable.rawValue : nil
    }

    private func send(_ wait: inout Wait, through socket: SimulatedSocket) -> Int32? {
        guard socket.role == .connected else { return -Errno.socketNotConnected.rawValue }
        let length = Int(wait.entry.length)
        guard let peer = socket.peer, !socket.hasFinished else {
            return wait.progress > 0 ? Int32(wait.progress) : -Errno.brokenPipe.rawValue
        }
        // As long as a reader makes room by reading at once.
        while wait.progress < length, peer.room > 0 {
            let count = min(peer.room, length - wait.progress)
            peer.append(wait.entry.sent(from: wait.progress, count: count))
            wait.progress += count
            retry(peer)
        }
        if wait.progress == length { return Int32(length) }
        guard isImpatient(wait.entry) else { return nil }
        return wait.progress > 0 ? Int32(wait.progress) : -Errno.resourceTemporarilyUnavailable.rawValue
    }

    private func isImpatient(_ entry: curing_sqe) -> Bool {
        let isMessage = Int(entry.opcode) == CURING_OP_RECV || Int(entry.opcode) == CURING_OP_SEND
        return isMessage && entry.operation_flags & Self.doNotWait != 0
    }

    private func accept(on socket: SimulatedSocket) -> Int32? {
        guard socket.role == .listening else { return -Errno.invalidArgument.rawValue }
        // The order in which connections come up is free.
        guard !socket.arrivals.isEmpty else { return nil }
        return adopt(socket.arrivals.remove(at: world.chosen(of: socket.arrivals.count)))
    }

    private func connect(_ entry: curing_sqe, _ socket: SimulatedSocket) -> Int32? {
        guard socket.role == .fresh else { return -Errno.socketIsConnected.rawValue }
        let encoded = entry.sent(count: Int(entry.offset))
        guard let address = SocketAddress(encoded: encoded) else { return -Errno.invalidArgument.rawValue }
        guard let listener = listeners[address.port] else { return -Errno.connectionRefused.rawValue }
        let other = SimulatedSocket(capacity: capacity)
        other.address = address
        join(socket, other)
        listener.arrivals.append(other)
        retry(listener)
        return 0
    }

    private func shutdown(_ socket: SimulatedSocket, how: UInt32) -> Int32 {
        guard socket.role == .connected else { return -Errno.socketNotConnected.rawValue }
        if how != 0 {
            socket.hasFinished = true
            socket.peer?.isFinished = true
            if let peer = socket.peer { retry(peer) }
        }
        if how != 1 {
            socket.isFinished = true
            retry(socket)
        }
        return 0
    }
}
