import Synchronization

/// Work for a worker from any thread, and the protocol by which a sleeping worker is woken.
///
/// A stack of intrusive links that producers push with compare-and-swap and the worker takes whole.
///
/// Parking, in three states:
///
///     awake ──(worker: compare-and-swap)──▶ parked ──(producer: exchange)──▶ notified
///       ▲  ▲                                   │                               │
///       │  └──────(worker: exchange, after its wait has returned)──────────────┤
///       └──────────────────────(worker: store, before it drains)───────────────┘
///
/// A producer first pushes, then exchanges the state for `notified`, and signals the eventfd only if it was
/// `parked`. The worker first publishes `parked`, then looks at the queue once more, then sleeps. All
/// four steps are sequentially consistent, so either the producer sees `parked` or the worker sees
/// the push. A worker that finds `notified` instead of `awake` does not sleep.
///
/// `ParkModelTests` tries every order of these steps, and what happens without each of them. On x86-64 the worker's second
/// look finds nothing that its compare-and-swap has not; it is for the memory model, in which the exchange of `drain` may
/// come before the store before it and `isEmpty` may miss a push.
struct InjectionQueue: ~Copyable, Sendable {
    enum State: UInt8, AtomicRepresentable {
        case awake, parked, notified
    }

    /// Head of the stack: a tagged address, or 0. Producers push; the worker takes everything.
    private let head = Atomic<UInt>(0)

    /// Producers write `notified`; the worker writes the other two.
    private let state = Atomic<State>(.awake)

    /// What a sleeping worker wakes from.
    let wake: EventDescriptor

    init() throws(KernelRefusal) {
        wake = try EventDescriptor()
    }

    /// Any thread.
    func push(_ runnable: Runnable) {
        var old = head.load(ordering: .relaxed)
        while true {
            IntrusiveLink.setNext(of: runnable.word, to: old)
            let (exchanged, current) = head.weakCompareExchange(
                expected: old, desired: runnable.word,
                successOrdering: .sequentiallyConsistent, failureOrdering: .relaxed)
            if exchanged { break }
            old = current
        }
        notify()
    }

    /// Wakes the worker even though nothing was pushed. Any thread.
    func notify() {
        if state.exchange(.notified, ordering: .sequentiallyConsistent) == .parked { wake.signal() }
    }

    /// Nobody may reach the queue any more.
    deinit { wake.close() }

    // MARK: The worker's side

    @inline(__always)
    var isEmpty: Bool { head.load(ordering: .relaxed) == 0 }

    /// Moves everything into `queue`, oldest first. True when there was anything.
    @inline(__always)
    func drain(into queue: inout RunQueue) -> Bool {
        if isEmpty { return false }
        // Before the exchange below: a push that comes after it notifies anew.
        state.store(.awake, ordering: .sequentiallyConsistent)
        drainNonEmpty(into: &queue)
        return true
    }

    @inline(never)
    private func drainNonEmpty(into queue: inout RunQueue) {
        var word = head.exchange(0, ordering: .acquiring)
        var reversed: UInt = 0
        while word != 0 {
            let next = IntrusiveLink.next(of: word)
            IntrusiveLink.setNext(of: word, to: reversed)
            reversed = word
            word = next
        }
        while reversed != 0 {
            // Read before the push: the runnable is free to reuse its link word then.
            let next = IntrusiveLink.next(of: reversed)
            queue.push(Runnable(word: reversed))
            reversed = next
        }
    }

    /// Publishes that the worker is about to sleep. False when there is work: it must not.
    func park() -> Bool {
        let (exchanged, _) = state.compareExchange(
            expected: .awake, desired: .parked, ordering: .sequentiallyConsistent)
        guard exchanged, head.load(ordering: .sequentiallyConsistent) == 0 else {
            state.store(.awake, ordering: .sequentiallyConsistent)
            return false
        }
        return true
    }

    /// After the wait.
    func unpark() {
        _ = state.exchange(.awake, ordering: .sequentiallyConsistent)
    }
}
