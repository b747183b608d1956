import CContext
import Synchronization

/// The Swift half of a fiber's host, and the choice of its rung.
///
/// With swift_runtime.h and the C files that include it, this is all that Ringlet knows about the inside of
/// the Swift runtime.
enum FiberHost {
    /// How a parked fiber is resumed under the identity of its task.
    enum Rung: String, Sendable {
        /// A Swift loop round a continuation: public API only.
        case plain
        /// The task is run as a job and suspended by the runtime's own entry points.
        case job = "nc"
        /// The thread's current-task word is written around the switch.
        case slot = "hc"

        var native: cctx_rung {
            switch self {
            case .plain: cctx_rung_plain
            case .job: cctx_rung_job
            case .slot: cctx_rung_slot
            }
        }
    }

    // MARK: Running

    /// Makes the task of `fiber` and queues the fiber on its worker. Any thread, once.
    ///
    /// - Parameters:
    ///   - priority: The raw value of a `TaskPriority`, whose copies cost calls; 0 for the inherited one.
    ///   - inherits: Task-locals and priority are those of the current task.
    static func start(_ fiber: AnyFiber, priority: UInt8, inherits: Bool) {
        let worker = fiber.worker
        worker.fiberTally.hasSpawned()
        if worker.rung != .plain {
            let later = inherits && fiber.givenName == nil ? cctx_host_later_priority() : 0
            if later != 0 {
                fiber.priorityOfTask = priority == 0 ? later : priority
            } else {
                fiber.task = makeTask(name: fiber.givenName, priority: priority, inherits: inherits)
            }
            let address = unsafe Unmanaged.passRetained(fiber).toOpaque()
            if CurrentThread.runs(worker) { fiber.willBeQueued(on: worker) }
            worker.enqueue(Runnable(address: UInt(bitPattern: address), kind: .newFiber))
            return
        }
        let priority = priority == 0 ? nil : TaskPriority(rawValue: priority)
        if inherits {
            Task(name: fiber.givenName, executorPreference: worker, priority: priority) {
                await runPlainly(fiber)
            }
        } else {
            Task.detached(name: fiber.givenName, executorPreference: worker, priority: priority) {
                await runPlainly(fiber)
            }
        }
    }

    static func makeTask(name: String?, priority: UInt8, inherits: Bool) -> UnownedJob {
        func make(_ name: UnsafePointer<CChar>?) -> UnownedJob {
            let emptyType = unsafe unsafeBitCast(Void.self as Any.Type, to: UnsafeRawPointer.self)
            let task = unsafe cctx_host_create(emptyType, priority, inherits, name)
            return unsafe unsafeBitCast(task, to: UnownedJob.self)
        }
        return if let name { unsafe name.withCString { unsafe make($0) } } else { make(nil) }
    }

    /// The fiber that `runnable`, which is one that has not begun, will begin. The worker's thread.
    static func fiber(toBegin runnable: Runnable) -> AnyFiber {
        unsafe Unmanaged<AnyFiber>
            .fromOpaque(UnsafeRawPointer(bitPattern: runnable.address).unsafelyUnwrapped)
            .takeUnretainedValue()
    }

    /// Begins a fiber that was queued. On its worker's thread; or, once the worker has ended, on any, where it
    /// ends without having begun.
    @inline(never)
    static func begin(_ runnable: Runnable, on worker: Worker) {
        let reference = unsafe Unmanaged<AnyFiber>
            .fromOpaque(UnsafeRawPointer(bitPattern: runnable.address).unsafelyUnwrapped)
        let fiber = unsafe reference.takeUnretainedValue()
        let made = fiber.task
        if let record = fiber.began() {
            // The reference is given up at the end, in `finish`.
            let task = made ?? worker.takeTask(priority: fiber.priorityOfTask)
            unsafe cctx_host_attach(
                unsafeBitCast(task, to: UnsafeMutableRawPointer.self), record.record, made == nil)
            resume(record, on: worker)
        } else {
            unsafe reference.release()
            if let made { end(made, on: worker) }
        }
    }

    /// Ends a task that has no stack.
    static func end(_ task: UnownedJob, on worker: Worker) {
        unsafe task.runSynchronously(on: worker.asUnownedTaskExecutor())
    }

    /// Takes leave of a fiber whose stack ended in the job that has just run, if there is one.
    @inline(__always)
    static func finishEnded() {
        if let record = unsafe cctx_current_host_thread().pointee.ended { unsafe finish(FiberRef(record)) }
    }

    @inline(never)
    private static func finish(_ record: FiberRef) {
        unsafe cctx_current_host_thread().pointee.ended = nil
        let reference = unsafe Unmanaged<AnyFiber>.passUnretained(record.owner)
        unsafe reference._withUnsafeGuaranteedRef { $0.ended(record) }
        unsafe reference.release()
    }

    /// The body of a fiber's task on the plain rung.
    @concurrent
    private static func runPlainly(_ fiber: AnyFiber) async {
        guard let record = fiber.began() else { return }
        await runPlainly(record)
        fiber.ended(record)
    }

