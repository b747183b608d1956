/// An IPv4 or IPv6 address with a port.
///
/// An IPv6 address that holds on one link only (`fe80::1%eth0`) keeps the number of its interface, so that what a peer's
/// address or a look-up says can be connected to.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    private enum Host: Hashable {
        case v4([UInt8])
        /// With the number of the interface on whose link it holds; 0 where it holds everywhere.
        case v6([UInt8], scope: UInt32)
    }

    private let host: Host

    /// The port, in the host's byte order. 0 asks the kernel to choose one.
    public let port: UInt16

    private init(host: Host, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// 127.0.0.1.
    public static func loopback(port: UInt16) -> SocketAddress {
        SocketAddress(host: .v4([127, 0, 0, 1]), port: port)
    }

    /// 0.0.0.0: every IPv4 interface.
    public static func any(port: UInt16) -> SocketAddress {
        SocketAddress(host: .v4([0, 0, 0, 0]), port: port)
    }

    /// ::1.
    public static func loopbackV6(port: UInt16) -> SocketAddress {
        SocketAddress(host: .v6([UInt8](repeating: 0, count: 15) + [1], scope: 0), port: port)
    }

    /// An IPv4 address in dotted form, "127.0.0.1"; nil when it is not one. As in inet_pton(3), no number has
    /// leading zeros, which some programs take for octal.
    public init?(ipv4 text: String, port: UInt16) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part in
            part.allSatisfy { $0.isASCII && $0.isNumber } && (part == "0" || part.first != "0")
                ? UInt8(part) : nil
        }
        guard parts.count == 4, bytes.count == 4 else { return nil }
        self.init(host: .v4(bytes), port: port)
    }

    public var description: String {
        switch host {
        case .v4(let bytes):
            "\(bytes.map(String.init).joined(separator: ".")):\(port)"
        case .v6(let bytes, let scope):
            "[\(Self.groups(bytes))\(scope == 0 ? "" : "%\(scope)")]:\(port)"
        }
    }

    private static func groups(_ bytes: [UInt8]) -> String {
        stride(from: 0, to: 16, by: 2)
            .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
            .joined(separator: ":")
    }

    // MARK: As the kernel wants it

    private static let familyV4: UInt16 = 2
    private static let familyV6: UInt16 = 10

    /// Bytes of the largest encoding (struct sockaddr_in6).
    static let largestEncoding = 28

    var family: Int32 {
        switch host {
        case .v4: Int32(Self.familyV4)
        case .v6: Int32(Self.familyV6)
        }
    }

    /// struct sockaddr_in or sockaddr_in6: the family in host order, the port in network order.
    var encoded: [UInt8] {
        let portBytes = [UInt8(port >> 8), UInt8(port & 0xff)]
        switch host {
        case .v4(let bytes):
            return Self.encode(Self.familyV4) + portBytes + bytes + [UInt8](repeating: 0, count: 8)
        case .v6(let bytes, let scope):
            let flow = [UInt8](repeating: 0, count: 4)
            return Self.encode(Self.familyV6) + portBytes + flow + bytes + Self.encode(scope)
        }
    }

    private static func encode<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        // Both architectures of ours are little-endian.
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    package func withPort(_ port: UInt16) -> SocketAddress { SocketAddress(host: host, port: port) }

    package init?(encoded bytes: [UInt8]) {
        guard bytes.count >= 8 else { return nil }
        let port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        switch UInt16(bytes[0]) | UInt16(bytes[1]) << 8 {
        case Self.familyV4:
            self.init(host: .v4([UInt8](bytes[4..<8])), port: port)
        case Self.familyV6 where bytes.count >= 24:
            // The kernel also takes the older form, which ends before the scope (RFC 2133).
            let scope = bytes.dropFirst(24).prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            self.init(host: .v6([UInt8](bytes[8..<24]), scope: bytes.count >= 28 ? scope : 0), port: port)
        default:
            return nil
        }
    }
}
