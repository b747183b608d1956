import Synchronization

/// A channel or a queue without its element's type: a store of elements, waiting receivers and waiting senders, under one
/// lock.
///
/// An element is moved by whoever knows its type, between `begin…`, which returns with the lock held and says from or to
/// where, and `end…`, which gives up the lock and wakes who was concerned. So the lock's holder never waits, and what is
/// generic is one move. That alone is inlined into the user's code: unspecialized, it would look up types at run time.
///
/// Never true at once: elements in the store and waiting receivers; room in the store and waiting senders.
@usableFromInline @safe
final class ChannelCore: WaitSource, @unchecked Sendable {
    @safe
    struct State: ~Copyable {
        /// More than the capacity when elements were given back.
        var elements: ElementStore
        var receivers = WaitList()
        var senders = WaitList()
        /// Nothing more is sent.
        var isClosed = false
        /// Nothing more is received.
        var isAbandoned = false
        /// Open ends, where the channel was split.
        var senderEnds = 0
        var receiverEnds = 0
        /// Elements that have come and were not said to be done with; for queues.
        var unfinished = 0
        /// Who waits for that to become 0.
        var joiners = WaitList()
        /// Who waits for an element in the store, and leaves it there.
        var watchers = WaitList()
    }

    @usableFromInline let capacity: Int
    /// What is thrown when there is nothing more to send or to receive.
    @usableFromInline let ended: any Error
    private let type: ElementType

    let lock = Mutex(())
    /// Guarded by `lock`.
    let state: Pinned<State>

    /// Says to a waiter that the channel was closed.
    static let closed = Completion(1)

    @usableFromInline
    init(_ type: ElementType, capacity: Int, order: ElementStore.Order = .firstInFirstOut, ended: any Error) {
        self.capacity = capacity
        self.ended = ended
        self.type = type
        state = Pinned(State(elements: ElementStore(of: type, order: order)))
    }

    deinit { state.destroy() }

    // MARK: Now

    /// An element's way in or out, with the lock held. `end…` must follow.
    ///
    /// Two plain words, since it passes from one module to another and back in registers.
    @usableFromInline @safe
    struct Transfer: BitwiseCopyable {
        @usableFromInline let place: UnsafeMutableRawPointer
        /// Who waits at the other side; nil when that is the store.
        fileprivate let partner: UnsafeRawPointer?

        @inlinable @inline(__always)
        func put<Element>(_ element: Element) {
            unsafe place.assumingMemoryBound(to: Element.self).initialize(to: element)
        }

        @inlinable @inline(__always)
        func take<Element>(_ type: Element.Type) -> Element {
            unsafe place.assumingMemoryBound(to: Element.self).move()
        }
    }

    @usableFromInline
    enum Attempt: BitwiseCopyable {
        case go(Transfer)
        case wait
        case closed
    }

    @usableFromInline
    func beginSend() -> Attempt {
        lock._unsafeLock()
        if state.value.isClosed {
            lock._unsafeUnlock()
            return .closed
        }
        if let receiver = state.value.receivers.popFirst() {
            let place = unsafe receiver.room
            return unsafe .go(Transfer(place: place, partner: receiver.suspended()))
        }
        if state.value.elements.count < capacity {
            return unsafe .go(Transfer(place: state.value.elements.vacancy, partner: nil))
        }
        lock._unsafeUnlock()
        return .wait
    }

    @usableFromInline
    func endSend(_ transfer: Transfer) {
        state.value.unfinished &+= 1
        guard let receiver = unsafe Wakeup(resumed: transfer.partner) else {
            state.value.elements.filled()
            return state.value.watchers.isEmpty ? lock._unsafeUnlock() : tellWatchers()
        }
        lock._unsafeUnlock()
        receiver.wake()
    }

    @usableFromInline
    func beginReceive() -> Attempt {
        lock._unsafeLock()
        if !state.value.elements.isEmpty {
            return unsafe .go(Transfer(place: state.value.elements.next, partner: nil))
        }
        if let sender = state.value.senders.popFirst() {
            let place = unsafe sender.room
            return unsafe .go(Transfer(place: place, partner: sender.suspended()))
        }
        let isClosed = state.value.isClosed
        lock._unsafeUnlock()
        return isClosed ? .closed : .wait
    }

    @usableFromInline
    func endReceive(_ transfer: Transfer) {
        if let sender = unsafe Wakeup(resumed: transfer.partner) {
            lock._unsafeUnlock()
            return sender.wake()
        }
        state.value.elements.emptied()
        if state.value.senders.isEmpty || state.value.elements.count >= capacity {
            lock._unsafeUnlock()
        } else {
            admitSender()
        }
    }

