import Glibc

/// How many descriptors this process may still open.
enum DescriptorBudget {
    /// Raises the soft limit to the hard one, and counts what is left. `reserved` are for the scheduler
    /// and for what the act opens besides.
    static func free(reserved: Int) -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(7) /* NOFILE */, &limit) == 0 else { return .max }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(7), &limit)
        return Int(clamping: limit.rlim_max) - ProcessFigures.now.descriptors - reserved
    }
}
