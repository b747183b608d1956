/// A Unix signal, to wait for or to send.
public struct UnixSignal: RawRepresentable, Hashable, Sendable {
    /// The number, as in signal(7).
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// SIGHUP.
    public static let hangUp = UnixSignal(rawValue: 1)
    /// SIGINT: Control-C.
    public static let interrupt = UnixSignal(rawValue: 2)
    /// SIGQUIT.
    public static let quit = UnixSignal(rawValue: 3)
    /// SIGKILL: ends a process, whatever it does.
    public static let kill = UnixSignal(rawValue: 9)
    /// SIGUSR1.
    public static let user1 = UnixSignal(rawValue: 10)
    /// SIGUSR2.
    public static let user2 = UnixSignal(rawValue: 12)
    /// SIGPIPE: a write to a pipe that nobody reads any more.
    public static let brokenPipe = UnixSignal(rawValue: 13)
    /// SIGTERM.
    public static let terminate = UnixSignal(rawValue: 15)
    /// SIGCONT.
    public static let resume = UnixSignal(rawValue: 18)
    /// SIGSTOP: halts a process, whatever it does, until a ``resume``.
    public static let stop = UnixSignal(rawValue: 19)
}

/// Signals as something to wait for, instead of handlers that interrupt.
///
/// Make it before the scheduler: it blocks the signals in the calling thread, and threads that are started later
/// inherit that. A thread that does not block them would take the signal's default action. They stay blocked when the
/// listener is gone.
public final class SignalListener: Sendable {
    private let descriptor: Descriptor

    /// - Throws: `Errno.invalidArgument` for something that is no signal, or none that a process can block.
    public init(for signals: [UnixSignal]) throws {
        descriptor = Descriptor(try SignalCalls.open(signals.map(\.rawValue)))
    }

    /// Waits for the next signal. One that has come several times since the last `next()` comes once (signal(7)); of several
    /// listeners for it one gets it.
    ///
    /// - Throws: `CancellationError`; ``TimeoutError``. Nothing is lost then.
    @available(*, noasync, message: "in a task, await next()")
    public func next(deadline: Deadline = .never) throws -> UnixSignal {
        var record = Buffer(capacity: SignalCalls.recordSize)
        let count = try descriptor.perform(
            .read(descriptor.raw, into: record.address, count: record.capacity, at: nil),
            "SignalListener.next()", deadline: deadline)
        record.setCount(Int(count))
        return Self.signal(in: record)
    }

    /// Waits for the next signal; as the form for fibers.
    public func next(deadline: Deadline = .never) async throws -> UnixSignal {
        var record = Buffer(capacity: SignalCalls.recordSize)
        let count = try await descriptor.perform(
            .read(descriptor.raw, into: record.address, count: record.capacity, at: nil),
            deadline: deadline)
        record.setCount(Int(count))
        return Self.signal(in: record)
    }

    private static func signal(in record: borrowing Buffer) -> UnixSignal {
        UnixSignal(rawValue: Int32(record[0]))
    }
}
