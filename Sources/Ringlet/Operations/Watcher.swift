import Synchronization
import SystemPackage

/// Calls that a scheduler makes whenever a descriptor is ready: what ``Scheduler/onReadable(_:holdsScheduler:fileID:line:_:)`` and
/// ``Scheduler/onWritable(_:holdsScheduler:fileID:line:_:)`` return.
///
/// Dropping it changes nothing. All members may be used from any thread.
public final class Watcher: @unchecked Sendable {
    let descriptor: Int32
    let readiness: Readiness
    private let identity: DescriptorCalls.Identity
    private let worker: Worker
    let holdsScheduler: Bool
    let site: PackedSite

    private struct Body: @unchecked Sendable {
        let call: () throws -> Void
    }

    /// Emptied once, by whoever ends the watch; read by the worker.
    private let body: Mutex<Body?>

    // The rest is the worker thread's.

    private var operation: OperationToken?

    /// - Throws: `Errno.badFileDescriptor`; `Errno.notPermitted` for a regular file.
    init(
        _ readiness: Readiness, of descriptor: Int32, on worker: Worker, holdsScheduler: Bool, site: PackedSite,
        _ body: sending @escaping () throws -> Void
    ) throws(Errno) {
        identity = try DescriptorCalls.identity(of: descriptor)
        self.readiness = readiness
        self.descriptor = descriptor
        self.worker = worker
        self.holdsScheduler = holdsScheduler
        self.site = site
        self.body = Mutex(Body(call: body))
    }

    /// True until the watch is cancelled, replaced, or at its end with its scheduler or its descriptor.
    public var isActive: Bool { body.withLock { $0 != nil } }

    /// Ends the watch. Nothing is called any more, except a call that another thread is in the middle of. What the closure
    /// refers to is released with it.
    ///
    /// Cancel before the descriptor is closed: until the kernel has been told, it keeps the file open.
    ///
    /// - Returns: True when this ended the watch.
    @discardableResult
    public func cancel() -> Bool {
        guard end() else { return false }
        worker.perform { [self] worker in
            if let operation { worker.cancel(operation, reason: .user) }
        }
        return true
    }

    /// True for the call that ends it.
    private func end() -> Bool {
        // Released after the lock: what goes away with it may call anything.
        let ended = body.withLock { body in
            defer { body = nil }
            return body
        }
        if ended == nil { return false }
        worker.shared.watchers.remove(self)
        return true
    }

    // MARK: The worker's side

    /// Any thread, once.
    func start() { worker.perform { [self] in ask($0) } }

    private func ask(_ worker: Worker) {
        guard isActive else { return }
        if worker.isShuttingDown {
            _ = end()
            return
        }
        operation = worker.start(
            .poll(descriptor, events: readiness.pollEvents), waiter: .watcher(self), deadline: .never)
        if !holdsScheduler { worker.idleOperations += 1 }
    }

    /// The kernel has answered; this is the middle of a harvest.
    func answered(_ completion: Completion) {
        operation = nil
        if !holdsScheduler { worker.idleOperations -= 1 }
        guard isActive else { return }
        if completion.result >= 0 {
            let ready = Readiness(pollResult: completion.result, of: readiness)
            if !ready.isEmpty {
                worker.ready.push(Message.runnable { [self] in call($0) })
            } else {
                Callback(on: worker, deadline: .after(Readiness.pause), holdsScheduler: holdsScheduler, site: site) {
                    [self] in ask(worker)
                }.start()
            }
        } else if completion.reason == .none {
            fail(Errno(rawValue: -completion.result))
        } else {
            // The scheduler shuts down.
            _ = end()
        }
    }

    private func call(_ worker: Worker) {
        guard let body = body.withLock({ $0 }) else { return }
        do throws(Errno) {
            // The number may have been closed and be a stranger's by now.
            guard try DescriptorCalls.identity(of: descriptor) == identity else { throw .badFileDescriptor }
        } catch {
            return fail(error)
        }
        do { try body.call() } catch { report(error) }
        ask(worker)
    }

    private func fail(_ error: Errno) {
        if end() { report(error) }
    }

    private func report(_ error: any Error) {
        worker.shared.unseenErrors.report(
            UnseenError(
                error: error, origin: .watcher, source: "the watcher of descriptor \(descriptor) made at \(site)"))
    }
}

extension Waiter {
    static func watcher(_ watcher: Watcher) -> Waiter { unsafe .watcher(Unmanaged.passRetained(watcher)) }

    /// The watcher that waits, if one does.
    var watcher: Watcher? {
        if case .watcher(let watcher) = self { unsafe watcher.takeUnretainedValue() } else { nil }
    }
}

/// The watchers of one scheduler: at most one for each descriptor and direction. Any thread.
struct Watchers: ~Copyable, Sendable {
    // Not private: Swift 6.3.1 emits broken metadata for a private type in a mutex of a noncopyable
    // struct that other files store.
    struct Key: Hashable {
        let descriptor: Int32
        let readiness: Readiness
    }

    private let watchers = Mutex<[Key: Watcher]>([:])

    /// The one that was there before.
    func replace(with watcher: Watcher) -> Watcher? {
        watchers.withLock { $0.updateValue(watcher, forKey: Self.key(watcher)) }
    }

    /// Unless it has been replaced.
    func remove(_ watcher: Watcher) {
        watchers.withLock { watchers in
            let key = Self.key(watcher)
            if watchers[key] === watcher { watchers[key] = nil }
        }
    }

    func find(_ readiness: Readiness, of descriptor: Int32) -> Watcher? {
        watchers.withLock { $0[Key(descriptor: descriptor, readiness: readiness)] }
    }

    private static func key(_ watcher: Watcher) -> Key {
        Key(descriptor: watcher.descriptor, readiness: watcher.readiness)
    }
}
