import Synchronization

/// One waiter's place in a queue that is not the kernel's: the end of a fiber, a drained descriptor.
///
/// Whoever takes the node out of its queue, under the queue's lock, owns the right to wake the
/// waiter; so a wake and a cancel that race resume it once.
@safe
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

    // Guarded by the queue's lock, which holds one reference to each node in it.
    fileprivate var next: Unmanaged<WaitNode>?
    fileprivate var previous: Unmanaged<WaitNode>?
    fileprivate var isQueued = false

    /// Where the node waits. Written before the node is shared; a fiber's, which is used again, is shared anew
    /// for each wait. Not retained: what keeps it is `holder` or, as long as it is parked, the fiber's own frame; and only
    /// the thread of a parked fiber asks its node.
    private unowned(unsafe) var source: (any WaitSource)?

    /// Keeps the source as long as the node, which others may ask at any time.
    private let holder: (any WaitSource)?

    /// For a fiber, whose waits come one after another.
    init(of fiber: FiberRef) {
        target = .fiber(fiber)
        holder = nil
    }

    init(_ target: Target, in source: any WaitSource) {
        self.target = target
        holder = source
        unsafe self.source = source
    }

    /// Before the fiber's next wait, and with nil after it.
    func moves(to source: (any WaitSource)?) { unsafe self.source = source }

    /// Takes the node back and wakes its waiter with the reason, unless it is being woken already.
    /// Any thread. True when this call ended the wait.
    @discardableResult
    func interrupt(_ reason: CancelReason) -> Bool {
        guard unsafe source?.withdraw(self) == true else { return false }
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

    /// What the fiber waits for whose token this is. The thread of a parked fiber only.
    static func source(named token: UInt64) -> (any WaitSource)? { unsafe named(by: token).source }

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
///
/// A node holds on to where it waits, so no queue ends with a node in it.
struct WaitQueue: ~Copyable, Sendable {
    // Not private: Swift 6.3.1 emits broken metadata for a private type in a mutex of a noncopyable
    // struct that other files store.
    @safe
    struct State {
        // Plain words, so that walking the list counts no references: they change when a node comes and goes.
        var first: Unmanaged<WaitNode>?
        var last: Unmanaged<WaitNode>?
    }

    private let state = Mutex(State())

    /// Written once, under the lock; read by anyone. What was written before the event is visible to who reads
    /// true.
    private let completed = Atomic<Bool>(false)

    /// True once the event has happened. Cheap: a scheduler's main body is asked in every turn.
    @inline(__always)
    var isComplete: Bool { completed.load(ordering: .acquiring) }

    /// Queues the node. False when the event has happened already: there is nothing to wait for.
    func add(_ node: WaitNode) -> Bool {
        state.withLock { state in
            if completed.load(ordering: .relaxed) { return false }
            let added = unsafe Unmanaged.passRetained(node)
            node.isQueued = true
            unsafe node.previous = state.last
            if let last = unsafe state.last {
                unsafe last._withUnsafeGuaranteedRef { unsafe $0.next = added }
            } else {
                unsafe state.first = added
            }
            unsafe state.last = added
            return true
        }
    }

    /// Takes the node back. False when it is not queued any more.
    func withdraw(_ node: WaitNode) -> Bool {
        let withdrawn = state.withLock { state in
            guard node.isQueued else { return false }
            node.isQueued = false
            let next = unsafe node.next
            let previous = unsafe node.previous
            if let next = unsafe next {
                unsafe next._withUnsafeGuaranteedRef { unsafe $0.previous = previous }
            } else {
                unsafe state.last = previous
            }
            if let previous = unsafe previous {
                unsafe previous._withUnsafeGuaranteedRef { unsafe $0.next = next }
            } else {
                unsafe state.first = next
            }
            unsafe node.next = nil
            unsafe node.previous = nil
            return true
        }
        if withdrawn { unsafe Unmanaged.passUnretained(node).release() }
        return withdrawn
    }

    /// The event: wakes every waiter with `completion`, in the order in which they came.
    func complete(_ completion: Completion = Completion(0)) {
        var rest = unsafe state.withLock { state in
            completed.store(true, ordering: .releasing)
            let first = unsafe state.first
            unsafe state.first = nil
            unsafe state.last = nil
            var node = unsafe first
            while let current = unsafe node {
                unsafe node = current._withUnsafeGuaranteedRef { node in
                    node.isQueued = false
                    return unsafe node.next
                }
            }
            return unsafe first
        }
        while let current = unsafe rest {
            unsafe current._withUnsafeGuaranteedRef { node in
                // Read before the wake: a fiber's node may be queued elsewhere at once.
                unsafe rest = node.next
                unsafe node.next = nil
                unsafe node.previous = nil
                node.wake(completion)
            }
            unsafe current.release()
        }
    }
}
