public import SystemPackage

/// A scheduler that is a guest in somebody else's loop: of a GUI, a game or another language's runtime.
///
///     let guest = try GuestScheduler()
///     guest.scheduler.spawn { try serve() }
///     host.whenReadable(guest.descriptor) { guest.runOnce() }
///     …
///     guest.close()
///
/// Worker 0 has no thread: it runs in ``runOnce(deadline:)``, on the thread that made the guest. Between two calls nothing
/// happens on it, and ``descriptor`` is readable as soon as there is something to do: completions, what other threads
/// have pushed, a timer that is due. A host without descriptors calls `runOnce` with a deadline instead, or now and then. With
/// more than one worker the others have threads of their own, as ever. On the main thread the `MainActor` is served, too.
///
/// For one thread, on which all members are called, and which runs no other scheduler. Between two calls it is a plain
/// thread: code of the host spawns with ``scheduler``, as every other thread does, and a call that would block it until the
/// scheduler does something traps, since nobody would do it. Not for a task, whose thread is only lent to it.
public final class GuestScheduler {
    /// Spawn with this one.
    public let scheduler: Scheduler

    private let host: Host
    private var isClosed = false

    private final class Host {
        var descriptor: HostDescriptor
        init() throws { descriptor = try HostDescriptor() }
    }

    /// Makes a scheduler whose worker 0 runs on this thread, whenever the host says so.
    ///
    /// - Throws: What ``Scheduler/init(_:)`` throws; ``SchedulerError/nestedRun`` on a thread that runs a scheduler or has
    ///   a guest already.
    @available(*, noasync, message: "a task's thread is only lent to it; make the guest on a thread of the host")
    public init(_ options: SchedulerOptions = SchedulerOptions()) throws {
        precondition(!CurrentThread.isInTask, "GuestScheduler is made on a thread of the host, and this code runs in a task")
        guard !CurrentThread.mustNotBlock else { throw SchedulerError.nestedRun }
        try Fork.check()
        host = try Host()
        scheduler = try Scheduler.makeInline(options, asGuest: true)
        // So that what is spawned before the first call makes the descriptor readable.
        _ = turn(until: 0)
    }

    /// Readable while there is something to do. For poll(2), epoll(7) and whatever else waits for descriptors; not to
    /// be read, and closed when the guest is gone. The same from beginning to end.
    public var descriptor: FileDescriptor { FileDescriptor(rawValue: host.descriptor.number) }

    /// Runs what is ready, once: what becomes ready meanwhile may be left to the next call, so that the host gets its turn.
    /// When nothing is ready, waits for something first, until `deadline` at most; by default not at all.
    ///
    /// A call takes about 100 microseconds at most, if nothing that it runs goes on for longer without a wait.
    ///
    /// - Returns: True when there is more to do at once, as the descriptor says as well. False after the close.
    @discardableResult
    public func runOnce(deadline: Deadline = .now) -> Bool {
        if isClosed || Fork.isChild { return false }
        resume("runOnce")
        return turn(until: deadline.nanoseconds)
    }

    /// Cancels what is left, waits until it has ended, and ends the scheduler. Blocks the thread, on which what is left is
    /// run meanwhile. A second close does nothing, and dropping the guest does the same, on this thread only.
    public func close() {
        if isClosed { return }
        if Fork.isChild { return isClosed = true }
        resume("close")
        isClosed = true
        scheduler.endInline()
    }

    private func turn(until deadline: UInt64) -> Bool {
        let worker = scheduler.workers[0]
        let due = worker.hostedTurn(until: deadline)
        host.descriptor.arm(worker.ring, due: due)
        CurrentThread.pause()
        return due == 0
    }

    private func resume(_ call: StaticString) {
        precondition(
            CurrentThread.resume(scheduler.workers[0]),
            """
            GuestScheduler.\(call) is called by the host's loop, on the thread that made the guest; this is another one, or \
            code that the scheduler runs.
            """)
    }

    deinit { close() }
}
