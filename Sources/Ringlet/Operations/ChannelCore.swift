// long because what holds the lock and what gives it up must be read together.

import Synchronization

/// A channel without its element's type: a ring of elements, waiting receivers and waiting senders, under one lock.
///
/// An element is moved by whoever knows its type, between `begin…`, which returns with the lock held and says from or to
/// where, and `end…`, which gives up the lock and wakes who was concerned. So the lock's holder never waits, and what is
/// generic is one move.
///
/// Never true at once: elements in the ring and waiting receivers; room in the ring and waiting senders.
@safe
final class ChannelCore: WaitSource, @unchecked Sendable {
    @safe
    struct State: ~Copyable {
        var ring: UnsafeMutableRawPointer?
        /// Places of the ring, a power of two; they grow on demand up to the capacity, and beyond it by elements that
        /// were given back.
        var slots = 0
        var head = 0
        var count = 0
        var receivers = WaitList()
        var senders = WaitList()
        /// Nothing more is sent.
        var isClosed = false
        /// Nothing more is received.
        var isAbandoned = false
        /// Open ends, where the channel was split.
        var senderEnds = 0
        var receiverEnds = 0
    }

    let capacity: Int
    private let stride: Int
    private let alignment: Int
    private let mover: @Sendable (_ to: UnsafeMutableRawPointer, _ from: UnsafeMutableRawPointer) -> Void
    private let destroyer: @Sendable (UnsafeMutableRawPointer) -> Void

    private let lock = Mutex(())
    /// Guarded by `lock`.
    private let state = Pinned(State())

    /// Says to a waiter that the channel was closed.
    static let closed = Completion(1)

    init<Element>(of type: Element.Type, capacity: Int) {
        precondition(capacity >= 0, "a channel's capacity is not negative")
        self.capacity = capacity
        stride = MemoryLayout<Element>.stride
        alignment = MemoryLayout<Element>.alignment
        unsafe mover = { to, from in
            unsafe to.assumingMemoryBound(to: Element.self)
                .moveInitialize(from: from.assumingMemoryBound(to: Element.self), count: 1)
        }
        unsafe destroyer = { unsafe $0.assumingMemoryBound(to: Element.self).deinitialize(count: 1) }
    }

    deinit {
        unsafe destroy(state.value.ring, state.value.head, state.value.count, state.value.slots)
        state.destroy()
    }

    // MARK: Now

    /// An element's way in or out, with the lock held. `end…` must follow.
    @safe
    struct Transfer: ~Copyable {
        fileprivate let place: UnsafeMutableRawPointer
        /// Who waits at the other side; nil when that is the ring.
        fileprivate let partner: Wakeup?

        @inline(__always)
        func put<Element>(_ element: Element) {
            unsafe place.assumingMemoryBound(to: Element.self).initialize(to: element)
        }

        @inline(__always)
        func take<Element>(_ type: Element.Type) -> Element {
            unsafe place.assumingMemoryBound(to: Element.self).move()
        }
    }

    enum Attempt: ~Copyable {
        case go(Transfer)
        case wait
        case closed
    }

    @inline(__always)
    func beginSend() -> Attempt {
        lock._unsafeLock()
        if state.value.isClosed {
            lock._unsafeUnlock()
            return .closed
        }
        if let receiver = state.value.receivers.popFirst() {
            let place = unsafe receiver.room
            return unsafe .go(Transfer(place: place, partner: receiver))
        }
        if state.value.count < capacity {
            if state.value.count == state.value.slots { grow() }
            return unsafe .go(Transfer(place: slot(state.value.head &+ state.value.count), partner: nil))
        }
        lock._unsafeUnlock()
        return .wait
    }

    @inline(__always)
    func endSend(_ transfer: consuming Transfer) {
        guard let receiver = transfer.partner else {
            state.value.count &+= 1
            lock._unsafeUnlock()
            return
        }
        lock._unsafeUnlock()
        receiver.wake()
    }

    @inline(__always)
    func beginReceive() -> Attempt {
        lock._unsafeLock()
        if state.value.count > 0 {
            return unsafe .go(Transfer(place: slot(state.value.head), partner: nil))
        }
        if let sender = state.value.senders.popFirst() {
            let place = unsafe sender.room
            return unsafe .go(Transfer(place: place, partner: sender))
        }
        let isClosed = state.value.isClosed
        lock._unsafeUnlock()
        return isClosed ? .closed : .wait
    }

