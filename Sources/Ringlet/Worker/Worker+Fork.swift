/// A worker in the child of a fork(2), where it does not run: it refuses what it is given.
extension Worker {
    /// Ends `runnable` on the calling thread. A fiber that begins fails, a message finds a worker that has
    /// ended, and a fiber that was parked stays so: it goes on in the parent.
    @inline(never)
    func refuseInChild(_ runnable: Runnable) {
        refuseEverything()
        switch runnable.kind {
        case .job: runJob(runnable)
        case .actorJob: runActorJob(runnable)
        case .scheduledJob: runScheduledJob(runnable)
        case .newFiber: FiberHost.begin(runnable, on: self)
        case .message, .timedMessage: Message.deliver(runnable, to: self)
        case .callback: Callback.drop(runnable)
        case .fiber, .operationDeadline, .sleepingFiber, .sleepingTask, .sleepingContinuation, .nodeDeadline,
            .repeatedCancel:
            break
        }
    }

    /// What keeps the child from the parent's other fibers and jobs, when the thread that forked comes
    /// back to the loop.
    func stopInChild() {
        refuseEverything()
        ready.removeAll()
    }

    private func refuseEverything() {
        isShuttingDown = true
        refusesTasks = true
        isEnding = true
    }

    /// Why nothing begins here any more.
    var refusal: CancelReason { Fork.isChild ? .fork : .shutdown }

    static func returnedInChild() -> Never {
        fatalError(
            """
            A task or a callback returned to its scheduler in the child of a fork that it called. The \
            scheduler is the parent's: exec a program or call _exit instead.
            """)
    }
}
