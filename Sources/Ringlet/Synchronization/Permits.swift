import Synchronization

/// What both semaphores are: a number of free permits, or waiters for one. Any thread.
final class Permits: WaitSource {
    let bound: Int

    /// Free permits; or `contended`, when there are none and `waiters` is not empty. Written by any thread, by
    /// compare-and-exchange; to and from `contended` only under the lock of `waiters`.
    private let free: Atomic<Int>
    private static let contended = -1

    private let waiters = Mutex(WaitList())

    init(_ count: Int, bound: Int) {
        free = Atomic(count)
        self.bound = bound
    }

    var waiting: Int { waiters.withLock { $0.count } }

    var available: Int { max(0, free.load(ordering: .relaxed)) }

    @inline(__always)
    func tryTake() -> Bool {
        var count = free.load(ordering: .relaxed)
        while count > 0 {
            let (taken, found) = free.weakCompareExchange(
                expected: count, desired: count &- 1, successOrdering: .acquiring, failureOrdering: .relaxed)
            if taken { return true }
            count = found
        }
        return false
    }

    /// False when all are free already.
    @inline(__always)
    func giveBack() -> Bool {
        var count = free.load(ordering: .relaxed)
        while count >= 0 {
            if count >= bound { return false }
            let (given, found) = free.weakCompareExchange(
                expected: count, desired: count &+ 1, successOrdering: .releasing, failureOrdering: .relaxed)
            if given { return true }
            count = found
        }
        return handOver()
    }

    @inline(never)
    private func handOver() -> Bool {
        // Else a waiter shows that some are taken.
        if bound == 0 { return false }
        let next: Wakeup? = waiters.withLock { waiters in
            let next = waiters.popFirst()
            if next != nil && waiters.isEmpty { free.store(0, ordering: .relaxed) }
            return next
        }
        guard let next else { return giveBack() }
        next.wake()
        return true
    }

    // MARK: Waiting

    /// From a fiber or a plain thread.
    @inline(never)
    func waitForOne(_ call: StaticString, deadline: Deadline) throws {
        try take(wait(call, deadline: deadline) { enqueue($0) }, deadline)
    }

    /// From a task.
    func waitForOne(deadline: Deadline) async throws {
        try take(await wait(deadline: deadline) { enqueue($0) }, deadline)
    }

    /// For C: 0 with a permit, or why there is none.
    @inline(never)
    func waitForOne(forC deadline: Deadline) -> Int32 {
        let completion = wait(forC: deadline) { enqueue($0) }
        if completion.isTaken { return 0 }
        if completion.isRefused { _ = giveBack() }
        return completion.refusalCode
    }

    /// Queues the node. False when a permit was free: it is the caller's now.
    private func enqueue(_ node: WaitNode) -> Bool {
        waiters.withLock { waiters in
            while true {
                if tryTake() { return false }
                let (marked, found) = free.compareExchange(
                    expected: 0, desired: Self.contended, ordering: .relaxed)
                if marked || found == Self.contended {
                    waiters.append(node)
                    return true
                }
            }
        }
    }

    func withdraw(_ node: WaitNode) -> Bool {
        waiters.withLock { waiters in
            guard waiters.remove(node) else { return false }
            if waiters.isEmpty { free.store(0, ordering: .relaxed) }
            return true
        }
    }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription("a permit of \(WaitDescription.name("semaphore", self))")
    }

    /// The permit that came in the turn in which its waiter was cancelled goes on to the next one.
    private func take(_ completion: Completion, _ deadline: Deadline) throws {
        if completion.isTaken { return }
        if completion.isRefused { _ = giveBack() }
        throw completion.refusal(deadline)
    }
}
