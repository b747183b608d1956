import Glibc
import Testing

@testable import Ringlet

@Suite struct SocketAddressTests {
    /// Texts that are addresses, nearly, or not at all.
    private static func text(_ random: inout Seeded) -> String {
        let parts = [
            "0", "1", "00", "01", "9", "10", "099", "127", "255", "256", "999", "", " ", "+1", "-0",
            "a", "٣", "1e1",
        ]
        let count =
            Int.random(in: 0..<8, using: &random) == 0 ? Int.random(in: 0...6, using: &random) : 4
        return (0..<count).map { _ in
            Int.random(in: 0..<3, using: &random) > 0
                ? String(Int.random(in: 0..<280, using: &random))
                : parts.randomElement(using: &random) ?? ""
        }.joined(separator: ".")
    }

    private static func inetAddress(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 4)
        return unsafe inet_pton(AF_INET, text, &bytes) == 1 ? bytes : nil
    }

    @Test func `an IPv4 address is what inet_pton takes for one`() {
        var random = Seeded(seed: 4)
        var read = 0
        for _ in 0..<20_000 {
            let text = Self.text(&random)
            let address = SocketAddress(ipv4: text, port: 80)
            #expect(address.map { Array($0.encoded[4..<8]) } == Self.inetAddress(text), "\(text)")
            if let address {
                read += 1
                #expect(address.description == "\(text):80")
            }
        }
        #expect(read > 1000)
        #expect(SocketAddress(ipv4: "127.0.0.1\0", port: 80) == nil)
    }

    @Test func `what the kernel hands over is an address or is refused, and survives a round trip`()
    {
        var random = Seeded(seed: 6)
        var read = 0
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...SocketAddress.largestEncoding, using: &random)).map
            { _ in
                UInt8.random(in: .min ... .max, using: &random)
            }
            if bytes.count > 1 {
                bytes[0] = [2, 10, 1].randomElement(using: &random) ?? 2
                bytes[1] = 0
            }
            guard let address = SocketAddress(encoded: bytes) else { continue }
            read += 1
            #expect(SocketAddress(encoded: address.encoded) == address)
            #expect(address.encoded[2..<4] == bytes[2..<4])
            #expect(!address.description.isEmpty)
        }
        #expect(read > 1000)
    }

    @Test func `an address that holds on one link keeps its interface`() async throws {
        let interface = unsafe if_nametoindex("lo")
        let address = try #require(try await SocketAddress.resolve(host: "fe80::1%lo", port: 80).first)
        #expect(address.description == "[fe80:0:0:0:0:0:0:1%\(interface)]:80")
        #expect(address.encoded[24..<28] == [UInt8(interface), 0, 0, 0])
        #expect(SocketAddress(encoded: address.encoded) == address)
        let other = address.encoded.dropLast(4) + [UInt8(interface) + 1, 2, 3, 4]
        #expect(SocketAddress(encoded: Array(other))?.description == "[fe80:0:0:0:0:0:0:1%67305986]:80")
        let elsewhere = SocketAddress(encoded: Array(address.encoded.prefix(24)))
        #expect(elsewhere != address && elsewhere?.description == "[fe80:0:0:0:0:0:0:1]:80")
    }
}
