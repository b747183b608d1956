/// The nodes of one worker for tasks that wait on it, and of those that park the nodes themselves. For the worker's
/// thread.
///
/// Each place has a generation, which moves on when a wait ends. So a token that is kept too long, as by a
/// cancellation on its way from another thread, names nothing.
struct TaskNodes: ~Copyable {
    @safe
    struct Place: BitwiseCopyable {
        /// One reference, as long as the place has a node.
        var node: Unmanaged<WaitNode>?
        var generation: UInt32 = 0
        var nextFree: UInt32 = 0
        var isTaken = false
    }

    private var places: HotArray<Place>
    private var firstFree = Self.end
    private var count = 0

    /// Nodes of places beyond this are given back to malloc(3) after their wait.
    private static let keptPlaces = 1024
    private static let end = UInt32.max

    init() {
        places = HotArray(repeating: Place(), capacity: 64)
    }

    /// A node for the task that parks now, and the wait's token.
    mutating func take(for task: ParkedTask, on worker: Worker) -> (WaitNode, OperationToken) {
        let token = takePlace()
        let at = token.index
        if let kept = unsafe places[at].node {
            let node = unsafe kept.takeUnretainedValue()
            node.serves(task, of: worker)
            return (node, token)
        }
        let node = WaitNode(of: task, on: worker)
        unsafe places[at].node = Unmanaged.passRetained(node)
        return (node, token)
    }

    /// Notes the node of a task that waits by a continuation.
    mutating func hold(_ node: WaitNode) -> OperationToken {
        let token = takePlace()
        if let kept = unsafe places[token.index].node { unsafe kept.release() }
        unsafe places[token.index].node = Unmanaged.passRetained(node)
        return token
    }

    @inline(__always)
    private mutating func takePlace() -> OperationToken {
        if firstFree == Self.end { addPlace() }
        let index = firstFree
        firstFree = places[Int(index)].nextFree
        places[Int(index)].isTaken = true
        return OperationToken(index: index, generation: places[Int(index)].generation)
    }

    /// The wait has ended.
    mutating func putBack(_ token: OperationToken) {
        let at = token.index
        places[at].generation = (places[at].generation &+ 1) & OperationToken.generationMask
        places[at].isTaken = false
        places[at].nextFree = firstFree
        firstFree = UInt32(truncatingIfNeeded: at)
        if let node = unsafe places[at].node,
            unsafe at >= Self.keptPlaces || !node._withUnsafeGuaranteedRef({ $0.isKept })
        {
            unsafe places[at].node = nil
            unsafe node.release()
        }
    }

    /// The node of a wait that lasts.
    func node(of token: OperationToken) -> WaitNode? {
        let at = token.index
        guard at < count, places[at].isTaken, places[at].generation == token.generation else { return nil }
        return unsafe places[at].node?.takeUnretainedValue()
    }

    /// The nodes of all waits that last. O(places): for shutdown.
    var waiting: [WaitNode] {
        (0..<count).compactMap { at in
            places[at].isTaken ? unsafe places[at].node?.takeUnretainedValue() : nil
        }
    }

    @inline(never)
    private mutating func addPlace() {
        if count == places.capacity { places.grow(to: count * 2, filling: Place()) }
        places[count].nextFree = Self.end
        firstFree = UInt32(count)
        count += 1
    }

    deinit {
        for at in 0..<count { unsafe places[at].node?.release() }
        places.deallocate()
    }
}
