/// Waiters in the order in which they came. Guarded by a lock of its owner, which also guards what they wait for.
///
///     let wakeup = state.withLock { state -> Wakeup? in
///         if let wakeup = state.waiters.popFirst() { return wakeup }     // hand it over
///         state.isFree = true
///         return nil
///     }
///     wakeup?.wake()                                                   // after the lock was given up
///
/// A node in a list is owned by it. A list ends with no nodes in it but those of calls that will not be made any more: a
/// waiter holds on to where it waits.
@safe
struct WaitList: ~Copyable {
    // Plain words, so that walking the list counts no references.
    private var first: Unmanaged<WaitNode>?
    private var last: Unmanaged<WaitNode>?

    @inline(__always)
    var isEmpty: Bool { unsafe first == nil }

    /// How many wait. O(waiters).
    var count: Int {
        var count = 0
        var node = unsafe first
        while let current = unsafe node {
            count += 1
            unsafe node = current._withUnsafeGuaranteedRef { unsafe $0.next }
        }
        return count
    }

    /// Queues the node behind all others.
    @inline(__always)
    mutating func append(_ node: WaitNode) {
        let added = unsafe Unmanaged.passUnretained(node)
        if !node.isKept { _ = unsafe added.retain() }
        node.isQueued = true
        unsafe node.previous = last
        unsafe node.next = nil
        if let last = unsafe last {
            unsafe last._withUnsafeGuaranteedRef { unsafe $0.next = added }
        } else {
            unsafe first = added
        }
        unsafe last = added
    }

    /// Takes out who has waited longest.
    @inline(__always)
    mutating func popFirst() -> Wakeup? {
        while let node = unsafe first {
            let isClaimed = unsafe node._withUnsafeGuaranteedRef { node in
                node.isQueued = false
                unsafe first = node.next
                if let next = unsafe node.next {
                    unsafe next._withUnsafeGuaranteedRef { unsafe $0.previous = nil }
                } else {
                    unsafe last = nil
                }
                unsafe node.next = nil
                return node.claim()
            }
            if isClaimed { return unsafe Wakeup(node) }
            // A branch of a wait that is over.
            unsafe node.release()
        }
        return nil
    }

    /// Whether anybody waits who is not a branch of the same wait as `node`.
    @inline(__always)
    func hasWaiter(besides node: WaitNode) -> Bool {
        if isEmpty { return false }
        return node.selection == nil || hasWaiter(outside: node.selection)
    }

    @inline(never)
    private func hasWaiter(outside selection: Selection?) -> Bool {
        var node = unsafe first
        while let current = unsafe node {
            if unsafe current._withUnsafeGuaranteedRef({ $0.selection !== selection }) { return true }
            unsafe node = current._withUnsafeGuaranteedRef { unsafe $0.next }
        }
        return false
    }

    /// Takes the node back, whose waiter gives up. False when it is not queued any more.
    mutating func remove(_ node: WaitNode) -> Bool {
        guard node.isQueued else { return false }
        node.isQueued = false
        let next = unsafe node.next
        let previous = unsafe node.previous
        if let next = unsafe next {
            unsafe next._withUnsafeGuaranteedRef { unsafe $0.previous = previous }
        } else {
            unsafe last = previous
        }
        if let previous = unsafe previous {
            unsafe previous._withUnsafeGuaranteedRef { unsafe $0.next = next }
        } else {
            unsafe first = next
        }
        unsafe node.next = nil
        unsafe node.previous = nil
        // Not the last reference: the caller has one.
        if !node.isKept { unsafe Unmanaged.passUnretained(node).release() }
        return true
    }

    deinit {
        var node = unsafe first
        while let current = unsafe node {
            unsafe node = current._withUnsafeGuaranteedRef { unsafe $0.next }
            unsafe precondition(
                !current._withUnsafeGuaranteedRef { $0.isKept }, "a list with a waiter in it must not be destroyed")
            unsafe current.release()
        }
    }

    /// Takes out all of them.
    mutating func popAll() -> Wakeups {
        let all = unsafe Wakeups(first)
        var node = unsafe first
        while let current = unsafe node {
            unsafe node = current._withUnsafeGuaranteedRef { node in
                node.isQueued = false
                return unsafe node.next
            }
        }
        unsafe first = nil
        unsafe last = nil
        return all
    }
}

/// The right, and the duty, to wake a waiter that was taken out of its list.
@safe
struct Wakeup: ~Copyable, @unchecked Sendable {
    private let node: Unmanaged<WaitNode>

    @inline(__always)
    fileprivate init(_ node: Unmanaged<WaitNode>) { unsafe self.node = node }

    /// Any thread, after the list's lock was given up.
    @inline(__always)
    consuming func wake(_ completion: Completion = Completion(0)) {
        let node = unsafe node
        discard self
        unsafe Self.wake(node, completion)
    }

    /// Where an element lies that the waiter sends, or is to lie that it receives. Under the list's lock.
    @inline(__always)
    var room: UnsafeMutableRawPointer { unsafe node._withUnsafeGuaranteedRef { unsafe $0.filledRoom } }

    /// As a plain word, which must become a wake-up again.
    @inline(__always)
    consuming func suspended() -> UnsafeRawPointer {
        let node = unsafe node
        discard self
        return unsafe UnsafeRawPointer(node.toOpaque())
    }

    @inline(__always)
    init?(resumed word: UnsafeRawPointer?) {
        guard let word = unsafe word else { return nil }
        unsafe node = .fromOpaque(word)
    }

    @inline(__always)
    fileprivate static func wake(_ node: Unmanaged<WaitNode>, _ completion: Completion) {
        // A kept node may be in another list, or gone with its waiter, as soon as that is awake.
        let isKept = unsafe node._withUnsafeGuaranteedRef { $0.isKept }
        unsafe node._withUnsafeGuaranteedRef { $0.wake(completion) }
        if !isKept { unsafe node.release() }
    }

    deinit {
        // In words that the compiler does not take for a trap whatever happens, which it warns about.
        unsafe precondition(UInt(bitPattern: node.toOpaque()) == 0, "a waiter was taken out of its list and not woken")
    }
}

/// The right, and the duty, to wake all that were taken out of a list, in the order in which they came.
@safe
struct Wakeups: ~Copyable, @unchecked Sendable {
    private var first: Unmanaged<WaitNode>?

    fileprivate init(_ first: Unmanaged<WaitNode>?) { unsafe self.first = first }

    /// Any thread, after the list's lock was given up.
    consuming func wake(_ completion: Completion = Completion(0)) { wake { _ in completion } }

    /// The same, with the completion for each place in the order, from 0.
    consuming func wake(_ completion: (Int) -> Completion) {
        var rest = unsafe first
        var place = 0
        discard self
        while let node = unsafe rest {
            // Read before the wake: a kept node may be queued elsewhere at once.
            unsafe rest = node._withUnsafeGuaranteedRef { node in
                let next = unsafe node.next
                unsafe node.next = nil
                unsafe node.previous = nil
                return unsafe next
            }
            if unsafe node._withUnsafeGuaranteedRef({ $0.claim() }) {
                unsafe Wakeup.wake(node, completion(place))
            } else {
                unsafe node.release()
            }
            place += 1
        }
    }

    deinit {
        unsafe precondition(first == nil, "waiters were taken out of their list and not woken")
    }
}
