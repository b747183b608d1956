import Glibc
import SystemPackage

/// getaddrinfo(3), which waits for servers on the calling thread.
enum NameCalls {
    /// The addresses of `host`, best first. Not empty.
    ///
    /// - Parameter numericOnly: `host` is an address as text, or it is not found; nothing is waited for then.
    static func addresses(
        of host: String, port: UInt16, numericOnly: Bool
    ) throws(NameLookupError) -> [SocketAddress] {
        if host.utf8.contains(0) { throw NameLookupError(host: host, reason: .notFound) }
        var hints = unsafe addrinfo()
        // One answer per address, where otherwise there is one for each kind of socket.
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = numericOnly ? AI_NUMERICHOST : 0
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, nil, &hints, &list)
        if code != 0 { throw NameLookupError(host: host, reason: reason(code, errno)) }
        defer { unsafe freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var entry = unsafe list
        while let current = unsafe entry?.pointee {
            let bytes = unsafe [UInt8](
                UnsafeRawBufferPointer(start: current.ai_addr, count: Int(current.ai_addrlen)))
            // The hosts file may name an address twice.
            if let address = SocketAddress(encoded: bytes)?.withPort(port), !found.contains(address) {
                found.append(address)
            }
            unsafe entry = current.ai_next
        }
        if found.isEmpty { throw NameLookupError(host: host, reason: .notFound) }
        return found
    }

    private static func reason(_ code: Int32, _ error: Int32) -> NameLookupError.Reason {
        switch code {
        // EAI_ADDRFAMILY, EAI_NODATA: the name exists, and has no address that is of use.
        case EAI_NONAME, -9, -5: .notFound
        case EAI_AGAIN: .temporaryFailure
        case EAI_FAIL: .serverFailure
        case EAI_MEMORY: .system(.noMemory)
        case EAI_SYSTEM: .system(Errno(rawValue: error))
        default: .other(code)
        }
    }

    /// What the C library says of an error that has no name here.
    static func text(of code: Int32) -> String {
        unsafe String(cString: gai_strerror(code))
    }
}
