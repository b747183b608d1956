import SystemPackage
import Synchronization

/// A fiber whose body is a C function: what the C library calls a task.
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

    // Written and read by any thread.
    private let storedHandle = Atomic<UInt64>(0)

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

    /// Makes the fiber runnable. Once.
    public func start() {
        start(priority: nil)
    }

    /// The C library's id, 0 when there is none.
    public var handle: UInt64 {
        get { storedHandle.load(ordering: .relaxed) }
        set { storedHandle.store(newValue, ordering: .relaxed) }
    }

    override func runBody() {
        result = unsafe function(userData)
        cleanUp()
    }

    override func fail(_ error: any Error) {
        result = Int64((error as? any CodedError)?.code ?? -Errno.canceled.rawValue)
        cleanUp()
    }

    private func cleanUp() {
        if let cleanup = unsafe cleanup { unsafe cleanup(userData) }
    }

    // MARK: Waiting for it

    /// Waits for the end, on a plain thread or in a fiber.
    ///
    /// - Returns: 0 with `result` stored, or a negated errno.
    public func join(deadline: Deadline, result: inout Int64) -> Int32 {
        if !isFinished {
            if FiberRef.current == nil && CurrentThread.worker != nil {
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
    static let outside = -Errno.notPermitted.rawValue

    /// The C library's id of the current fiber, or 0.
    public static var handle: UInt64 {
        guard let fiber = FiberRef.current?.owner as? CFiber else { return 0 }
        return fiber.handle
    }

    /// 1 or 0. Asks the flag that every thread sees at once: a long computation never gives the
    /// worker the chance to pass the news on.
    public static var isCancelled: Int32 {
        guard let fiber = FiberRef.current else { return outside }
        return fiber.owner.isCancelled ? 1 : 0
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
    /// The result as C sees it: the kernel's ECANCELED is split by who asked for it.
    var code: Int32 {
        guard result == -Errno.canceled.rawValue else { return result }
        return switch reason {
        case .user, .shutdown: result
        case .deadline: -Errno.timedOut.rawValue
        // Nobody asked: the descriptor was closed meanwhile.
        case .none: -Errno.badFileDescriptor.rawValue
        }
    }
}