    @inline(__always)
    func endReceive(_ transfer: consuming Transfer) {
        if let sender = transfer.partner {
            lock._unsafeUnlock()
            return sender.wake()
        }
        state.value.head = (state.value.head &+ 1) & (state.value.slots &- 1)
        state.value.count &-= 1
        if state.value.senders.isEmpty || state.value.count >= capacity {
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
            unsafe mover(slot(state.value.head &+ state.value.count), sender.room)
            state.value.count &+= 1
            lock._unsafeUnlock()
            return sender.wake()
        }
        lock._unsafeUnlock()
    }

    // MARK: Waiting

    private static let receiving: UInt8 = 0
    private static let sending: UInt8 = 1

    /// Queues the node, into whose room an element comes. False when there is one, or nothing more comes.
    func enqueueReceiver(_ node: WaitNode) -> Bool {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        if state.value.count > 0 || state.value.isClosed || state.value.senders.hasWaiter(besides: node) {
            return false
        }
        _ = unsafe node.makeRoom(size: stride, alignment: alignment)
        node.list = Self.receiving
        state.value.receivers.append(node)
        return true
    }

    /// Queues the node with a copy of `element` in its room. False when it can be sent now, or never.
    func enqueueSender<Element>(_ node: WaitNode, with element: Element) -> Bool {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        if state.value.count < capacity || state.value.isClosed
            || state.value.receivers.hasWaiter(besides: node)
        {
            return false
        }
        node.makeRoom(with: element)
        node.list = Self.sending
        state.value.senders.append(node)
        return true
    }

    func withdraw(_ node: WaitNode) -> Bool {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        return node.list == Self.receiving
            ? state.value.receivers.remove(node) : state.value.senders.remove(node)
    }

    /// A receiver was woken with an element and does not take it: it goes to the next one, or back to the front.
    func giveBack(from node: WaitNode) {
        lock._unsafeLock()
        if let receiver = state.value.receivers.popFirst() {
            unsafe mover(receiver.room, node.filledRoom)
            lock._unsafeUnlock()
            return receiver.wake()
        }
        if state.value.isAbandoned {
            lock._unsafeUnlock()
            return discard(of: node)
        }
        if state.value.count == state.value.slots { grow() }
        state.value.head = (state.value.head &- 1) & (state.value.slots &- 1)
        unsafe mover(slot(state.value.head), node.filledRoom)
        state.value.count &+= 1
        lock._unsafeUnlock()
    }

    /// A sender gives up, and its element is still in its room.
    func discard(of node: WaitNode) { unsafe destroyer(node.filledRoom) }

    // MARK: Ends

    /// Nothing more is sent. What is in the ring can still be received.
    func close() { end(abandoning: false) }

    /// Nothing more is received. What is in the ring is dropped.
    func abandon() { end(abandoning: true) }

    private func end(abandoning: Bool) {
        lock._unsafeLock()
        state.value.isClosed = true
        if abandoning { state.value.isAbandoned = true }
        let receivers = state.value.receivers.popAll()
        let senders = state.value.senders.popAll()
        let (ring, head, count, slots) = unsafe (
            state.value.ring, state.value.head, state.value.count, state.value.slots
        )
        if abandoning {
            unsafe state.value.ring = nil
            state.value.slots = 0
            state.value.head = 0
            state.value.count = 0
        }
        lock._unsafeUnlock()
        receivers.wake(Self.closed)
        senders.wake(Self.closed)
        if abandoning { unsafe destroy(ring, head, count, slots) }
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

    var count: Int { locked { $0.count } }
    var isClosed: Bool { locked { $0.isClosed } }
    var balance: Int { locked { $0.senders.count &- $0.receivers.count } }

    private func locked<Result>(_ body: (borrowing State) -> Result) -> Result {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        return body(state.value)
    }

    // MARK: The ring

    @inline(__always)
    private func slot(_ index: Int) -> UnsafeMutableRawPointer {
        unsafe state.value.ring.unsafelyUnwrapped + (index & (state.value.slots &- 1)) &* stride
    }

    @inline(never)
    private func grow() {
        let slots = max(8, state.value.slots * 2)
        let ring = UnsafeMutableRawPointer.allocate(byteCount: slots * max(stride, 1), alignment: alignment)
        for index in 0..<state.value.count {
            unsafe mover(ring + index * stride, slot(state.value.head &+ index))
        }
        unsafe state.value.ring?.deallocate()
        unsafe state.value.ring = ring
        state.value.slots = slots
        state.value.head = 0
    }

    private func destroy(_ ring: UnsafeMutableRawPointer?, _ head: Int, _ count: Int, _ slots: Int) {
        guard let ring = unsafe ring else { return }
        for index in 0..<count { unsafe destroyer(ring + ((head + index) & (slots - 1)) * stride) }
        unsafe ring.deallocate()
    }
}
