import CUring
import Glibc

/// Requests that wait for descriptors of Linux, among them the eventfd by which another thread wakes the worker.
@safe
struct OutsideWaits {
    private var waits: [curing_sqe] = []

    /// A read that may have to wait for somebody, as files never do; or a poll.
    static func mustWait(for entry: curing_sqe) -> Bool {
        guard Int(entry.opcode) == CURING_OP_READ else { return Int(entry.opcode) == CURING_OP_POLL_ADD }
        var status = stat()
        return unsafe fstat(entry.fd, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
    }

    /// Somebody else may end them at any time. The worker's own have a kind in the top byte.
    var hasRequestsOfTheProgram: Bool { waits.contains { $0.user_data >> 56 == 0 } }

    mutating func add(_ entry: curing_sqe) { waits.append(entry) }

    /// Gives up those that `isIncluded` accepts. Returns the `user_data` of each.
    mutating func remove(where isIncluded: (curing_sqe) -> Bool) -> [UInt64] {
        let removed = waits.filter(isIncluded).map(\.user_data)
        waits.removeAll(where: isIncluded)
        return removed
    }

    /// Ends those whose descriptors are as they wait for. Sleeps until one is, if it may.
    mutating func collect(mayBlock: Bool, into ended: inout [curing_cqe]) {
        if waits.isEmpty { return }
        var polled = waits.map { pollfd(fd: $0.fd, events: Self.events(of: $0), revents: 0) }
        let count = unsafe poll(&polled, nfds_t(polled.count), mayBlock ? -1 : 0)
        guard count > 0 else { return }
        var rest: [curing_sqe] = []
        for (entry, result) in zip(waits, polled) {
            if result.revents == 0 {
                rest.append(entry)
            } else {
                let result = Int(entry.opcode) == CURING_OP_READ ? Self.read(entry) : Int32(result.revents)
                ended.append(curing_cqe(user_data: entry.user_data, result: result, flags: 0))
            }
        }
        waits = rest
    }

    private static func events(of entry: curing_sqe) -> Int16 {
        Int(entry.opcode) == CURING_OP_READ ? Int16(POLLIN) : Int16(truncatingIfNeeded: entry.operation_flags)
    }

    private static func read(_ entry: curing_sqe) -> Int32 {
        let memory = unsafe UnsafeMutableRawPointer(bitPattern: UInt(entry.address))
        let count = unsafe Glibc.read(entry.fd, memory, Int(entry.length))
        return count < 0 ? -errno : Int32(count)
    }
}
