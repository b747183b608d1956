/// Which kernel interface a scheduler runs on, and what it gave.
public struct KernelInfo: Sendable, Hashable, CustomStringConvertible {
    /// "io_uring".
    public let name: String

    /// The flags of io_uring_setup(2) that were granted: the highest rung of the setup ladder that this
    /// kernel, or `RINGLET_KERNEL_MASK`, allows. 0 on the lowest.
    public let setupFlags: UInt32

    /// The sizes of each worker's queues; smaller than usual when locked memory is short.
    public let submissionEntries: Int
    public let completionEntries: Int

    public var description: String {
        "\(name), setup flags 0x\(String(setupFlags, radix: 16)), queues of \(submissionEntries) and \(completionEntries)"
    }
}
