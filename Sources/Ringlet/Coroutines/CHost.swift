import CContext
import Glibc
import Synchronization

/// A stack with its Swift task that runs C functions one after another.
///
/// A C function needs neither task-locals nor a task of its own, so what a fiber costs at its
/// beginning and end is paid once and not per function. A host whose function was cancelled is not
/// used again, because its task stays cancelled.
@safe
final class CHost: AnyFiber, @unchecked Sendable {
    // The worker thread's.
    /// What to run, with one reference: a function's way to its host and back counts no other.
    private var next: Unmanaged<CFiber>?
    private var stack: FiberRef?

    fileprivate init(_ fiber: Unmanaged<CFiber>, on worker: Worker) {
        unsafe next = fiber
        super.init(name: nil, worker: worker)
    }

    /// Detached: what is bound where the first function was spawned is no concern of the others.
    override func start(_ terms: StartTerms = StartTerms()) {
        FiberHost.start(self, priority: terms.priority, inherits: false)
    }

    /// The function that waits for the stack; nobody when it is idle.
    override var shown: AnyFiber? {
        guard let fiber = unsafe next else { return nil }
        return unsafe fiber.takeUnretainedValue()
    }

    override func runBody() {
        guard let stack = FiberRef.current else { return }
        self.stack = stack
        while let fiber = unsafe next {
            unsafe next = nil
            unsafe fiber._withUnsafeGuaranteedRef { $0.run(on: stack, of: self) }
            unsafe fiber.release()
            guard !stack.isCancelled, worker.keepIdle(self) else { return }
            // Waits for nothing that could be cancelled: run(_:) and cancel() make it ready.
            _ = stack.park(.none, 0)
        }
    }

    override func fail(_ error: any Error) {
        unsafe next?.takeRetainedValue().end(with: error)
        unsafe next = nil
    }

    /// Runs one more function, on a host that was idle.
    @inline(__always)
    fileprivate func run(_ fiber: Unmanaged<CFiber>) {
        unsafe next = fiber
        resume()
    }

    @inline(__always)
    private func resume() {
        if let stack { worker.ready.push(Runnable(stack)) }
    }

    /// The shutdown's way to end a host that is idle.
    override func cancel() -> Bool {
        defer {
            worker.perform { [self] worker in
                if worker.idleHosts.remove(self) { resume() }
            }
        }
        return super.cancel()
    }
}

extension Worker {
    /// Runs a function of C on an idle host, or on a new one, and gives up the reference at its end. On the worker's
    /// thread; once the worker has ended and been shut down before, on any.
    func run(_ fiber: Unmanaged<CFiber>) {
        if isShuttingDown {
            unsafe fiber.takeRetainedValue().end(with: CancellationError())
        } else if let host = unsafe idleHosts.pop() {
            unsafe host._withUnsafeGuaranteedRef { unsafe $0.run(fiber) }
        } else {
            unsafe CHost(fiber, on: self).start()
        }
    }

    /// True when the host is to wait for more.
    @inline(__always)
    fileprivate func keepIdle(_ host: CHost) -> Bool {
        !isShuttingDown && idleHosts.push(host)
    }
}

/// The idle hosts of one worker, unretained: each has a stack, and stays alive until that has ended.
struct IdleHosts: ~Copyable {
    /// More than these end instead of waiting, so that a peak does not keep its stacks for ever.
    private static let limit = 128

    private var addresses = HotArray<UInt>(repeating: 0, capacity: limit)
    private var count = 0

    /// False when there are enough.
    @inline(__always)
    fileprivate mutating func push(_ host: CHost) -> Bool {
        if count == Self.limit { return false }
        addresses[count] = UInt(bitPattern: unsafe Unmanaged.passUnretained(host).toOpaque())
        count &+= 1
        return true
    }

    /// The one that came last: its stack is warm.
    @inline(__always)
    fileprivate mutating func pop() -> Unmanaged<CHost>? {
        if count == 0 { return nil }
        count &-= 1
        return unsafe host(at: count)
    }

    fileprivate mutating func remove(_ host: CHost) -> Bool {
        for position in 0..<count where unsafe self.host(at: position).toOpaque()
            == Unmanaged.passUnretained(host).toOpaque()
        {
            count -= 1
            addresses[position] = addresses[count]
            return true
        }
        return false
    }

    @inline(__always)
    private func host(at position: Int) -> Unmanaged<CHost> {
        unsafe Unmanaged<CHost>
            .fromOpaque(UnsafeRawPointer(bitPattern: addresses[position]).unsafelyUnwrapped)
    }

    deinit {
        addresses.deallocate()
    }
}
