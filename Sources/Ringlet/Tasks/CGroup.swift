import Glibc
import Synchronization

/// Tasks of C that are waited for and cancelled together. Any thread.
///
/// Unlike a ``Group`` it has no body that opens it: it may be empty, and filled again.
@_spi(C)
public final class CGroup: WaitSource {
    private struct State: ~Copyable {
        /// Those that have not ended, at their places; nil at places that are free.
        var children: [CFiber?] = []
        var freePlaces: [Int32] = []
        var live = 0
        var isCancelled = false
        var waiters = WaitList()
    }

    private let state = Mutex(State())

    public init() { Fork.watch() }

    // MARK: For its children

    /// Takes in a fiber that has not started, and that ends before it begins in a group that is cancelled.
    public func add(_ fiber: CFiber) {
        let (place, isCancelled) = state.withLock { state in
            state.live += 1
            if let place = state.freePlaces.popLast() {
                state.children[Int(place)] = fiber
                return (place, state.isCancelled)
            }
            state.children.append(fiber)
            return (Int32(state.children.count - 1), state.isCancelled)
        }
        fiber.joins(self, at: place)
        if isCancelled { fiber.cancel() }
    }

    /// The child has ended, and can be joined.
    func childEnded(_ place: Int32) {
        // The last reference may go with it, outside the lock.
        var child: CFiber?
        let wakeups: Wakeups? = state.withLock { state in
            swap(&child, &state.children[Int(place)])
            state.freePlaces.append(place)
            state.live -= 1
            return state.live == 0 ? state.waiters.popAll() : nil
        }
        wakeups?.wake()
    }

    // MARK: For its users

    public var isEmpty: Bool { state.withLock { $0.live == 0 } }

    /// Cancels all children, those to come, too.
    public func cancel() -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        let children = state.withLock { state -> [CFiber?] in
            if state.isCancelled { return [] }
            state.isCancelled = true
            return state.children
        }
        for child in children { child?.cancel() }
        return 0
    }

    /// Waits until all children have ended.
    public func wait(deadline: Int64) -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        if isEmpty { return 0 }
        // It would wait for itself.
        if CFiber.withRunning({ $0.groupOfTasks === self }) ?? false { return -EDEADLK }
        return wait(forC: Deadline(c: deadline)) { node in
            state.withLock { state in
                if state.live == 0 { return false }
                state.waiters.append(node)
                return true
            }
        }.code
    }

    func withdraw(_ node: WaitNode) -> Bool { state.withLock { $0.waiters.remove(node) } }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        let (live, fibers) = state.withLock { ($0.live, $0.children.compactMap { $0?.id }) }
        let name = WaitDescription.name("group", self)
        return WaitDescription("the \(live) \(live == 1 ? "task" : "tasks") of \(name)", .group, fibers: fibers)
    }
}
