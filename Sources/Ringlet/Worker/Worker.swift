import Synchronization
import SystemPackage

/// One thread, one ring, one run queue, one operation table, one set of timers.
///
/// Everything here belongs to the worker's thread, but for what is marked otherwise. `@unchecked
/// Sendable`, because a reference to it is how other threads reach ``inbox``.
final class Worker: @unchecked Sendable {
    /// Position among the scheduler's workers.
    let index: Int

    /// By which descriptors know that it has worked on them: one bit, which it may share with others.
    let mark = WorkerRegistry.nextMark()

    // MARK: Shared

    /// Any thread pushes, the worker drains.
    let inbox: InjectionQueue

    /// What the workers of one scheduler share.
    let shared: SchedulerState

    /// For actors; any thread. Written once, at the end of `init`.
    private(set) var actorExecutor: WorkerActorExecutor!

    /// True once the worker has ended. Written by its thread, read by whoever pushes.
    let closed = Atomic<Bool>(false)

    /// True while a thread deals with what was pushed after the end; that thread then has the worker's state to
    /// itself. Any thread, by exchange.
    let stragglersAreTaken = Atomic<Bool>(false)

    /// Whether there is nothing to do here, as far as somebody wants to know.
    let quiet = QuietMark()

    /// The same, and that nobody here waits for what no worker does, where deadlocks are looked for.
    let stuck = QuietMark()

    /// Written by the worker's thread, read by any.
    let meter = WorkerMeter()

    /// Any thread.
    let fiberTally = FiberTally()

    // MARK: Bound to the thread

    let ring: Ring
    let stacks: StackPool
    let state: Pinned<WorkerState>

    /// Holds the list of started fibers, where a debugger finds it.
    let anchor: WorkerAnchor

    /// Where the eventfd's count is read to. The memory is the kernel's while the worker runs.
    let wakeBuffer = Buffer(capacity: 8)

    /// Any thread. The ring is enabled by ``attach()``, on the worker's thread.
    init(index: Int, shared: SchedulerState) throws {
        self.index = index
        self.shared = shared
        inbox = try InjectionQueue()
        ring = try Ring.make(on: shared.kernel, forWorker: index)
        do {
            stacks = try StackPool(stackSize: shared.fiberStackSize)
        } catch {
            ring.destroy()
            throw error
        }
        anchor = WorkerAnchor()
        let now = shared.kernel.simulation?.clock.now ?? LinuxThread.now()
        state = Pinned(WorkerState(timers: TimerWheel(now: now), isSimulated: shared.kernel.simulation != nil))
        actorExecutor = WorkerActorExecutor(worker: self)
    }

    deinit {
        state.destroy()
        anchor.deallocate()
    }

    // MARK: Making things runnable

    /// Queues `runnable` from any thread.
    @inline(__always)
    func enqueue(_ runnable: Runnable) {
        if CurrentThread.runs(self) { ready.push(runnable) } else { inject(runnable) }
    }

    @inline(never)
    private func inject(_ runnable: Runnable) {
        if Fork.isChild { return refuseInChild(runnable) }
        // Whoever wakes a fiber or resumes a task holds the worker only through it, and after the push that may run,
        // end, and let go of the scheduler.
        let hold = Hold(self)
        inbox.push(runnable)
        if closed.load(ordering: .sequentiallyConsistent) { runStragglers() }
        _ = consume hold
    }

    /// Asks the worker to make a call. Any thread; on the worker's own, the call is made at once.
    func perform(_ action: sending @escaping (Worker) -> Void) {
        if CurrentThread.runs(self) { action(self) } else { inject(Message.runnable(action)) }
    }

    // MARK: Operations

    /// Submits `request` for `waiter`. The memory it names belongs to the kernel until the waiter
    /// is resumed.
    @inline(__always)
    func start(_ request: Request, waiter: Waiter, deadline: Deadline, shielded: Bool = false)
        -> OperationToken
    {
        let token = operations.insert(
            waiter: waiter, opcode: request.opcode, descriptor: request.descriptor,
            shielded: shielded)
        ring.submit(request, userData: token.userData, reserved: Ring.reserved)
        if deadline != .never {
            operations.setTimer(
                timers.insert(
                    deadline: deadline.nanoseconds, payload: Runnable(deadlineOf: token).word),
                of: token)
        }
        return token
    }

    /// Requests cancellation. The waiter is resumed by the operation's own completion, whatever that
    /// turns out to be: bytes that arrived first are delivered.
    func cancel(_ token: OperationToken, reason: CancelReason) {
        if operations.markCancelling(token, reason: reason) { requestCancel(of: token) }
    }

