import Synchronization

/// The ids that a worker gives to the fibers which are made on it, taken from those of the process by the block: workers
/// which spawn would otherwise write to one place for each fiber. The blocks double up to 64 ids, so that those of small
/// programs are small.
struct FiberIDs {
    private static let largestBlock: UInt64 = 64

    /// How many ids were given out to workers and others.
    private static let given = Atomic<UInt64>(0)

    private var last: UInt64 = 0
    private var left: UInt64 = 0
    private var blockSize: UInt64 = 1

    /// Never 0.
    @inline(__always)
    mutating func next() -> UInt64 {
        if left == 0 { takeBlock() }
        left &-= 1
        last &+= 1
        return last
    }

    @inline(never)
    private mutating func takeBlock() {
        last = Self.given.wrappingAdd(blockSize, ordering: .relaxed).oldValue
        left = blockSize
        blockSize = min(blockSize * 2, Self.largestBlock)
    }

    /// For a fiber that is made elsewhere than on a worker.
    static func single() -> UInt64 { given.wrappingAdd(1, ordering: .relaxed).newValue }
}
