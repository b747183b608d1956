public import SystemPackage

// MARK: - Names of hosts, in both colours

extension SocketAddress {
    /// Finds the addresses of a host by its name, with getaddrinfo(3) on a thread of ``ThreadPool/nameLookup``.
    ///
    /// An address as text is translated at once. Called in a fiber it suspends the fiber, on a plain thread it
    /// blocks the thread. In a task use `try await`. A caller that is cancelled or runs into the deadline goes on at
    /// once; its thread is free for others when the C library gives up, after 5 seconds per server and attempt
    /// unless resolv.conf(5) says otherwise.
    ///
    /// - Parameters:
    ///   - host: A name, an IPv4 or an IPv6 address.
    ///   - port: The port of the addresses.
    ///   - deadline: When to give up.
    /// - Returns: At least one address, in the order in which they should be tried (RFC 6724).
    /// - Throws: ``NameLookupError``; `CancellationError`; ``TimeoutError``; ``ThreadPoolError``.
    @available(*, noasync, message: "in a task, await SocketAddress.resolve(host:port:)")
    public static func resolve(
        host: String, port: UInt16, deadline: Deadline = .never
    ) throws -> [SocketAddress] {
        if let fiber = FiberRef.current, fiber.mustNotWait {
            throw Completion.cancelled(.user).error(deadline)
        }
        if let address = numeric(host, port) { return address }
        return try lookUp(host, port).wait("SocketAddress.resolve", deadline: deadline)
    }

    /// Finds the addresses of a host by its name, with getaddrinfo(3) on a thread of ``ThreadPool/nameLookup``.
    ///
    /// As the synchronous form.
    public static func resolve(
        host: String, port: UInt16, deadline: Deadline = .never
    ) async throws -> [SocketAddress] {
        try Task.checkCancellation()
        if let address = numeric(host, port) { return address }
        return try await lookUp(host, port).wait(deadline: deadline)
    }

    private static func numeric(_ host: String, _ port: UInt16) -> [SocketAddress]? {
        try? NameCalls.addresses(of: host, port: port, numericOnly: true)
    }

    private static func lookUp(_ host: String, _ port: UInt16) -> BlockingJob<[SocketAddress]> {
        ThreadPool.nameLookup.job(host, .abandons) {
            try NameCalls.addresses(of: host, port: port, numericOnly: false)
        }
    }
}

/// Why a host has no address.
public struct NameLookupError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name that was looked up.
    public let host: String
    /// What getaddrinfo(3) said.
    public let reason: Reason

    /// What getaddrinfo(3) says.
    public enum Reason: Hashable, Sendable {
        /// There is no such name, or it has no address (EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY).
        case notFound
        /// No server answered; later one may (EAI_AGAIN).
        case temporaryFailure
        /// A server refused to answer (EAI_FAIL).
        case serverFailure
        /// A system call failed (EAI_SYSTEM), or there was no memory (EAI_MEMORY).
        case system(Errno)
        /// Another code of getaddrinfo(3).
        case other(Int32)
    }

    public var description: String {
        let what =
            switch reason {
            case .notFound: "no such host, or it has no address"
            case .temporaryFailure: "no name server answered"
            case .serverFailure: "the name server refused to answer"
            case .system(let error): "\(error)"
            case .other(let code): NameCalls.text(of: code)
            }
        return "cannot find '\(host)': \(what)"
    }
}
