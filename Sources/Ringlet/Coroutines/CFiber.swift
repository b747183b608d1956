import CContext
import Glibc
import SystemPackage
import Synchronization

/// A C function as a fiber: what the C library calls a task. A ``CHost`` runs it.
///
/// Nothing here throws, so a failure costs C callers no allocation; the results are the numbers of
/// the C library, negated errno values and all.
@_spi(C) @safe
public final class CFiber: AnyFiber, @unchecked Sendable {
    public typealias Function = @convention(c) (UnsafeMutableRawPointer?) -> Int64
    public typealias Cleanup = @convention(c) (UnsafeMutableRawPointer?) -> Void

    private let function: Function
    private let cleanup: Cleanup?
    private let userData: UnsafeMutableRawPointer?

    // Written before the start.
    private(set) var groupOfTasks: CGroup?
    private var placeInGroupOfTasks: Int32 = 0

    // Written and read by any thread.
    private let storedHandle = Atomic<UInt64>(0)

    /// The stack, while the function runs. The worker thread's.
    private var stack: FiberRef?
    override var stackInUse: FiberRef? { stack }

    /// What the function returned, or why it was not called. Written by the worker's thread before
    /// the end is announced; read after it.
    private(set) var result: Int64 = 0

    init(
        _ function: @escaping Function, _ userData: UnsafeMutableRawPointer?, cleanup: Cleanup?,
        name: String?, worker: Worker
    ) {
        unsafe self.function = function
        unsafe self.userData = userData
        unsafe self.cleanup = cleanup
        super.init(name: name, worker: worker)
    }

    /// Makes a fiber runnable. Any thread, once.
    public static func start(_ fiber: consuming CFiber) {
        // Given up at the end. Counted by hand, as all the way through: a function that does nothing costs less
        // than ten pairs of a retain and a release.
        let reference = unsafe Unmanaged.passRetained(fiber)
        unsafe reference._withUnsafeGuaranteedRef { fiber in
            if CurrentThread.runs(fiber.worker) {
                unsafe fiber.worker.run(reference)
            } else {
                fiber.worker.perform { unsafe $0.run(reference) }
            }
        }
    }

    /// The C library's id, 0 when there is none.
    public var handle: UInt64 {
        get { storedHandle.load(ordering: .relaxed) }
        set { storedHandle.store(newValue, ordering: .relaxed) }
    }

    /// Before the start.
    func joins(_ group: CGroup, at place: Int32) {
        groupOfTasks = group
        placeInGroupOfTasks = place
    }

    // MARK: Running

    /// Calls the function on the stack of `host`, unless it was cancelled before, or a shutdown has cancelled the host that
    /// was about to run it.
    func run(on stack: FiberRef, of host: CHost) {
        if isCancelled || stack.isCancelled {
            end(with: CancellationError())
            return
        }
        let text = unsafe name.flatMap { unsafe strdup($0) }
        unsafe stack.show(self, name: text, kind: cctx_kind_task)
        self.stack = stack
        result = unsafe function(userData)
        cleanUp()
        freeLocals()
        self.stack = nil
        unsafe stack.show(host, name: nil, kind: cctx_kind_fiber)
        unsafe free(text)
        announceEndOfTask()
    }

    /// Ends a fiber whose function is not called.
    func end(with error: any Error) {
        result = Int64((error as? any CodedError)?.code ?? -Errno.canceled.rawValue)
        cleanUp()
        announceEndOfTask()
    }

    private func announceEndOfTask() {
        end.complete()
        groupOfTasks?.childEnded(placeInGroupOfTasks)
    }

    private func cleanUp() {
        if let cleanup = unsafe cleanup { unsafe cleanup(userData) }
    }

    // MARK: Cancellation

    @discardableResult
    override public func cancel() -> Bool {
        if isFinished { return false }
        if cancelRequested.exchange(true, ordering: .relaxed) { return true }
        worker.perform { [self] worker in
            guard let stack else { return }
            stack.markCancelled()
            if stack.mustNotWait { worker.interrupt(stack, reason: .user) }
        }
        return true
    }

