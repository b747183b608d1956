import SystemPackage

/// A child process, from its start on: its pipes, signals for it, and its end.
///
/// Made by ``Command``, or for a child that the program has started by other means by ``init(adopting:)``. All members
/// may be used from any thread, and any number of fibers, tasks and plain threads may wait for the end. The child is
/// reaped as soon as it has ended: nothing is left for SIGCHLD to do, and whatever handler the program has is not
/// touched.
///
/// It is ``Awaitable``, so of several children the first that ends can be waited for:
///
///     let first = try await wait(for: children, until: .firstCompleted).done[0]
///
/// Its outcome there is the status, a success whatever it says.
///
/// In the child of a fork(2) that is not made by Ringlet, calls throw ``SchedulerError/forkedChild``.
public final class ChildProcess: Sendable {
    private let watch: ChildWatch
    private let inputEnd: PipeWriter?
    private let outputEnd: PipeReader?
    private let errorEnd: PipeReader?
    private let hasOwnGroup: Bool

    init(
        _ watch: ChildWatch, input: PipeWriter?, output: PipeReader?, errorOutput: PipeReader?, hasOwnGroup: Bool
    ) {
        self.watch = watch
        inputEnd = input
        outputEnd = output
        errorEnd = errorOutput
        self.hasOwnGroup = hasOwnGroup
    }

    /// Takes over a child that the program has started itself, by fork(2) or another library: from now on Ringlet waits
    /// for its end and reaps it, and nobody else may. One that has ended and was not reaped counts as well.
    ///
    /// Once for each child. There is no form for "any child", waitpid's -1: it would take the ends of children from those who
    /// wait for them, in other libraries and here. Wait for those that are meant.
    ///
    /// - Throws: `Errno.noChildProcess` when there is no such child of this process, also for 0 and negative numbers;
    ///   ``SchedulerError/forkedChild``.
    public convenience init(adopting pid: Int32) throws {
        try Fork.check()
        guard pid > 0 else { throw Errno.noChildProcess }
        let watch = ChildWatch(pid)
        if watch.status == .unknown { throw Errno.noChildProcess }
        self.init(watch, input: nil, output: nil, errorOutput: nil, hasOwnGroup: false)
    }

    /// The number of the process. Once it has ended, the number may be another's.
    public var pid: Int32 { watch.pid }

    /// How the child ended; nil as long as it runs. Does not wait.
    public var status: ChildStatus? { watch.status }

    // MARK: Pipes

    /// Where to write what the child reads. Traps unless the command's ``Command/input`` is a pipe.
    public var input: PipeWriter { required(inputEnd, "input") }

    /// Where to read what the child writes. Traps unless the command's ``Command/output`` is a pipe.
    public var output: PipeReader { required(outputEnd, "output") }

    /// Where to read what the child writes as errors. Traps unless the command's ``Command/errorOutput`` is a pipe.
    public var errorOutput: PipeReader { required(errorEnd, "errorOutput") }

    private func required<End>(_ end: End?, _ name: StaticString) -> End {
        guard let end else { fatalError("the child's \(name) is no pipe; make its Command with \(name): .pipe") }
        return end
    }

    var pipes: (input: PipeWriter?, output: PipeReader?, errorOutput: PipeReader?) { (inputEnd, outputEnd, errorEnd) }

    // MARK: Signals

    /// Sends a signal. Does not wait.
    ///
    /// Never to a stranger: it goes by the child's pidfd, and to a number only as long as nobody has reaped it.
    ///
    /// - Parameters:
    ///   - signal: Which one; with the number 0 it is only asked whether the child is there.
    ///   - toGroup: To all of the group, of a child whose ``Command/group`` is its own. Traps otherwise.
    /// - Returns: False when the child has ended, and nobody was sent anything.
    /// - Throws: `Errno.invalidArgument` for what is no signal; `Errno.notPermitted` for a child that runs as somebody
    ///   else; ``SchedulerError/forkedChild``.
    @discardableResult
    public func signal(_ signal: UnixSignal, toGroup: Bool = false) throws -> Bool {
        try Fork.check()
        precondition(
            !toGroup || hasOwnGroup,
            "the child is in the group of this process; make its Command with group: .own")
        return try watch.signal(signal.rawValue, toGroup: toGroup)
    }

