import SystemPackage
import Synchronization

/// A stackful coroutine that a scheduler runs: a function that may wait anywhere, at any depth of
/// calls, without `async`.
///
///     let fiber = Fiber(name: "fetch") {
///         try connection.read(into: &buffer)      // suspends this fiber, not the thread
///     }
///     let count = try fiber.join()                // or `try await fiber.join()` in a task
///
/// A fiber runs on one thread from its first instruction to its last. It owns a Swift `Task`: task-locals
/// are inherited where the fiber is made, `Task.isCancelled` and `Task.currentPriority` are the fiber's own,
/// and ``await(_:)`` runs `async` code in place. Dropping the handle does not stop the fiber.
@safe
public final class Fiber<Success>: AnyFiber, @unchecked Sendable {
    // Written before the host starts; taken by the worker's thread.
    private var operation: (() throws -> Success)?

    // One of the two, written by the worker's thread before the end is announced; read after it. A pointer and not
    // an optional value or a `Result`: in code that is generic, such as this, the runtime would have to look up the
    // metadata of those types for each fiber.
    // Small ones have room in the object.
    private var value: UnsafeMutablePointer<Success>?
    private var failure: (any Error)?

    /// Starts a fiber on the worker of the calling fiber or task, with the priority of that.
    ///
    /// Traps outside a scheduler; from a plain thread use `scheduler.spawn`.
    ///
    /// - Parameters:
    ///   - name: Part of crash reports and dumps.
    ///   - locals: The task-locals that the body begins with.
    ///   - fileID: The file of the ``AnyFiber/spawnSite``.
    ///   - line: The line in it.
    ///   - operation: The body. What it throws is rethrown by `join(deadline:)`.
    @discardableResult
    public convenience init(
        name: String? = nil, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () throws -> Success
    ) {
        self.init(name: name, StartTerms(locals: locals), at: PackedSite(fileID, line), operation)
    }

    // Apart from the one above: a `TaskPriority?`, whose layout is not known, costs its maker and whoever takes it 150
    // instructions.
    /// Starts a fiber with a priority of its own.
    ///
    /// - Parameters:
    ///   - name: Part of crash reports and dumps.
    ///   - priority: The priority of the fiber's task; nil inherits the current one.
    ///   - locals: The task-locals that the body begins with.
    ///   - fileID: The file of the ``AnyFiber/spawnSite``.
    ///   - line: The line in it.
    ///   - operation: The body. What it throws is rethrown by `join(deadline:)`.
    @discardableResult
    public convenience init(
        name: String? = nil, priority: TaskPriority?, locals: InitialLocals = .copied,
        fileID: StaticString = #fileID, line: UInt = #line,
        operation: sending @escaping () throws -> Success
    ) {
        self.init(name: name, StartTerms(priority, locals), at: PackedSite(fileID, line), operation)
    }

    // Inlined: a call of a generic initializer costs more than what this one does.
    @inline(__always)
    convenience init(
        name: String?, _ terms: StartTerms = StartTerms(), at site: PackedSite,
        _ operation: sending @escaping () throws -> Success
    ) {
        self.init(name: name, on: .ofMaker, site: site, operation: operation)
        start(terms)
    }

    init(
        name: String?, on worker: Worker, site: PackedSite = .none,
        operation: sending @escaping () throws -> Success
    ) {
        self.operation = operation
        super.init(name: name, worker: worker, site: site)
    }

    override func runBody() {
        let operation = unsafe operation.unsafelyUnwrapped
        self.operation = nil
        do {
            let result = try operation()
            let place = unsafe makeRoom()
            unsafe place.initialize(to: result)
            unsafe value = place
        } catch {
            failure = error
            hasFailed(error)
        }
    }

    override var failureOfBody: (any Error)? { failure }

    override func fail(_ error: any Error) {
        operation = nil
        failure = error
    }

    /// The outcome of a fiber that has ended.
    private func result() throws -> Success {
        if let failure {
            failureSeen()
            throw failure
        }
        return unsafe value.unsafelyUnwrapped.pointee
    }

    /// Nil until the fiber has ended. Any thread.
    public var outcome: Outcome<Success>? {
        guard isFinished else { return nil }
        if let failure {
            failureSeen()
            return Outcome(failure: failure)
        }
        return unsafe .success(value.unsafelyUnwrapped.pointee)
    }

    /// Nil until the fiber has ended; then whether it has a value. Any thread.
    public var isSuccess: Bool? { isFinished ? failure == nil : nil }

