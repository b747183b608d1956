import Synchronization

/// Where errors go that nobody can catch any more: to a handler, or to stderr.
struct UnseenErrors: ~Copyable, Sendable {
    private let handler = Mutex<UnseenErrorHandler?>(nil)

    /// For what belongs to no scheduler, and for schedulers without a handler of their own.
    static let ofProcess = UnseenErrors()

    /// Any thread. The handler that was there before.
    func exchange(_ new: UnseenErrorHandler?) -> UnseenErrorHandler? {
        handler.withLock { handler in
            defer { handler = new }
            return handler
        }
    }

    /// Any thread; the caller holds no lock, since this calls code of the program.
    func report(_ unseen: UnseenError) {
        let own = handler.withLock { $0 }
        guard let handler = own ?? Self.ofProcess.handler.withLock({ $0 }) else {
            return StandardError.say("ringlet: \(unseen)")
        }
        do {
            try handler(unseen)
        } catch {
            StandardError.say("ringlet: \(unseen)")
            StandardError.say("ringlet: the handler of unseen errors, which was told of it, failed: \(error)")
        }
    }

    /// To the handler of the scheduler that runs this thread, or the process's.
    static func report(_ unseen: UnseenError) {
        if let worker = CurrentThread.worker {
            worker.shared.unseenErrors.report(unseen)
        } else {
            ofProcess.report(unseen)
        }
    }
}

extension UnseenError {
    /// Installs who is told of errors that nobody can catch any more, each once; nil is a line on stderr. For the process:
    /// a scheduler can have a handler of its own, ``Scheduler/setUnseenErrorHandler(_:)``. Any thread.
    ///
    /// - Returns: The one that was installed before.
    @discardableResult
    public static func setHandler(_ handler: UnseenErrorHandler?) -> UnseenErrorHandler? {
        UnseenErrors.ofProcess.exchange(handler)
    }
}

extension Scheduler {
    /// Installs who is told of errors that nobody can catch any more: those of callbacks and watchers; those of
    /// fibers whose failure nobody has seen when their last reference goes away; those of fibers that were cancelled at
    /// the end of the scheduler, except `CancellationError`. Each is told once, and the scheduler goes on. Any thread.
    ///
    /// - Parameter handler: Nil leaves it to the one of the process, ``UnseenError/setHandler(_:)``, or a line on stderr.
    /// - Returns: The one that was installed before.
    @discardableResult
    public func setUnseenErrorHandler(_ handler: UnseenErrorHandler?) -> UnseenErrorHandler? {
        state.unseenErrors.exchange(handler)
    }

    /// Tells the handler of unseen errors, ``setUnseenErrorHandler(_:)``, of one that the program has caught and can
    /// hand to nobody: in a callback of another library, or in a task whose end nobody awaits. asyncio's
    /// `call_exception_handler`.
    ///
    /// The handler has been called when this returns, on the calling thread. Any thread; also after the shutdown. In a
    /// child of a fork it is a line on stderr.
    ///
    /// - Parameters:
    ///   - error: Of any kind: a `CancellationError` is reported as well.
    ///   - source: Who ended with it, for ``UnseenError/source``; nil names the place of this call.
    ///   - fileID: Where the error is reported.
    ///   - line: Its line.
    public func reportUnseen(
        _ error: any Error, source: String? = nil, fileID: StaticString = #fileID, line: UInt = #line
    ) {
        let unseen = UnseenError(
            error: error, origin: .report, source: source ?? "the code at \(PackedSite(fileID, line))")
        // Its handler, and the lock before that, may be those of a thread that is not here.
        if Fork.isChild { return StandardError.say("ringlet: \(unseen)") }
        state.unseenErrors.report(unseen)
    }
}