    /// Asks the child to end: SIGTERM. As `signal(_:toGroup:)`.
    @discardableResult
    public func terminate() throws -> Bool { try signal(.terminate) }

    /// Ends the child: SIGKILL. As `signal(_:toGroup:)`.
    @discardableResult
    public func kill() throws -> Bool { try signal(.kill) }

    // MARK: Leaving none behind

    /// From a fiber, or where nothing is to be closed, from a plain thread.
    func end(within gracePeriod: Duration) {
        let alarm = askToEnd(within: gracePeriod)
        if FiberRef.current != nil {
            try? inputEnd?.close()
            try? outputEnd?.close()
            try? errorEnd?.close()
        }
        _ = wait("command.withChild", deadline: .never, isShielded: true) { addToEnd($0) }
        alarm?.cancel()
    }

    func end(within gracePeriod: Duration) async {
        let alarm = askToEnd(within: gracePeriod)
        try? await inputEnd?.close()
        try? await outputEnd?.close()
        try? await errorEnd?.close()
        _ = await wait(deadline: .never, isShielded: true) { addToEnd($0) }
        alarm?.cancel()
    }

    /// Nil when it has ended.
    private func askToEnd(within gracePeriod: Duration) -> Alarm? {
        if gracePeriod > .zero {
            guard (try? signal(.terminate, toGroup: hasOwnGroup)) != false else { return nil }
            let alarm = Alarm(on: BackgroundScheduler.worker) { [self] in _ = try? signal(.kill, toGroup: hasOwnGroup) }
            alarm.set(at: .after(gracePeriod))
            return alarm
        }
        _ = try? signal(.kill, toGroup: hasOwnGroup)
        return nil
    }
}

// MARK: - The end, in both colours

extension ChildProcess {
    /// Waits for the end, and returns how the child ended. In a fiber or on a plain thread.
    ///
    /// Everybody who waits is told the same, also who comes later. The child does not notice it when a wait ends early.
    /// What it has written may still be in its pipes.
    ///
    /// - Throws: `CancellationError` when the waiting fiber is cancelled; ``TimeoutError``;
    ///   ``SchedulerError/forkedChild``.
    @available(*, noasync, message: "in a task, await child.wait()")
    @discardableResult
    public func wait(deadline: Deadline = .never) throws -> ChildStatus {
        try Fork.check()
        if let status { return status }
        try wait("child.wait()", deadline: deadline) { addToEnd($0) }.orThrow(deadline)
        return status!
    }

    /// Waits for the end, and returns how the child ended. In a task; as the form for fibers.
    @discardableResult
    public func wait(deadline: Deadline = .never) async throws -> ChildStatus {
        try Fork.check()
        if let status { return status }
        try await wait(deadline: deadline) { addToEnd($0) }.orThrow(deadline)
        return status!
    }
}

extension ChildProcess: QueuedEnd {
    /// Nil until the end; then the status, as a success.
    public var outcome: Outcome<ChildStatus>? { status.map { .success($0) } }

    /// Asks the child to end: SIGTERM.
    ///
    /// - Returns: False when it has ended already.
    @discardableResult
    public func cancel() -> Bool {
        if status != nil { return false }
        _ = try? terminate()
        return true
    }

    /// Waits for the end, as the form that returns the status.
    @_disfavoredOverload
    @available(*, noasync, message: "in a task, await child.wait()")
    public func wait(deadline: Deadline) throws {
        let _: ChildStatus = try wait(deadline: deadline)
    }

    /// Waits for the end, as the form that returns the status.
    @_disfavoredOverload
    public func wait(deadline: Deadline) async throws {
        let _: ChildStatus = try await wait(deadline: deadline)
    }

    func addToEnd(_ node: WaitNode) -> Bool { watch.end.add(node) }
    func withdraw(_ node: WaitNode) -> Bool { watch.end.withdraw(node) }
    var endWorker: Worker { CurrentThread.worker ?? BackgroundScheduler.worker }
    func waitDescription(of node: WaitNode) -> WaitDescription { WaitDescription("the end of process \(pid)", .process) }
    /// The watch goes on when the handle is dropped.
    static var ownsEnd: Bool { false }
}
