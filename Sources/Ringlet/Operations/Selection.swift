import Synchronization

/// One wait in several lists: whoever claims it first, a waker in one of them or a cancellation, ends it.
///
/// The strand waits with its own node; in each list is a branch, whose waker wakes that. The completion is then the
/// branch's place, and what the waker said is in the branch.
final class Selection: WaitSource {
    /// Written by whoever claims the wait, once.
    private let isClaimed = Atomic<Bool>(false)

    /// Written before the first branch is queued.
    private let waiter = Mutex<WaitNode?>(nil)

    /// True for the first call.
    func claim() -> Bool { !isClaimed.exchange(true, ordering: .acquiringAndReleasing) }

    func begin(_ node: WaitNode) { waiter.withLock { $0 = node } }

    /// The wait is over. The waiter's node may keep this, its source, and would be kept by it.
    func end() { waiter.withLock { $0 = nil } }

    /// For whoever took a branch out of its list and claimed it.
    func wake(_ place: Int) { waiter.withLock { $0 }?.wake(Completion(Int32(place))) }

    /// Ends the wait instead of a branch.
    func withdraw(_ node: WaitNode) -> Bool { claim() }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription("one of the channels of a select")
    }
}
