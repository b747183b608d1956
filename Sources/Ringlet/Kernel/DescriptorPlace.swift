import Glibc

/// What a descriptor leads to, for people.
enum DescriptorPlace {
    /// The path of a file, the address of a socket's peer or, when it listens, its own; nil when neither is known.
    static func name(of descriptor: Int32) -> String? {
        if let peer = try? SocketCalls.peerAddress(of: descriptor) { return "\(peer)" }
        if let own = try? SocketCalls.localAddress(of: descriptor) { return "at \(own)" }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe readlink(
                "/proc/self/fd/\(descriptor)",
                buffer.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped, buffer.count)
        }
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}