    /// The place that has become free goes to who has waited longest. With the lock held, which it gives up.
    @inline(never)
    private func admitSender() {
        let sender = state.value.senders.popFirst()
        if let sender {
            unsafe state.value.elements.add(from: sender.room)
            state.value.unfinished &+= 1
            if state.value.watchers.isEmpty { lock._unsafeUnlock() } else { tellWatchers() }
            return sender.wake()
        }
        lock._unsafeUnlock()
    }

    // MARK: Waiting

    /// In which list a node is.
    static let receiving: UInt8 = 0
    static let sending: UInt8 = 1
    static let watching: UInt8 = 2
    static let joining: UInt8 = 3

    /// Queues the node, into whose room an element comes. False when there is one, or nothing more comes.
    func enqueueReceiver(_ node: WaitNode) -> Bool {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        if !state.value.elements.isEmpty || state.value.isClosed || state.value.senders.hasWaiter(besides: node) {
            return false
        }
        _ = unsafe node.makeRoom(size: type.stride, alignment: type.alignment)
        node.list = Self.receiving
        state.value.receivers.append(node)
        return true
    }

    /// Queues the node with a copy of `element` in its room. False when it can be sent now, or never.
    @inlinable @inline(__always)
    func enqueueSender<Element>(_ node: WaitNode, with element: Element) -> Bool {
        guard let place = unsafe beginEnqueue(node) else { return false }
        unsafe place.assumingMemoryBound(to: Element.self).initialize(to: element)
        endEnqueue()
        return true
    }

    /// Where the element is to be copied that the node waits to send; nil when it need not. The lock is then held up to
    /// `endEnqueue()`, so that nobody takes the element before it is there.
    @usableFromInline
    func beginEnqueue(_ node: WaitNode) -> UnsafeMutableRawPointer? {
        lock._unsafeLock()
        if state.value.elements.count < capacity || state.value.isClosed
            || state.value.receivers.hasWaiter(besides: node)
        {
            lock._unsafeUnlock()
            return nil
        }
        node.list = Self.sending
        state.value.senders.append(node)
        return unsafe node.makeRoom(size: type.stride, alignment: type.alignment)
    }

    @usableFromInline
    func endEnqueue() { lock._unsafeUnlock() }

    func withdraw(_ node: WaitNode) -> Bool {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        return switch node.list {
        case Self.receiving: state.value.receivers.remove(node)
        case Self.sending: state.value.senders.remove(node)
        case Self.watching: state.value.watchers.remove(node)
        default: state.value.joiners.remove(node)
        }
    }

    /// A receiver was woken with an element and does not take it: it goes to the next one, or back to the front.
    func giveBack(_ room: FilledRoom) {
        lock._unsafeLock()
        if let receiver = state.value.receivers.popFirst() {
            unsafe type.move(receiver.room, room.place)
            lock._unsafeUnlock()
            room.leave()
            return receiver.wake()
        }
        if state.value.isAbandoned {
            finish(1)
            return discard(room)
        }
        unsafe state.value.elements.putBack(from: room.place)
        if state.value.watchers.isEmpty { lock._unsafeUnlock() } else { tellWatchers() }
        room.leave()
    }

    /// A sender gives up, and its element is still in its room.
    func discard(_ room: FilledRoom) { room.discard(type) }

    // MARK: Ends

    /// Nothing more is sent. What is in the store can still be received.
    func close() { end(abandoning: false) }

    /// Nothing more is received. What is in the store is dropped.
    func abandon() { end(abandoning: true) }

    private func end(abandoning: Bool) {
        lock._unsafeLock()
        state.value.isClosed = true
        if abandoning { state.value.isAbandoned = true }
        let receivers = state.value.receivers.popAll()
        let senders = state.value.senders.popAll()
        let watchers = state.value.watchers.popAll()
        if abandoning {
            let dropped = state.value.elements.takeAll()
            finish(dropped.count)
            dropped.drop()
        } else {
            lock._unsafeUnlock()
        }
        receivers.wake(Self.closed)
        senders.wake(Self.closed)
        watchers.wake()
    }

    func addEnd(sending: Bool) {
        lock._unsafeLock()
        if sending { state.value.senderEnds += 1 } else { state.value.receiverEnds += 1 }
        lock._unsafeUnlock()
    }

    /// With the last one the channel ends for the other side.
    func removeEnd(sending: Bool) {
        lock._unsafeLock()
        if sending { state.value.senderEnds -= 1 } else { state.value.receiverEnds -= 1 }
        let left = sending ? state.value.senderEnds : state.value.receiverEnds
        lock._unsafeUnlock()
        if left == 0 { end(abandoning: !sending) }
    }

    // MARK: Asked from outside

    var count: Int { locked { $0.elements.count } }
    var isClosed: Bool { locked { $0.isClosed } }
    var balance: Int { locked { $0.senders.count &- $0.receivers.count } }

    func locked<Result>(_ body: (borrowing State) -> Result) -> Result {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        return body(state.value)
    }
}
