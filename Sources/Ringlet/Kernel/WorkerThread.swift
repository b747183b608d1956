import CUring
import Glibc
import SystemPackage
import Synchronization

/// A thread that runs one worker from beginning to end.
///
/// Threads are permanent: the kernel ties requests to the thread that submitted them, and a request whose
/// thread has exited is lost.
final class WorkerThread: Sendable {
    private struct State {
        var hasBegun = false
        var hasEnded = false
        var failure: (any Error)?
    }

    private let state = Mutex(State())
    private let begun = ThreadParker()
    private let ended = ThreadParker()
    let worker: Worker

    /// Starts the thread and waits until the worker runs on it.
    init(running worker: Worker) throws {
        self.worker = worker
        let error = Self.start(Body { [self] in runWorker() })
        guard error == 0 else { throw Errno(rawValue: error) }
        _ = begun.park(until: .max)
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    private func runWorker() {
        LinuxThread.setName("ringlet-\(worker.index)")
        do {
            try worker.begin()
        } catch {
            state.withLock { $0.failure = error }
            begun.unpark()
            ended.unpark()
            return
        }
        begun.unpark()
        worker.run { false }
        worker.end()
        ended.unpark()
    }

    /// Waits for the end of the worker. False when the deadline passed first.
    func join(deadline: Deadline) -> Bool {
        ended.park(until: deadline.nanoseconds)
    }

    /// Asks the worker to shut down and waits.
    func stopAndJoin() {
        worker.perform { $0.beginShutdown(tasksUntil: .never) }
        _ = join(deadline: .never)
    }

    deinit {
        begun.deallocate()
        ended.deallocate()
    }

    // MARK: Threads

    /// Runs `body`, which blocks, on a thread of its own; on the calling one when there is none to have. Then calls
    /// `completion`, when the thread refers to nothing of `body` any more.
    static func runAside(_ body: sending @escaping () -> Void, then completion: sending @escaping () -> Void = {}) {
        let body = Body(body, then: completion)
        if start(body) != 0 { body.run() }
    }

    /// Runs `body` on a thread of its own, which nobody waits for.
    static func start(named name: String, _ body: sending @escaping () -> Void) throws(Errno) {
        let body = Body(body)
        let error = start(
            Body {
                LinuxThread.setName(name)
                body.run()
            })
        guard error == 0 else { throw Errno(rawValue: error) }
    }

    private final class Body {
        private var body: (() -> Void)?
        private let completion: () -> Void

        init(_ body: @escaping () -> Void, then completion: @escaping () -> Void = {}) {
            self.body = body
            self.completion = completion
        }

        /// Once.
        func run() {
            body?()
            body = nil
            completion()
        }
    }

    /// Returns 0 or an errno. The thread is detached.
    private static func start(_ body: Body) -> Int32 {
        var thread: pthread_t = 0
        let argument = unsafe Unmanaged.passRetained(body)
        let error = unsafe pthread_create(
            &thread, nil,
            { argument in
                unsafe Unmanaged<Body>.fromOpaque(argument.unsafelyUnwrapped).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        if error != 0 {
            unsafe argument.release()
        } else {
            pthread_detach(thread)
        }
        return error
    }
}
