import SystemPackage

/// What a pool of fibers cannot be.
public enum FiberPoolError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A pool has at least one place.
    case invalidCapacity(Int)
    /// At least one result may wait to be taken.
    case invalidBound(Int)

    public var description: String {
        switch self {
        case .invalidCapacity(let capacity): "a fiber pool cannot have \(capacity) places"
        case .invalidBound(let bound): "\(bound) results cannot be under way at once"
        }
    }
}

extension FiberPool {
    /// What a fiber of the pool gets that would wait for its own end.
    static var deadlock: Errno { .deadlock }
}
