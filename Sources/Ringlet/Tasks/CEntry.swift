import Glibc
import SystemPackage
import Synchronization

// What the C library needs of a scheduler.

/// Why a scheduler could not be made.
@_spi(C)
public enum CFailure: Error {
    /// A negated errno.
    case errno(Int32)
    case environment
    case kernelTooOld
    /// This is the child of a fork.
    case forked
    case other
}

/// An error that says what it is to the C library.
private protocol CFailureConvertible {
    var failure: CFailure { get }
}

extension KernelRefusal: CFailureConvertible {
    fileprivate var failure: CFailure {
        stage == .features ? .kernelTooOld : .errno(-errno.rawValue)
    }
}

extension Errno: CFailureConvertible {
    fileprivate var failure: CFailure { .errno(-rawValue) }
}

extension SchedulerError: CFailureConvertible {
    fileprivate var failure: CFailure {
        switch self {
        case .invalidOption: .errno(-Errno.invalidArgument.rawValue)
        case .invalidEnvironment, .fiberHostUnavailable: .environment
        case .forkedChild: .forked
        case .nestedRun, .runInProgress, .closed, .stopped, .ownedDescriptor: .other
        }
    }
}

extension Deadline {
    /// An instant of ringlet.h: INT64_MAX is for ever.
    @_spi(C)
    public init(c deadline: Int64) {
        self = deadline == .max ? .never : Deadline(nanoseconds: UInt64(max(deadline, 0)))
    }
}

/// A scheduler as the C library holds it.
@_spi(C)
public final class CScheduler: Sendable {
    let scheduler: Scheduler
    private let nextWorker = Atomic<UInt>(0)

    public init(_ options: SchedulerOptions) throws(CFailure) {
        do {
            scheduler = try Scheduler(options)
        } catch {
            throw (error as? any CFailureConvertible)?.failure ?? .other
        }
    }

    // MARK: Spawning

    /// A fiber that has not started, or why there is none.
    ///
    /// - Parameter worker: The index of the worker; nil is the current one, or the next in turn.
    public func makeFiber(
        _ function: @escaping CFiber.Function, _ userData: UnsafeMutableRawPointer?,
        cleanup: CFiber.Cleanup?, name: String?, worker: Int?
    ) -> Result<CFiber, CFailure> {
        if Fork.isChild { return .failure(.forked) }
        if scheduler.state.isShuttingDown { return .failure(.errno(-ESHUTDOWN)) }
        let place = worker ?? current ?? next
        guard scheduler.workers.indices.contains(place) else { return .failure(.errno(-EINVAL)) }
        return .success(
            unsafe CFiber(
                function, userData, cleanup: cleanup, name: name, worker: scheduler.workers[place]))
    }

    /// The same on the scheduler of the current fiber.
    public static func makeFiberHere(
        _ function: @escaping CFiber.Function, _ userData: UnsafeMutableRawPointer?,
        cleanup: CFiber.Cleanup?, name: String?, worker: Int?
    ) -> Result<CFiber, CFailure> {
        guard let stack = FiberRef.current, stack.runsC else { return .failure(.errno(CCurrent.outside)) }
        return stack.withWorker { here in
            if here.shared.isShuttingDown { return .failure(.errno(-ESHUTDOWN)) }
            guard let worker else {
                return .success(
                    unsafe CFiber(function, userData, cleanup: cleanup, name: name, worker: here))
            }
            let workers = here.shared.workers
            guard workers.indices.contains(worker) else { return .failure(.errno(-EINVAL)) }
            return .success(
                unsafe CFiber(function, userData, cleanup: cleanup, name: name, worker: workers[worker]))
        }
    }

    private var current: Int? {
        guard let worker = CurrentThread.worker, worker.shared === scheduler.state else {
            return nil
        }
        return worker.index
    }

    private var next: Int {
        let turn = nextWorker.wrappingAdd(1, ordering: .relaxed).oldValue
        return Int(turn % UInt(scheduler.workerCount))
    }

    // MARK: Shutdown

    /// 0, or a negated errno. Can be repeated to wait longer.
    public func shutdown(deadline: Deadline) -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        if scheduler.isCurrent { return -EDEADLK }
        return scheduler.shutdown(deadline: deadline).stuckWorkers == 0 ? 0 : -ETIMEDOUT
    }

    /// For a scheduler that is given up. 0, or why it cannot be.
    public func close() -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        if scheduler.isCurrent { return -EDEADLK }
        if !scheduler.state.isShuttingDown { scheduler.shutdown() }
        return 0
    }
}

// MARK: - Input and output

/// The operations of a fiber, for C. Every call returns -EPERM outside a fiber.
@_spi(C)
extension CCurrent {
    public static func read(
        _ descriptor: Int32, into address: UInt, count: Int, at offset: UInt64?, deadline: Deadline
    ) -> Int32 {
        perform(.read(descriptor, into: address, count: min(count, Buffer.largestCapacity), at: offset), deadline)
    }

    public static func write(
        _ descriptor: Int32, from address: UInt, count: Int, at offset: UInt64?, deadline: Deadline
    ) -> Int32 {
        perform(.write(descriptor, from: address, count: min(count, Buffer.largestCapacity), at: offset), deadline)
    }

    public static func receive(
        _ descriptor: Int32, into address: UInt, count: Int, deadline: Deadline
    ) -> Int32 {
        perform(.receive(descriptor, into: address, count: min(count, Buffer.largestCapacity)), deadline)
    }

    public static func send(
        _ descriptor: Int32, from address: UInt, count: Int, deadline: Deadline
    ) -> Int32 {
        perform(.send(descriptor, from: address, count: min(count, Buffer.largestCapacity)), deadline)
    }

    public static func accept(_ descriptor: Int32, deadline: Deadline) -> Int32 {
        perform(.accept(descriptor), deadline)
    }

    public static func connect(
        _ descriptor: Int32, to address: UInt, length: Int, deadline: Deadline
    ) -> Int32 {
        perform(.connect(descriptor, to: address, length: length), deadline)
    }

    /// Ends what this worker has in flight on the descriptor, and closes it, whatever happens to
    /// the fiber.
    public static func close(_ descriptor: Int32) -> Int32 {
        guard let fiber = FiberRef.current else { return outside }
        return fiber.shielded {
            // Before the close in the same queue: the kernel finds them by the descriptor.
            fiber.withWorker { $0.cancelAll(onNumber: descriptor) }
            return fiber.perform(.close(descriptor), deadline: .never).code
        }
    }

    /// Waits until the descriptor is readable.
    static func pollReadable(_ descriptor: Int32, deadline: Deadline) -> Int32 {
        perform(.pollReadable(descriptor), deadline)
    }

    @inline(__always)
    private static func perform(_ request: Request, _ deadline: Deadline) -> Int32 {
        guard let fiber = FiberRef.current else { return outside }
        return fiber.perform(request, deadline: deadline).code
    }
}
