import Synchronization
import SystemPackage

/// A child from its start to its end, whoever still refers to it: it is reaped as soon as it has ended, so there are no
/// zombies. Any thread.
///
/// The worker of ``BackgroundScheduler`` polls the child's pidfd, since a child may outlive the scheduler that started
/// it. Where there is no pidfd, a thread waits. SIGCHLD has no part in it.
final class ChildWatch: Sendable {
    private struct State {
        /// Nil where the kernel gave none, and after the end of the watch.
        var descriptor: Int32?
        /// Written once, before the end is announced. Until then the child has not been reaped, and its number is its own.
        var status: ChildStatus?
    }

    let pid: Int32
    /// Complete when the status is known.
    let end = WaitQueue()
    /// The lock is held over calls of the kernel that do not wait.
    private let state: Mutex<State>

    /// Watches the child that has this number. If there is none, or none any more, its status is known, as unknown.
    init(_ pid: Int32) {
        self.pid = pid
        var descriptor = try? ChildCalls.open(pid)
        var refusal = Self.refusal(pid, descriptor)
        if let opened = descriptor, refusal != nil {
            SocketCalls.close(opened)
            descriptor = nil
            // Linux 5.3 opens pidfds, and waits for none: EINVAL.
            if refusal != .noChildProcess { refusal = Self.refusal(pid, nil) }
        }
        state = Mutex(State(descriptor: descriptor, status: refusal == nil ? nil : .unknown))
        if refusal == nil { start() } else { end.complete() }
    }

    /// Why the child cannot be waited for. It is still there afterwards.
    private static func refusal(_ pid: Int32, _ descriptor: Int32?) -> Errno? {
        do throws(Errno) {
            _ = try ChildCalls.end(of: pid, descriptor, keeps: true)
            return nil
        } catch {
            return error
        }
    }

    /// Nil until the end.
    var status: ChildStatus? { end.isComplete ? state.withLock { $0.status } : nil }

    // MARK: The end

    private func start() {
        let descriptor = state.withLock { $0.descriptor }
        Task.detached(name: "child \(pid)", executorPreference: BackgroundScheduler.taskExecutor) { [self] in
            if let descriptor { await poll(descriptor) }
            if !end.isComplete { await blockThread(descriptor) }
            close()
        }
    }

    private func poll(_ descriptor: Int32) async {
        while true {
            let completion = await BackgroundScheduler.worker.perform(
                .pollReadable(descriptor), deadline: .never)
            if completion.result < 0 || reap() { return }
            // It is being traced, and the tracer is told first.
            try? await Scheduler.sleep(for: Readiness.pause)
        }
    }

    private func blockThread(_ descriptor: Int32?) async {
        let job = ThreadPool.childWaits.job("child \(pid)", .shares) { [pid] in
            ChildCalls.block(untilEndOf: pid, descriptor)
        }
        // Without a thread there are only looks.
        try? await job.wait(deadline: .never)
        while !reap() { try? await Scheduler.sleep(for: .milliseconds(50)) }
    }

    /// True when the child has ended; its status is known then.
    func reap() -> Bool {
        let (isOver, isNews) = state.withLock { state in
            if state.status != nil { return (true, false) }
            do throws(Errno) {
                state.status = try ChildCalls.end(of: pid, state.descriptor)
            } catch {
                // ECHILD.
                state.status = .unknown
            }
            return (state.status != nil, state.status != nil)
        }
        if isNews { end.complete() }
        return isOver
    }

    /// Nobody polls any more.
    private func close() {
        state.withLock { state in
            if let descriptor = state.descriptor.take() { SocketCalls.close(descriptor) }
        }
    }

    // MARK: Signals

    /// False when the child has ended. The number of one that has been reaped is never used.
    func signal(_ signal: Int32, toGroup: Bool) throws(Errno) -> Bool {
        if reap() { return false }
        return try state.withLock { state throws(Errno) in
            if state.status != nil { return false }
            do throws(Errno) {
                if toGroup {
                    try ChildCalls.signalGroup(pid, signal)
                } else {
                    try ChildCalls.signal(pid, state.descriptor, signal)
                }
            } catch .noSuchProcess {
                return false
            }
            return true
        }
    }
}
