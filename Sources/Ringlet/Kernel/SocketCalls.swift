import CUring
import Glibc
import SystemPackage

/// Socket calls that never wait, made directly: creating, binding, listening, naming.
enum SocketCalls {
    /// Who answers instead of Linux.
    private static var simulation: (any KernelSimulation)? { Scheduler.currentSimulation }

    /// A close-on-exec TCP socket. Blocking on purpose: with older kernels a submission on a non-blocking
    /// descriptor fails with EAGAIN instead of waiting (6.18 waits).
    static func makeStream(_ address: SocketAddress) throws(Errno) -> Int32 {
        if let simulation { return simulation.makeSocket() }
        let descriptor = try check(
            socket(address.family, Int32(SOCK_STREAM.rawValue) | 0o2000000 /* CLOEXEC */, 0))
        curing_descriptor_changed(descriptor)
        return descriptor
    }

    static func bind(_ descriptor: Int32, to address: SocketAddress) throws(Errno) {
        if let simulation { return try simulation.bind(descriptor, to: address) }
        let encoded = address.encoded
        let error = unsafe encoded.withUnsafeBytes { bytes in
            unsafe Glibc.bind(
                descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                socklen_t(bytes.count))
        }
        try check(error)
    }

    static func listen(_ descriptor: Int32, backlog: Int32) throws(Errno) {
        if let simulation { return try simulation.listen(descriptor) }
        try check(Glibc.listen(descriptor, backlog))
    }

    static func localAddress(of descriptor: Int32) throws(Errno) -> SocketAddress {
        if let simulation { return try simulation.localAddress(of: descriptor) }
        return try unsafe name(descriptor, getsockname)
    }

    static func peerAddress(of descriptor: Int32) throws(Errno) -> SocketAddress {
        if let simulation { return try simulation.peerAddress(of: descriptor) }
        return try unsafe name(descriptor, getpeername)
    }

    private static func name(
        _ descriptor: Int32,
        _ call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) throws(Errno) -> SocketAddress {
        var bytes = [UInt8](repeating: 0, count: SocketAddress.largestEncoding)
        var length = socklen_t(bytes.count)
        let error = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe call(
                descriptor,
                buffer.assumingMemoryBound(to: sockaddr.self).baseAddress.unsafelyUnwrapped, &length)
        }
        try check(error)
        guard let address = SocketAddress(encoded: bytes) else {
            throw Errno.addressFamilyNotSupported
        }
        return address
    }

    /// Several listeners share one port, and the kernel spreads connections over them.
    static func setReusePort(_ descriptor: Int32) throws(Errno) {
        try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT)
    }

    /// A server that restarts gets its port back while old connections linger.
    static func setReuseAddress(_ descriptor: Int32) throws(Errno) {
        try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR)
    }

    /// Small messages leave at once instead of waiting for more.
    static func setNoDelay(_ descriptor: Int32) throws(Errno) {
        try setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
    }

    private static func setOption(_ descriptor: Int32, _ level: Int32, _ option: Int32) throws(Errno)
    {
        if simulation != nil { return }
        var one: Int32 = 1
        let error = unsafe setsockopt(
            descriptor, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
        try check(error)
    }

    /// close(2), for descriptors that nothing waits on.
    static func close(_ descriptor: Int32) {
        if let simulation, simulation.close(descriptor) { return }
        curing_descriptor_changed(descriptor)
        _ = Glibc.close(descriptor)
    }

    @discardableResult
    private static func check(_ result: Int32) throws(Errno) -> Int32 {
        if result < 0 { throw Errno(rawValue: errno) }
        return result
    }
}
