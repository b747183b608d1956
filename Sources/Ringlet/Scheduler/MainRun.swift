import Synchronization

/// One run of a main body, from its start until it has ended or the scheduler was told to stop.
final class MainRun<Main: MainBody>: Sendable {
    let main: Main
    let end: RunEnd
    private let scheduler: Scheduler
    private let interruption: Interruption?

    /// Starts `main`, which is on worker 0.
    init(_ main: Main, on scheduler: Scheduler) {
        self.main = main
        self.scheduler = scheduler
        end = RunEnd(of: main)
        scheduler.state.runBegins(end)
        interruption =
            scheduler.state.cancelsOnInterrupt
            ? Interruption(cancelling: main, on: scheduler.workers[0]) : nil
        main.begin()
        scheduler.state.watchForDeadlocks(of: main)
    }

    /// From a task: suspends it until the end. Cancelling it cancels the main body.
    func wait() async {
        await withTaskCancellationHandler {
            await end.wait()
        } onCancel: {
            main.endEarly()
        }
    }

    /// After the end, before anything is shut down, once: takes back what only a run has, and decides about the outcome.
    func finish() -> Outcome {
        scheduler.state.runEnds()
        interruption?.end()
        if let deadlock = scheduler.state.deadlocks?.end() { return .deadlocked(deadlock) }
        return main.isFinished ? .ended(main, isInterrupted: interruption?.hasHappened ?? false) : .stopped
    }

    enum Outcome {
        case ended(Main, isInterrupted: Bool)
        case stopped
        case deadlocked(DeadlockError)

        func get() throws -> Main.Success {
            switch self {
            case .stopped:
                throw SchedulerError.stopped
            case .deadlocked(let error):
                throw error
            case .ended(let main, let isInterrupted):
                do {
                    return try main.finalValue()
                } catch is CancellationError where isInterrupted {
                    throw InterruptError()
                }
            }
        }
    }
}

/// What ends a run: the end of its main body, or a stop. Any thread.
final class RunEnd: WaitSource {
    private let queue = WaitQueue()

    init(of main: some MainBody) {
        let node = WaitNode(.callback { [self] _ in queue.complete() }, in: main)
        if !main.queue(node) { queue.complete() }
    }

    var hasCome: Bool { queue.isComplete }

    func stop() { queue.complete() }

    func withdraw(_ node: WaitNode) -> Bool { queue.withdraw(node) }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription("the end of a run")
    }

    func wait() async { _ = await wait(deadline: .never, isShielded: true) { queue.add($0) } }

    /// Blocks a thread. The main thread serves the main queue meanwhile, and with it the `MainActor`.
    func block() {
        if LinuxThread.isMain, !CurrentThread.isInTask, let wake = try? EventDescriptor() {
            defer { wake.close() }
            if queue.add(WaitNode(.callback { _ in wake.signal() }, in: self)) { MainQueue.serve(until: wake) }
        } else {
            let parker = ThreadParker()
            defer { parker.deallocate() }
            if queue.add(WaitNode(.thread(parker), in: self)) { _ = parker.park(until: .max) }
        }
    }
}