    /// The answer has the operation's name, for ``cancelAnswered(_:result:)``.
    private func requestCancel(of token: OperationToken) {
        ring.submit(
            .cancel(userData: token.userData),
            userData: UserDataKind.cancel.userData | token.userData, reserved: 0)
    }

    /// Asks again when the kernel has not found an operation that has not ended.
    ///
    /// Linux says ENOENT of a request that it is about to try once more, because its descriptor has become ready. When
    /// another one was faster the request waits again, and nothing has cancelled it (6.18; earlier ones alike).
    func cancelAnswered(_ userData: UInt64, result: Int32) {
        let token = OperationToken(userData: UserDataKind.payload(of: userData))
        if result == -Errno.noSuchFileOrDirectory.rawValue && operations.holds(token) {
            requestCancel(of: token)
        }
    }

    /// Submits a request whose answer nobody waits for: a cancel, which may use the reserved places.
    func submitUnawaited(_ request: Request) {
        ring.submit(request, userData: UserDataKind.ignored.userData, reserved: 0)
    }

    /// Requests cancellation of everything that this worker has in flight on a descriptor that is
    /// being closed, and counts itself out there when that is done.
    func cancelAll(on descriptor: Descriptor) {
        // A worker that is ending has nothing in flight, and nobody to wait for an answer.
        if isEnding {
            descriptor.end()
        } else if ring.canCancelByDescriptor {
            _ = start(
                .cancelAll(on: descriptor.raw), waiter: .closing(descriptor),
                deadline: .never, shielded: true)
        } else {
            cancelEach(on: descriptor.raw)
            descriptor.end()
        }
    }

    /// The same for a bare descriptor number, which the caller closes by the next submission to this ring.
    func cancelAll(onNumber descriptor: Int32) {
        if ring.canCancelByDescriptor {
            submitUnawaited(.cancelAll(on: descriptor))
        } else {
            cancelEach(on: descriptor)
        }
    }

    /// For kernels that cannot cancel by descriptor. O(operations in flight).
    private func cancelEach(on descriptor: Int32) {
        for token in operations.tokens(where: { $0.descriptor == descriptor }) {
            requestCancel(of: token)
        }
    }

    /// Asks once more, in a moment, for what is in flight on a descriptor that is being closed. A worker
    /// that has ended by then is not asked.
    func cancelAllAgain(on descriptor: Descriptor) {
        let message = Message.runnable({ descriptor.cancelAgain(on: $0) }, kind: .repeatedCancel)
        _ = timers.insert(
            deadline: LinuxThread.now() &+ Self.cancelInterval, payload: message.word)
    }

    private static let cancelInterval: UInt64 = 10_000_000

    /// Ends the wait of a parked fiber, whatever it waits for.
    func interrupt(_ fiber: FiberRef, reason: CancelReason) {
        let (kind, token) = fiber.wait
        switch kind {
        case .none:
            break
        case .operation:
            cancel(OperationToken(userData: token), reason: reason)
        case .timer:
            if timers.cancel(TimerToken(bits: token)) {
                fiber.deliver(.cancelled(reason))
                ready.push(Runnable(fiber))
            }
        case .node:
            WaitNode.named(by: UInt(token)).interrupt(reason)
        }
    }

    // MARK: Fibers

    /// Adds a fiber that has got its stack.
    func fiberStarted(_ fiber: FiberRef) {
        fiber.link(before: liveFibers)
        liveFibers = fiber
        counters.fibersStarted &+= 1
        counters.fiberChanges &+= 1
    }

    /// Removes a fiber whose stack has ended and reuses the stack.
    func fiberEnded(_ fiber: FiberRef) {
        if liveFibers == fiber { liveFibers = fiber.nextLive }
        fiber.unlink()
        stacks.destroyFiber(fiber)
        counters.fibersEnded &+= 1
        counters.fiberChanges &+= 1
    }
}

/// What a completion is for: the top byte of its `user_data`.
enum UserDataKind: UInt8 {
    /// An operation; the rest is its token.
    case operation
    /// The eventfd was signalled.
    case wake
    /// The main queue has work.
    case mainQueue
    /// Nobody is interested: the answer to a cancel of what has no slot.
    case ignored
    /// The answer to the cancel of an operation; the rest is its token.
    case cancel

    @inline(__always)
    var userData: UInt64 { UInt64(rawValue) << 56 }

    @inline(__always)
    static func isOperation(_ userData: UInt64) -> Bool { userData &>> 56 == 0 }

    static func payload(of userData: UInt64) -> UInt64 { userData & (1 &<< 56 &- 1) }

    init(of userData: UInt64) {
        guard let kind = UserDataKind(rawValue: UInt8(truncatingIfNeeded: userData &>> 56)) else {
            preconditionFailure("a completion of nothing that was submitted")
        }
        self = kind
    }
}
