import Synchronization

/// One waiter's place in a queue that is not the kernel's: the end of a fiber, a drained descriptor.
///
/// Whoever takes the node out of its queue, under the queue's lock, owns the right to wake the
/// waiter; so a wake and a cancel that race resume it once.
final class WaitNode: @unchecked Sendable {
    /// How the waiter is resumed.
    @safe
    enum Target {
        case fiber(FiberRef)
        case task(UnsafeContinuation<Completion, Never>)
        /// A plain thread that sleeps on a futex.
        case thread(ThreadParker)
        /// Called on whatever thread ends the wait; must not block.
        case callback(@Sendable (Completion) -> Void)
    }

    private let target: Target

    // Guarded by the queue's lock.
    fileprivate var next: WaitNode?
    fileprivate unowned(unsafe) var previous: WaitNode?
    fileprivate var isQueued = false

    /// Where the node waits. Written once before the node is shared.
    private let source: any WaitSource

    init(_ target: Target, in source: any WaitSource) {
        self.target = target
        self.source = source
    }

    /// Takes the node back and wakes its waiter with the reason, unless it is being woken already.
    /// Any thread. True when this call ended the wait.
    @discardableResult
    func interrupt(_ reason: CancelReason) -> Bool {
        guard source.withdraw(self) else { return false }
        wake(.cancelled(reason))
        return true
    }

    /// For whoever took the node out of its queue. Any thread.
    fileprivate func wake(_ completion: Completion) {
        switch target {
        case .fiber(let fiber):
            fiber.deliver(completion)
            fiber.withWorker { $0.enqueue(Runnable(fiber)) }
        case .task(let continuation):
            unsafe continuation.resume(returning: completion)
        case .thread(let parker):
            parker.unpark()
        case .callback(let body):
            body(completion)
        }
    }

    // MARK: As a wait token

    @inline(__always)
    var token: UInt64 {
        UInt64(UInt(bitPattern: unsafe Unmanaged.passUnretained(self).toOpaque()))
    }

    /// The node that a parked fiber's token names; the fiber's own frame keeps it alive.
    @inline(__always)
    static func named(by token: UInt64) -> WaitNode {
        unsafe Unmanaged<WaitNode>
            .fromOpaque(UnsafeRawPointer(bitPattern: UInt(token)).unsafelyUnwrapped)
            .takeUnretainedValue()
    }
}

/// Something that wait nodes can be taken back from.
protocol WaitSource: AnyObject, Sendable {
    /// False when the node has left the queue: its waiter is being woken.
    func withdraw(_ node: WaitNode) -> Bool
}

/// Waiters for one event that happens once. Any thread.
struct WaitQueue: ~Copyable, Sendable {
    // Not private: Swift 6.3.1 emits broken metadata for a private type in a mutex of a noncopyable
    // struct that other files store.
    struct State {
        var isComplete = false
        var first: WaitNode?
        unowned(unsafe) var last: WaitNode?
    }

    private let state = Mutex(State())

    /// True once the event has happened.
    var isComplete: Bool { state.withLock { $0.isComplete } }

    /// Queues the node. False when the event has happened already: there is nothing to wait for.
    func add(_ node: WaitNode) -> Bool {
        state.withLock { state in
            if state.isComplete { return false }
            node.isQueued = true
            unsafe node.previous = state.last
            if let last = unsafe state.last { last.next = node } else { state.first = node }
            unsafe state.last = node
            return true
        }
    }

    /// Takes the node back. False when it is not queued any more.
    func withdraw(_ node: WaitNode) -> Bool {
        state.withLock { state in
            guard node.isQueued else { return false }
            node.isQueued = false
            let next = node.next
            let previous = unsafe node.previous
            if let next { unsafe next.previous = previous } else { unsafe state.last = previous }
            if let previous { previous.next = next } else { state.first = next }
            node.next = nil
            unsafe node.previous = nil
            return true
        }
    }

    /// The event: wakes every waiter with `completion`, in the order in which they came.
    func complete(_ completion: Completion = Completion(0)) {
        let first = state.withLock { state in
            state.isComplete = true
            let first = state.first
            state.first = nil
            unsafe state.last = nil
            var node = first
            while let current = node {
                current.isQueued = false
                node = current.next
            }
            return first
        }
        var node = first
        while let current = node {
            // Read before the wake: it may be the last thing that keeps the node alive.
            node = current.next
            current.next = nil
            current.wake(completion)
        }
    }
}
