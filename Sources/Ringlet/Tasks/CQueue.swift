import Glibc
import SystemPackage
import Synchronization

/// Completions for a program with an event loop of its own, and the descriptor that it polls.
///
/// Any thread. The descriptor's count is above zero exactly while there are completions.
@_spi(C)
public final class CQueue: Sendable {
    public struct Record: BitwiseCopyable, Sendable {
        public let userData: UInt64
        public let task: UInt64
        public let result: Int64
    }

    private struct State {
        var records: [Record] = []
        /// Where the first record is that has not been taken. Fewer than half of all lie before it.
        var first = 0
        var isClosed = false

        /// Forgets the records that were taken, once they are half of all: each is moved once on average.
        mutating func compact() {
            guard first * 2 >= records.count else { return }
            records.removeSubrange(..<first)
            if records.isEmpty && records.capacity > 1024 { records = [] }
            first = 0
        }
    }

    private let state = Mutex(State())
    private let event: EventDescriptor

    public init() throws(CFailure) {
        do {
            event = try EventDescriptor()
        } catch {
            throw .errno(-error.errno.rawValue)
        }
        // Somebody else may have read it; emptying it must not wait then.
        _ = fcntl(event.descriptor, F_SETFL, O_NONBLOCK)
    }

    deinit { close() }

    /// Drops what was not taken and what is still to come, and closes the descriptor.
    public func close() {
        state.withLock { state in
            if state.isClosed { return }
            state.isClosed = true
            state.records = []
            state.first = 0
            event.close()
        }
    }

    public var descriptor: Int32 { event.descriptor }

    /// Asks for one record at the end of `task`.
    public func add(_ task: any CTask, id: UInt64, userData: UInt64) {
        task.whenFinished { result in
            self.push(Record(userData: userData, task: id, result: result))
        }
    }

    private func push(_ record: Record) {
        state.withLock { state in
            if state.isClosed { return }
            state.records.append(record)
            if state.records.count == state.first + 1 { event.signal() }
        }
    }

    /// Takes at most `limit` records, oldest first, and hands each to `body` with its position.
    public func take(_ limit: Int, _ body: (Int, Record) -> Void) -> Int32 {
        state.withLock { state in
            let count = min(limit, state.records.count - state.first)
            guard count > 0 else { return 0 }
            for position in 0..<count { body(position, state.records[state.first + position]) }
            state.first += count
            if state.first == state.records.count {
                var count: UInt64 = 0
                _ = unsafe Glibc.read(event.descriptor, &count, 8)
            }
            state.compact()
            return Int32(clamping: count)
        }
    }

    /// Waits until there are records, in a fiber or on a plain thread.
    ///
    /// - Returns: 0, perhaps without a record; or a negated errno.
    public func wait(deadline: Deadline) -> Int32 {
        if FiberRef.current != nil {
            return min(CCurrent.pollReadable(event.descriptor, deadline: deadline), 0)
        }
        if CurrentThread.mustNotBlock { return -EDEADLK }
        var watched = pollfd(fd: event.descriptor, events: Int16(POLLIN), revents: 0)
        let ready = unsafe poll(&watched, 1, Self.milliseconds(until: deadline))
        if ready < 0 { return -errno }
        return ready == 0 && deadline.hasPassed ? -ETIMEDOUT : 0
    }

    /// Rounded up: a wait is never shorter than it was asked to be.
    private static func milliseconds(until deadline: Deadline) -> Int32 {
        if deadline == .never { return -1 }
        let now = LinuxThread.now()
        guard deadline.nanoseconds > now else { return 0 }
        return Int32(clamping: (deadline.nanoseconds - now - 1) / 1_000_000 + 1)
    }
}