    /// Calls `body` with the fiber whose function runs on this thread; nil when there is none.
    @inline(__always)
    static func withRunning<Value>(_ body: (CFiber) -> Value) -> Value? {
        guard let stack = FiberRef.current else { return nil }
        return stack.withOwner { owner in
            if type(of: owner) == CFiber.self {
                body(unsafe unsafeDowncast(owner, to: CFiber.self))
            } else {
                nil
            }
        }
    }

    // MARK: Waiting for it

    /// Waits for the end, on a plain thread or in a fiber.
    ///
    /// - Returns: 0 with `result` stored, or a negated errno.
    public func join(deadline: Deadline, result: inout Int64) -> Int32 {
        if !isFinished {
            if FiberRef.current == nil && CurrentThread.mustNotBlock {
                return -Errno.deadlock.rawValue
            }
            let status = waitForEnd(deadline: deadline).code
            if status < 0 { return status }
        }
        result = self.result
        return 0
    }

    /// Calls `body` with the result once the fiber has ended, on its thread, or at once.
    public func whenFinished(_ body: @escaping @Sendable (Int64) -> Void) {
        let node = WaitNode(.callback { _ in body(self.result) }, in: self)
        if !end.add(node) { body(result) }
    }
}

extension FiberRef {
    /// True when the code on this stack is a function of C.
    @inline(__always)
    var runsC: Bool { withOwner { type(of: $0) == CFiber.self } }

    /// Says whose code runs on the stack from now on.
    fileprivate func show(_ owner: AnyFiber, name: UnsafePointer<CChar>?, kind: cctx_kind) {
        unsafe record.pointee.owner = Unmanaged.passUnretained(owner).toOpaque()
        unsafe record.pointee.context.name = name
        unsafe record.pointee.context.kind = UInt8(kind.rawValue)
    }
}

/// An error that has a number in C.
protocol CodedError: Error {
    var code: Int32 { get }
}

extension Errno: CodedError {
    var code: Int32 { -rawValue }
}

// MARK: - The current fiber

/// What C code calls inside a fiber. Every call returns -EPERM outside one.
@_spi(C)
public enum CCurrent {
    static var outside: Int32 { Fork.isChild ? forked : -Errno.notPermitted.rawValue }

    /// RINGLET_E_FORK of ringlet.h.
    public static let forked: Int32 = -4099
    public static var isForked: Bool { Fork.isChild }

    /// The C library's id of the current fiber, or 0.
    public static var handle: UInt64 {
        CFiber.withRunning { $0.handle } ?? 0
    }

    /// 1 or 0. Asks the flag that every thread sees at once, and the clock: a long computation never
    /// gives the worker the chance to pass the news on.
    public static var isCancelled: Int32 {
        guard let fiber = FiberRef.current else { return outside }
        return fiber.withOwner { $0.isCancelled } || fiber.isOverdue ? 1 : 0
    }

    public static func yield() -> Int32 {
        guard let fiber = FiberRef.current else { return outside }
        if fiber.mustNotWait { return Completion.cancelled(.user).code }
        fiber.withWorker { $0.ready.push(Runnable(fiber)) }
        fiber.yield()
        return fiber.mustNotWait ? Completion.cancelled(.user).code : 0
    }

    public static func sleep(until deadline: Deadline) -> Int32 {
        guard let fiber = FiberRef.current else { return outside }
        if fiber.mustNotWait { return Completion.cancelled(.user).code }
        let timer = fiber.withWorker {
            $0.timers.insert(
                deadline: deadline.nanoseconds,
                payload: Runnable(address: fiber.address, kind: .sleepingFiber).word)
        }
        return fiber.park(.timer, timer.bits).code
    }
}

extension Completion {
    /// The result as C sees it: a cancellation is split by who asked for it.
    var code: Int32 {
        let cancelled = -Errno.canceled.rawValue
        guard isEarlyEnd else { return result }
        return switch reason {
        case .user, .shutdown: cancelled
        case .deadline: -Errno.timedOut.rawValue
        case .fork: CCurrent.forked
        // Nobody asked: the descriptor was closed meanwhile.
        case .none: result == cancelled ? -Errno.badFileDescriptor.rawValue : result
        }
    }
}
