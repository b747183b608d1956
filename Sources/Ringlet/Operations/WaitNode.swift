/// One waiter's place in a list that is not the kernel's: for the end of a fiber, a lock, an element.
///
/// Whoever takes the node out of its list, under the lock that guards the list, owns the right to wake the
/// waiter; so a wake and a cancel that race resume it once.
@usableFromInline @safe
final class WaitNode: @unchecked Sendable {
    /// How the waiter is resumed.
    @safe
    enum Target {
        case fiber(FiberRef)
        /// A task that runs as a job of the worker, which keeps the node and is kept by the task.
        case parkedTask(ParkedTask, of: Unmanaged<Worker>)
        case task(UnsafeContinuation<Completion, Never>)
        /// A plain thread that sleeps on a futex.
        case thread(ThreadParker)
        /// Called on whatever thread ends the wait; must not block.
        case callback(@Sendable (Completion) -> Void)
        /// One of several lists in which a strand waits; the number is its place among them.
        case branch(Selection, Int)
    }

    /// Changed between two waits only, by the thread that waits.
    private var target: Target

    /// The node outlives its waits, since the waiter keeps it; so a list need not, and who has woken the waiter must
    /// not touch the node again.
    let isKept: Bool

    // Guarded by the lock of the list, which holds one reference to each node in it that is not kept.
    var next: Unmanaged<WaitNode>?
    var previous: Unmanaged<WaitNode>?
    var isQueued = false
    /// For a source with several lists: in which one the node is.
    var list: UInt8 = 0
    /// Where an element lies on its way to or from the waiter.
    private var room: UnsafeMutableRawPointer?
    private var roomSize = 0

    /// Where the node waits. Written before the node is shared; one that is used again is shared anew for each wait.
    /// Not retained: what keeps it is `holder` or, as long as the waiter is parked, the waiter's own frame; and only the
    /// thread of a parked waiter asks its node.
    private unowned(unsafe) var source: (any WaitSource)?

    /// Keeps the source as long as the node, which others may ask at any time.
    private let holder: (any WaitSource)?

    /// Neither cancellation nor a shutdown ends the wait. For the thread of a parked task.
    var isShielded = false

    /// The wait that the node is a branch of.
    let selection: Selection?

    /// How the wait ended, for waiters that have no other place for it: threads, parked tasks and branches. Written by whoever wakes
    /// the waiter, before that; read by the waiter.
    private(set) var outcome = Completion(0)

    /// For a fiber, whose waits come one after another.
    init(of fiber: FiberRef) {
        target = .fiber(fiber)
        isKept = true
        holder = nil
        selection = nil
    }

    /// For one task after another that parks on the worker which keeps the node.
    init(of task: ParkedTask, on worker: Worker) {
        target = unsafe .parkedTask(task, of: .passUnretained(worker))
        isKept = true
        holder = nil
        selection = nil
    }

    init(_ target: Target, in source: any WaitSource) {
        self.target = target
        isKept = false
        selection = if case .branch(let selection, _) = target { selection } else { nil }
        holder = source
        unsafe self.source = source
    }

    /// For a call at an end, which nobody interrupts: it is taken back from the list itself.
    init(callback: @escaping @Sendable (Completion) -> Void) {
        target = .callback(callback)
        isKept = false
        holder = nil
        selection = nil
    }

    @inline(__always)
    var isOfFiber: Bool { if case .fiber = target { true } else { false } }

    /// Before the next wait of a kept node, and with nil after it.
    func moves(to source: (any WaitSource)?) { unsafe self.source = source }

    /// The same, for the next task.
    func serves(_ task: ParkedTask, of worker: Worker) {
        target = unsafe .parkedTask(task, of: .passUnretained(worker))
    }

    /// Room for an element. It stays with the node, so that the next wait allocates none.
    @inline(__always)
    func makeRoom(size: Int, alignment: Int) -> UnsafeMutableRawPointer {
        // Every room is aligned to a cache line.
        if roomSize >= size && alignment <= 64, let room = unsafe room { return unsafe room }
        return unsafe allocateRoom(size: size, alignment: alignment)
    }

    @inline(never)
    private func allocateRoom(size: Int, alignment: Int) -> UnsafeMutableRawPointer {
        unsafe room?.deallocate()
        // Waits for elements of other types come; few are aligned more than a cache line.
        let made = UnsafeMutableRawPointer.allocate(
            byteCount: max(size, 32), alignment: max(alignment, 64))
        unsafe room = made
        roomSize = max(size, 32)
        return unsafe made
    }

    /// Takes the element that lies in the room.
    @inlinable @inline(__always)
    func take<Element>(_ type: Element.Type) -> Element {
        unsafe filledRoom.assumingMemoryBound(to: Element.self).move()
    }

    /// What lies in the room that was made for this wait.
    @usableFromInline
    var filledRoom: UnsafeMutableRawPointer { unsafe room.unsafelyUnwrapped }

    deinit { unsafe room?.deallocate() }

    /// Whether who has taken the node out of its list may wake the waiter: false for one of several lists when another
    /// one was first.
    @inline(__always)
    func claim() -> Bool { selection.map { $0.claim() } ?? true }

    /// Takes the node back and wakes its waiter with the reason, unless it is being woken already.
    /// Any thread; for a kept node, the waiter's. True when this call ended the wait.
    @discardableResult
    func interrupt(_ reason: CancelReason) -> Bool {
        guard unsafe source?.withdraw(self) == true else { return false }
        wake(.cancelled(reason))
        return true
    }

    /// For whoever took the node out of its list. Any thread.
    func wake(_ completion: Completion) {
        switch target {
        case .fiber(let fiber):
            fiber.deliver(completion)
            fiber.withWorker { $0.enqueue(Runnable(fiber)) }
        case .parkedTask(let task, let worker):
            // Not into the task's own frame: a waker on another thread may come before the task has parked.
            outcome = completion
            unsafe worker._withUnsafeGuaranteedRef { $0.enqueue(task.runnable) }
        case .task(let continuation):
            unsafe continuation.resume(returning: completion)
        case .thread(let parker):
            outcome = completion
            parker.unpark()
        case .callback(let body):
            body(completion)
        case .branch(let selection, let place):
            outcome = completion
            selection.wake(place)
        }
    }

    // MARK: As a wait token

    @inline(__always)
    var address: UInt { UInt(bitPattern: unsafe Unmanaged.passUnretained(self).toOpaque()) }

    @inline(__always)
    var token: UInt64 { UInt64(address) }

    /// What the waiter of a kept node waits for; nil in between. The thread of the waiter.
    var awaited: WaitDescription? { unsafe source?.waitDescription(of: self) }

    /// The kept node of a waiter that is parked; the waiter keeps it alive.
    @inline(__always)
    static func named(by address: UInt) -> WaitNode {
        unsafe Unmanaged<WaitNode>
            .fromOpaque(UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped)
            .takeUnretainedValue()
    }
}

/// Something that wait nodes can be taken back from.
protocol WaitSource: AnyObject, Sendable {
    /// Takes the node out of its list, under the list's lock. False when it has left: its waiter is being woken.
    func withdraw(_ node: WaitNode) -> Bool

    /// What the node waits for, which is its fiber's or task's own. Asked on the thread of that, whatever other threads do
    /// meanwhile: may take the source's own lock, and must not wait.
    func waitDescription(of node: WaitNode) -> WaitDescription
}
