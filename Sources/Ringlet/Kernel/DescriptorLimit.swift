import Glibc

/// How many descriptors the process may have open at once: RLIMIT_NOFILE of getrlimit(2).
public enum DescriptorLimit {
    /// The soft limit, which is the one that counts. The default of most distributions is 1024.
    ///
    /// Any thread may ask.
    public static var current: Int { Int(clamping: limits().rlim_cur) }

    /// Raises the soft limit as far as the hard one allows, as a server with many connections wants at its
    /// start, and answers what is allowed now.
    ///
    /// Ringlet never does this by itself: the limit is inherited by children, and a program that uses select(2)
    /// breaks on descriptors over 1023. Any thread may call it.
    @discardableResult
    public static func raise() -> Int {
        var raised = limits()
        raised.rlim_cur = raised.rlim_max
        _ = unsafe setrlimit(resource, &raised)
        return current
    }

    /// Glibc numbers the resources by an enumeration, which Swift imports as a type of its own.
    private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }

    private static func limits() -> rlimit {
        var limits = rlimit()
        let status = unsafe getrlimit(resource, &limits)
        // There is no other reason to refuse than a wrong resource or address.
        precondition(status == 0, "getrlimit(2) refused RLIMIT_NOFILE")
        return limits
    }
}