    @concurrent
    private static func runPlainly(_ fiber: FiberRef) async {
        unsafe fiber.record.pointee.task = cctx_host_current_task()
        while true {
            fiber.withWorker { worker in
                if worker.shared.debug != nil { worker.steppingFiber = fiber.owner.shown }
            }
            unsafe cctx_fiber_run(fiber.record)
            if unsafe cctx_host_current_task() != fiber.record.pointee.task { cctx_trap_other_task() }
            if unsafe fiber.record.pointee.context.finished { return }
            if unsafe fiber.record.pointee.wants_await {
                await fiber.owner.takePendingAwait()()
                unsafe fiber.record.pointee.wants_await = false
            } else {
                await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                    unsafe fiber.record.pointee.continuation = unsafeBitCast(
                        continuation, to: UnsafeMutableRawPointer.self)
                }
            }
        }
    }

    /// Continues a parked fiber. Called by the worker's loop only.
    @inline(__always)
    static func resume(_ fiber: FiberRef, on worker: Worker) {
        let rung = unsafe fiber.record.pointee.rung
        if _fastPath(rung == UInt8(cctx_rung_slot.rawValue)) {
            if unsafe cctx_fiber_resume_by_slot(fiber.record) { stopped(fiber, on: worker) }
        } else if rung == UInt8(cctx_rung_job.rawValue) {
            runTask(of: fiber, on: worker)
        } else {
            unsafe unsafeBitCast(
                fiber.record.pointee.continuation, to: UnsafeContinuation<Void, Never>.self
            ).resume()
        }
    }

    /// The stack has ended, or wants an await, on the slot rung.
    @inline(never)
    private static func stopped(_ fiber: FiberRef, on worker: Worker) {
        if unsafe fiber.record.pointee.context.finished, let task = unsafe cctx_host_recover(fiber.record) {
            unsafe worker.keepTask(unsafeBitCast(task, to: UnownedJob.self), priority: fiber.owner.priorityOfTask)
            finish(fiber)
        } else {
            runTask(of: fiber, on: worker)
        }
    }

    /// Runs the host's task as a job: it continues in host.c.
    private static func runTask(of fiber: FiberRef, on worker: Worker) {
        let job = unsafe unsafeBitCast(fiber.record.pointee.task, to: UnownedJob.self)
        unsafe job.runSynchronously(on: worker.asUnownedTaskExecutor())
        finishEnded()
    }
}

/// Called by host.c as a Swift async function: awaits what the fiber wants awaited.
@_silgen_name("cctx_pending")
@concurrent
func awaitPending() async {
    let fiber = unsafe FiberRef(cctx_current_host_thread().pointee.pending.unsafelyUnwrapped)
    await fiber.owner.takePendingAwait()()
    // An opaque call after the await, so that the function must be back on its own executor before
    // it returns into host.c.
    cctx_host_returned()
}

// MARK: - Choosing the rung

extension FiberHost {
    /// Whether the probe fiber ran right, once per process: 0 not run, 1 right, 2 wrong.
    private static let probed = Atomic<Int>(0)

    /// Chooses the highest rung that holds on this worker's thread. Called on it, before any fiber.
    static func prepare(_ worker: Worker) throws {
        let forced = try Environment.fiberHost()
        let wanted = forced ?? .slot
        worker.rung = .plain
        guard wanted != .plain else { return }
        unsafe cctx_current_host_thread().pointee.executor = unsafeBitCast(
            worker.asUnownedTaskExecutor(), to: (UnsafeRawPointer?, UnsafeRawPointer?).self)
        if cctx_host_layout_is_known() && probe(on: worker) { worker.rung = .job }
        if wanted == .slot && worker.rung == .job && findSlot(on: worker) { worker.rung = .slot }
        if let forced, worker.rung != forced {
            throw SchedulerError.fiberHostUnavailable(forced.rawValue)
        }
    }

    /// Turns that the worker may take for a task of the self-test.
    private static let patience = 1000

    private static func findSlot(on worker: Worker) -> Bool {
        let done = Flag()
        Task(executorPreference: worker) {
            _ = cctx_host_find_slot()
            done.set()
        }
        spin(worker) { done.isSet }
        return cctx_host_has_slot()
    }

    /// One fiber on the job rung that parks, binds a task-local over the park, awaits in place, and
    /// must find everything as it left it.
    private static func probe(on worker: Worker) -> Bool {
        switch probed.load(ordering: .acquiring) {
        case 1: return true
        case 2: return false
        default: break
        }
        let right = Flag()
        let fiber = Fiber<Void>(name: nil, on: worker) {
            let task = unsafe cctx_host_current_task()
            let held = try HostProbe.$value.withValue(1) {
                _ = unsafe cctx_host_find_locals(Unmanaged.passUnretained(HostProbe.$value).toOpaque())
                try Fiber.yield()
                let inside = try Fiber.await {
                    await Task.yield()
                    return HostProbe.value
                }
                try Fiber.yield()
                return inside == 1 && HostProbe.value == 1
            }
            try Fiber.yield()
            if held, HostProbe.value == 0, unsafe cctx_host_current_task() == task { right.set() }
        }
        worker.rung = .job
        start(fiber, priority: 0, inherits: true)
        spin(worker) { fiber.isFinished }
        worker.rung = .plain
        let isRight = fiber.isFinished && right.isSet
        probed.store(isRight ? 1 : 2, ordering: .releasing)
        return isRight
    }

    private static func spin(_ worker: Worker, until isDone: () -> Bool) {
        var turns = 0
        worker.run {
            turns += 1
            return isDone() || turns > patience
        }
    }
}

private enum HostProbe {
    @TaskLocal static var value = 0
}

private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
