import CContext
import Synchronization

/// The Swift half of a fiber's host, and the choice of its rung.
///
/// With host.c this is all that Ringlet knows about the inside of the Swift runtime.
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

    /// The body of a fiber's task: runs the stack until it ends.
    @concurrent
    static func run(_ fiber: FiberRef) async {
        if fiber.isOnPlainRung {
            await runPlainly(fiber)
        } else {
            await unsafe hostInC(fiber.record)
        }
    }

    @concurrent
    private static func runPlainly(_ fiber: FiberRef) async {
        unsafe fiber.record.pointee.task = cctx_host_current_task()
        while true {
            unsafe cctx_fiber_run(fiber.record)
            if unsafe fiber.record.pointee.context.finished { return }
            if unsafe fiber.record.pointee.wants_await {
                unsafe fiber.record.pointee.wants_await = false
                await fiber.owner.takePendingAwait()()
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
        switch unsafe fiber.record.pointee.rung {
        case UInt8(cctx_rung_slot.rawValue):
            if unsafe cctx_fiber_resume_by_slot(fiber.record) { runTask(of: fiber, on: worker) }
        case UInt8(cctx_rung_job.rawValue):
            runTask(of: fiber, on: worker)
        default:
            unsafe unsafeBitCast(
                fiber.record.pointee.continuation, to: UnsafeContinuation<Void, Never>.self
            ).resume()
        }
    }

    /// Runs the host's task as a job: it continues in host.c.
    private static func runTask(of fiber: FiberRef, on worker: Worker) {
        let job = unsafe unsafeBitCast(fiber.record.pointee.task, to: UnownedJob.self)
        unsafe job.runSynchronously(on: worker.asUnownedTaskExecutor())
    }

    // MARK: Await in place

    static func awaitInPlace<Success>(_ body: () async throws -> Success) throws -> Success {
        let fiber = FiberRef.require("Fiber.await")
        let owner = fiber.owner
        var outcome: Result<Success, any Error>?
        withoutActuallyEscaping(body) { body in
            owner.pendingAwait = {
                do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
            }
            unsafe fiber.record.pointee.wants_await = true
            cctx_suspend()
        }
        return try unsafe outcome.unsafelyUnwrapped.get()
    }
}

extension FiberRef {
    fileprivate var isOnPlainRung: Bool {
        unsafe record.pointee.rung == UInt8(cctx_rung_plain.rawValue)
    }

    var isShielded: Bool { unsafe record.pointee.shield > 0 }
}

/// The async function in host.c.
@_silgen_name("cctx_host")
@concurrent
private func hostInC(_ fiber: UnsafeMutablePointer<cctx_fiber>) async

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
        spin(worker, until: done)
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
        let done = Flag()
        let right = Flag()
        let fiber = Fiber<Void>(name: nil, on: worker) {
            let task = unsafe cctx_host_current_task()
            let held = try HostProbe.$value.withValue(1) {
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
        worker.shared.fiberSpawned()
        Task(executorPreference: worker) {
            await fiber.host(on: .job)
            done.set()
        }
        spin(worker, until: done)
        let isRight = done.isSet && right.isSet
        probed.store(isRight ? 1 : 2, ordering: .releasing)
        return isRight
    }

    private static func spin(_ worker: Worker, until done: Flag) {
        var turns = 0
        worker.run {
            turns += 1
            return done.isSet || turns > patience
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
