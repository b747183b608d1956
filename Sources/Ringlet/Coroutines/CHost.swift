import CContext
import Glibc
import Synchronization

/// A stack with its Swift task that runs C functions one after another.
///
/// A C function needs neither task-locals nor a task of its own, so what a fiber costs at its
/// beginning and end is paid once and not per function. A host whose function was cancelled is not
/// used again, because its task stays cancelled.
final class CHost: AnyFiber, @unchecked Sendable {
    private let pool: CHostPool

    // The worker thread's.
    private var next: CFiber?
    private var stack: FiberRef?

    init(_ fiber: CFiber, pool: CHostPool) {
        self.pool = pool
        next = fiber
        super.init(name: nil, worker: pool.worker)
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
            guard !stack.isCancelled, pool.keep(self) else { return }
            // Waits for nothing that could be cancelled: run(_:) and cancel() make it ready.
            _ = stack.park(.none, 0)
        }
    }

    override func fail(_ error: any Error) {
        next?.end(with: error)
        next = nil
    }

    /// Runs one more function, on a host that the pool has kept.
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
        worker.perform { [self] _ in
            if pool.remove(self) { resume() }
        }
    }
}

/// The idle hosts of one worker. For the worker's thread, except ``start(_:)``.
final class CHostPool: @unchecked Sendable {
    let worker: Worker
    private var idle: [CHost] = []

    /// More than these end instead of waiting, so that a peak does not keep its stacks for ever.
    private static let limit = 128

    init(worker: Worker) {
        self.worker = worker
    }

    /// Runs `fiber` on the worker. Any thread.
    func start(_ fiber: CFiber) {
        if CurrentThread.runs(worker) {
            startHere(fiber)
        } else {
            worker.perform { [self] _ in startHere(fiber) }
        }
    }

    /// Also called on other threads, once the worker has ended and been shut down before.
    private func startHere(_ fiber: CFiber) {
        if worker.isShuttingDown {
            fiber.end(with: CancellationError())
        } else if let host = idle.popLast() {
            host.run(fiber)
        } else {
            CHost(fiber, pool: self).start()
        }
    }

    /// True when the host is to wait for more.
    @inline(__always)
    func keep(_ host: CHost) -> Bool {
        if idle.count >= Self.limit || worker.isShuttingDown { return false }
        idle.append(host)
        return true
    }

    func remove(_ host: CHost) -> Bool {
        guard let position = idle.firstIndex(where: { $0 === host }) else { return false }
        idle.remove(at: position)
        return true
    }
}
