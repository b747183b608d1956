import CContext
import Glibc
import Synchronization

/// A stack with its Swift task that runs C functions one after another.
///
/// A C function needs neither task-locals nor a task of its own, so what a fiber costs at its
/// beginning and end is paid once and not per function. A host whose function was cancelled is not
/// used again, because its task stays cancelled.
final class CHost: AnyFiber, @unchecked Sendable {
    // The worker thread's.
    private var next: CFiber?
    private var stack: FiberRef?

    init(_ fiber: CFiber) {
        next = fiber
        super.init(name: nil, worker: fiber.worker)
    }

    /// Detached: what is bound where the first function was spawned is no concern of the others.
    override func start(priority: TaskPriority? = nil) {
        FiberHost.start(self, priority: priority?.rawValue ?? 0, inherits: false)
    }

    override func runBody() {
        guard let stack = FiberRef.current else { return }
        self.stack = stack
        while let fiber = next {
            next = nil
            fiber.run(on: stack, of: self)
            guard !stack.isCancelled, worker.keepIdle(self) else { return }
            // Waits for nothing that could be cancelled: run(_:) and cancel() make it ready.
            _ = stack.park(.none, 0)
        }
    }

    override func fail(_ error: any Error) {
        next?.end(with: error)
        next = nil
    }

    /// Runs one more function, on a host that was idle.
    @inline(__always)
    func run(_ fiber: CFiber) {
        next = fiber
        resume()
    }

    @inline(__always)
    private func resume() {
        if let stack { worker.ready.push(Runnable(stack)) }
    }

    /// The shutdown's way to end a host that is idle.
    override func cancel() {
        super.cancel()
        worker.perform { [self] worker in
            if worker.idleHosts.remove(self) { resume() }
        }
    }
}

extension Worker {
    /// Runs a function of C on an idle host, or on a new one. On the worker's thread; once the worker has ended and
    /// been shut down before, on any.
    func run(_ fiber: CFiber) {
        if isShuttingDown {
            fiber.end(with: CancellationError())
        } else if let host = idleHosts.pop() {
            host.run(fiber)
        } else {
            CHost(fiber).start()
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
    fileprivate mutating func pop() -> CHost? {
        if count == 0 { return nil }
        count &-= 1
        return host(at: count)
    }

    fileprivate mutating func remove(_ host: CHost) -> Bool {
        for position in 0..<count where self.host(at: position) === host {
            count -= 1
            addresses[position] = addresses[count]
            return true
        }
        return false
    }

    @inline(__always)
    private func host(at position: Int) -> CHost {
        unsafe Unmanaged<CHost>
            .fromOpaque(UnsafeRawPointer(bitPattern: addresses[position]).unsafelyUnwrapped)
            .takeUnretainedValue()
    }

    deinit {
        addresses.deallocate()
    }
}
