import Glibc

/// One thread of a crew: where it sleeps, and what it is given to do.
final class CrewThread: @unchecked Sendable {
    let crew: ThreadCrew
    private let name: String
    private let parker = ThreadParker()

    // Written by who took this out of the list of idle threads, or made it, before it wakes or starts, and by the thread
    // that goes on; read by the thread after it.
    private var work: (any CrewWork)?

    private static let slot = ThreadSlot<CrewThread>()

    /// The one that this code runs on, if it runs on one.
    static var current: CrewThread? { slot.object }

    init(of crew: ThreadCrew, name: String, work: any CrewWork) {
        self.crew = crew
        self.name = name
        self.work = work
    }

    deinit { parker.deallocate() }

    /// Starts the thread, detached and with every signal blocked. Returns 0 or an errno.
    func start() -> Int32 {
        let argument = unsafe Unmanaged.passRetained(self)
        let error = SignalCalls.whileBlocked {
            var thread: pthread_t = 0
            let error = unsafe pthread_create(
                &thread, nil,
                { argument in
                    unsafe Unmanaged<CrewThread>.fromOpaque(argument.unsafelyUnwrapped).takeRetainedValue()
                        .serve()
                    return nil
                }, argument.toOpaque())
            if error == 0 { pthread_detach(thread) }
            return error
        }
        if error != 0 { unsafe argument.release() }
        return error
    }

    private func serve() {
        LinuxThread.setName(name)
        Self.slot.object = self
        var hasWork = true
        while hasWork {
            switch serveOnce() {
            case .goOn: break
            case .sleep: hasWork = crew.sleep(self)
            case .leave: hasWork = false
            }
        }
    }

    /// A function of its own: when the thread sleeps, nothing of the work is left here, nor of what it ended with.
    private func serveOnce() -> Step {
        guard let work else { return .leave }
        self.work = nil
        let forks = Fork.count
        work.run()
        if Fork.count != forks { Self.returnedInChild() }
        return crew.next(for: self, after: work)
    }

    /// What a thread does next.
    enum Step {
        /// It has been given work.
        case goOn
        /// It is in the list of idle threads.
        case sleep
        /// It has been counted out.
        case leave
    }

    /// It goes on with something else. The thread itself.
    func goOn(with work: any CrewWork) { self.work = work }

    /// False when it was sent away. The thread itself, after its sleep.
    var hasWork: Bool { work != nil }

    // MARK: Sleeping

    /// Gives the sleeping thread something to do, or with nil sends it away. Whoever took it out of the list, once.
    func wake(with work: (any CrewWork)?) {
        self.work = work
        parker.unpark()
    }

    /// False when `deadline` passed first.
    func sleep(until deadline: Deadline) -> Bool {
        guard parker.park(until: deadline.nanoseconds) else { return false }
        parker.rearm()
        return true
    }

    private static func returnedInChild() -> Never {
        fatalError(
            """
            Work of a thread pool returned to its pool in the child of a fork that it called. The pool is the \
            parent's: exec a program or call _exit instead.
            """)
    }
}