    /// Memory for the value. One that takes no room, as of `Void`, needs no more than an address.
    private func makeRoom() -> UnsafeMutablePointer<Success> {
        let size = MemoryLayout<Success>.size
        if size == 0 {
            return unsafe UnsafeMutablePointer(bitPattern: MemoryLayout<Success>.alignment).unsafelyUnwrapped
        }
        if size <= MemoryLayout<UInt>.size && MemoryLayout<Success>.alignment <= MemoryLayout<UInt>.alignment {
            return unsafe smallRoom.assumingMemoryBound(to: Success.self)
        }
        return UnsafeMutablePointer.allocate(capacity: 1)
    }

    deinit {
        guard let value = unsafe value else { return reportFailure() }
        // Generic code asks the runtime to do it, for an integer as well.
        if !_isPOD(Success.self) { unsafe value.deinitialize(count: 1) }
        if MemoryLayout<Success>.size > 0, unsafe UnsafeMutableRawPointer(value) != smallRoom {
            unsafe value.deallocate()
        }
    }

    // MARK: Joining

    /// Waits for the end and returns the body's value or throws its error.
    ///
    /// Called in a fiber it suspends the fiber; called on a plain thread it blocks the thread. In a
    /// task use `try await fiber.join()`. Any number of waiters may join, also after the end. A fiber that joins one of
    /// its worker which has not begun gives its turn to it.
    ///
    /// - Throws: What the body threw; `CancellationError` when the fiber was cancelled before it
    ///   began, or when the *joining* fiber is cancelled, which leaves this one running;
    ///   ``TimeoutError``; `Errno.deadlock` when a fiber joins itself.
    @available(*, noasync, message: "in a task, await fiber.join()")
    public func join(deadline: Deadline = .never) throws -> Success {
        try wait(deadline: deadline)
        return try result()
    }

    /// Waits for the end and returns the body's value or throws its error.
    ///
    /// - Throws: As the synchronous form; the joining task's cancellation leaves this fiber running.
    public func join(deadline: Deadline = .never) async throws -> Success {
        try await wait(deadline: deadline)
        return try result()
    }
}

extension Worker {
    /// The one on which `Fiber { }` is made here. Traps where there is none.
    static var ofMaker: Worker {
        if let worker = CurrentThread.worker { return worker }
        precondition(!Fork.isChild, SchedulerError.forkedChild.description)
        fatalError(
            "Fiber { } needs a scheduler, and this thread runs none. Use Scheduler.run { } or scheduler.spawn { }.")
    }
}

// MARK: - The current fiber

extension Fiber where Success == Never {
    /// Lets everything else that is ready run first.
    ///
    /// - Throws: `CancellationError` when the fiber was cancelled.
    @available(*, noasync, message: "in a task, await Task.yield()")
    public static func yield() throws {
        let fiber = try FiberRef.require("Fiber.yield()")
        if fiber.mustNotWait { throw fiber.cancellationError }
        fiber.withWorker { $0.ready.push(Runnable(fiber)) }
        fiber.yield()
        if fiber.mustNotWait { throw fiber.cancellationError }
    }

    /// Suspends the fiber for at least `duration`.
    ///
    /// - Throws: `CancellationError`; `Errno.invalidArgument` when `duration` is negative.
    @available(*, noasync, message: "in a task, await Scheduler.sleep(for:)")
    public static func sleep(for duration: Duration) throws {
        if duration < .zero { throw Errno.invalidArgument }
        try sleep(until: .after(duration))
    }

    /// Suspends the fiber until `deadline`; for ever, that is until it is cancelled, with ``Deadline/never``.
    ///
    /// - Throws: `CancellationError`.
    @available(*, noasync, message: "in a task, await Scheduler.sleep(until:)")
    public static func sleep(until deadline: Deadline) throws {
        try sleep(until: deadline, holdsScheduler: true)
    }

    static func sleep(until deadline: Deadline, holdsScheduler: Bool) throws {
        let fiber = try FiberRef.require("Fiber.sleep")
        if fiber.mustNotWait { throw fiber.cancellationError }
        let timer = fiber.withWorker {
            $0.timers.insert(
                deadline: deadline.nanoseconds,
                payload: Runnable(address: fiber.address, kind: .sleepingFiber).word, holds: holdsScheduler)
        }
        if fiber.park(.timer, timer.bits).result < 0 { throw fiber.cancellationError }
    }

    /// Throws `CancellationError` when the current fiber was cancelled.
    public static func checkCancellation() throws {
        let fiber = try FiberRef.require("Fiber.checkCancellation()")
        if fiber.isCancelled || fiber.mustNotWait && fiber.isCut { throw fiber.cancellationError }
    }

    /// Runs `async` code in place, in the fiber's own task: task-locals, priority and cancellation
    /// are the fiber's. The fiber is suspended until the code returns.
    @available(*, noasync, message: "in a task, just await")
    public static func await<Result>(_ body: () async throws -> Result) throws -> Result {
        try FiberRef.require("Fiber.await").awaitInPlace(body)
    }
}
