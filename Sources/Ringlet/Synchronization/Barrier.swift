import Synchronization

/// A point that a number of strands pass together, again and again.
///
/// Any thread.
public final class Barrier: WaitSource {
    private struct State: ~Copyable {
        var waiters = WaitList()
        var waiting = 0
        var isBroken = false
    }

    private let state = Mutex(State())

    /// What breaks a wait, among completions that are indices.
    private static let broken = Int32.max

    /// How many pass together.
    public let parties: Int

    /// - Parameter parties: How many pass together; positive.
    public init(parties: Int) {
        precondition(parties > 0, "a barrier needs at least one party")
        self.parties = parties
    }

    /// How many wait now.
    public var waiting: Int { state.withLock { $0.waiting } }

    /// True from ``abort()`` to ``reset()``.
    public var isBroken: Bool { state.withLock { $0.isBroken } }

    /// Waits until as many have come as there are parties. In a fiber or on a plain thread.
    ///
    /// - Returns: In which place this one came, from 0; each place is given once.
    /// - Throws: ``BarrierError/broken``; `CancellationError` and ``TimeoutError`` when the wait ends early: then the
    ///   others wait for one more. Who passed in the same turn has passed.
    @available(*, noasync, message: "in a task, await barrier.wait()")
    @discardableResult
    public func wait(deadline: Deadline = .never) throws -> Int {
        if let passed = arrive(nil) { return try place(passed, deadline) }
        var last: Completion?
        let completion = wait("barrier.wait()", deadline: deadline) { node in
            last = arrive(node)
            return last == nil
        }
        return try place(last ?? completion, deadline)
    }

    /// Waits until as many have come as there are parties. In a task.
    ///
    /// - Returns: As the synchronous form.
    /// - Throws: As the synchronous form.
    @discardableResult
    public func wait(deadline: Deadline = .never) async throws -> Int {
        if let passed = arrive(nil) { return try place(passed, deadline) }
        var last: Completion?
        let completion = await wait(deadline: deadline) { node in
            last = arrive(node)
            return last == nil
        }
        return try place(last ?? completion, deadline)
    }

    /// Breaks the waits of those who wait now. The next ones begin anew.
    public func reset() { breakWaits(for: false) }

    /// Breaks the waits of those who wait now, and of all who come until ``reset()``.
    public func abort() { breakWaits(for: true) }

    private func breakWaits(for good: Bool) {
        let all = state.withLock { state in
            state.isBroken = good
            state.waiting = 0
            return state.waiters.popAll()
        }
        all.wake(Completion(Self.broken))
    }

    /// Queues the node, if there is one; or the completion of a wait that is over before it begins.
    private func arrive(_ node: WaitNode?) -> Completion? {
        var outcome: Completion?
        let all: Wakeups? = state.withLock { state in
            if state.isBroken {
                outcome = Completion(Self.broken)
                return nil
            }
            if state.waiting + 1 < parties {
                if let node {
                    state.waiting += 1
                    state.waiters.append(node)
                }
                return nil
            }
            outcome = Completion(Int32(parties - 1))
            state.waiting = 0
            return state.waiters.popAll()
        }
        all?.wake { Completion(Int32($0)) }
        return outcome
    }

    func withdraw(_ node: WaitNode) -> Bool {
        state.withLock { state in
            guard state.waiters.remove(node) else { return false }
            state.waiting -= 1
            return true
        }
    }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription("the others at \(WaitDescription.name("barrier", self)), \(waiting) of \(parties)")
    }

    private func place(_ completion: Completion, _ deadline: Deadline) throws -> Int {
        try completion.orThrow(deadline)
        if completion.result == Self.broken { throw BarrierError.broken }
        return Int(completion.result)
    }
}

/// A barrier's wait that will not end as it should.
public enum BarrierError: Error, Hashable, Sendable, CustomStringConvertible {
    /// ``Barrier/reset()`` or ``Barrier/abort()`` was called during the wait, or `abort` before it.
    case broken

    public var description: String { "the barrier is broken" }
}
