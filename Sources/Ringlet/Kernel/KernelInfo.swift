/// Which kernel interface a scheduler runs on, and what it gave.
public struct KernelInfo: Sendable, Hashable, CustomStringConvertible {
    /// "io_uring" or "emulated"; "simulated" inside a simulation of the testing kit.
    public let name: String

    /// The flags of io_uring_setup(2) that were granted: the highest rung of the setup ladder that this
    /// kernel, or `RINGLET_KERNEL_MASK`, allows. 0 on the lowest.
    public let setupFlags: UInt32

    /// The places in each worker's submission queue; fewer than usual when locked memory is short.
    public let submissionEntries: Int
    /// The places in each worker's completion queue.
    public let completionEntries: Int

    /// Why it is not io_uring; nil when it is.
    public let reason: String?

    /// What io_uring of this kernel lacks and what is emulated beside it: the names of opcodes, as "recv". Empty
    /// where it lacks nothing, and on the emulated ring.
    public let emulatedOperations: [String]

    public var description: String {
        let flags = String(setupFlags, radix: 16)
        let queues = "queues of \(submissionEntries) and \(completionEntries)"
        let lacking = emulatedOperations.joined(separator: ", ")
        let rest = lacking.isEmpty ? "" : ", \(lacking) emulated"
        return "\(name), setup flags 0x\(flags), \(queues)\(rest)" + (reason.map { " (\($0))" } ?? "")
    }
}
