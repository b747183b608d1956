/// One of the things that `select(_:deadline:)` waits for.
///
/// What knows types is inlined into the user's code; how one of several waits is waited for knows none.
public struct SelectCase<Result> {
    @usableFromInline let branch: SelectBranch
    /// Does it if it can be done at once; nil when it must wait.
    @usableFromInline let attempt: () throws -> Result?
    /// What to do when the branch was woken.
    @usableFromInline let finish: (WaitNode) throws -> Result

    @usableFromInline
    init(
        _ branch: SelectBranch, attempt: @escaping () throws -> Result?,
        finish: @escaping (WaitNode) throws -> Result
    ) {
        self.branch = branch
        self.attempt = attempt
        self.finish = finish
    }

    /// To receive an element, with which `body` is called; with nil when the channel is closed and nothing more comes.
    @inlinable
    public static func receive<Element>(
        from channel: Channel<Element>, _ body: @escaping (Element?) throws -> Result
    ) -> SelectCase { receiving(from: channel.core, body) }

    /// To send `element`; `body` is called when it is sent.
    @inlinable
    public static func send<Element>(
        _ element: Element, to channel: Channel<Element>, _ body: @escaping () throws -> Result
    ) -> SelectCase { sending(element, to: channel.core, body) }

    /// To get an element, with which `body` is called; with nil when the queue was shut down and nothing more comes.
    @inlinable
    public static func get<Element>(
        from queue: Queue<Element>, _ body: @escaping (Element?) throws -> Result
    ) -> SelectCase { receiving(from: queue.core, body) }

    /// To put `element`; `body` is called when it is in the queue.
    @inlinable
    public static func put<Element>(
        _ element: Element, in queue: Queue<Element>, _ body: @escaping () throws -> Result
    ) -> SelectCase { sending(element, to: queue.core, body) }

    @inlinable
    static func receiving<Element>(
        from core: ChannelCore, _ body: @escaping (Element?) throws -> Result
    ) -> SelectCase {
        SelectCase(SelectBranch(receivingFrom: core)) {
            switch core.takeNow(Element.self) {
            case .element(let element): try body(element)
            case .ended: try body(nil)
            case .wait: nil
            }
        } finish: { branch in
            try body(branch.isWokenByClose ? nil : branch.take(Element.self))
        }
    }

    @inlinable
    static func sending<Element>(
        _ element: Element, to core: ChannelCore, _ body: @escaping () throws -> Result
    ) -> SelectCase {
        SelectCase(SelectBranch(sendingTo: core) { core.enqueueSender($0, with: element) }) {
            try core.trySend(element) ? try body() : nil
        } finish: { branch in
            if !branch.isWokenByClose { return try body() }
            core.discard(branch)
            throw core.ended
        }
    }
}

/// A case without its types.
@usableFromInline
struct SelectBranch {
    let core: ChannelCore
    /// Queues a branch. False when it can be done at once.
    let enqueue: (WaitNode) -> Bool
    let isSender: Bool

    @usableFromInline
    init(receivingFrom core: ChannelCore) {
        self.core = core
        enqueue = { core.enqueueReceiver($0) }
        isSender = false
    }

    @usableFromInline
    init(sendingTo core: ChannelCore, enqueue: @escaping (WaitNode) -> Bool) {
        self.core = core
        self.enqueue = enqueue
        isSender = true
    }

    /// The branch was queued, and another one was woken.
    func drop(_ node: WaitNode) {
        _ = core.withdraw(node)
        if isSender { core.discard(node) }
    }

    /// The branch was woken with something that is not taken. False when it must be: sent is sent.
    func refuse(_ node: WaitNode) -> Bool {
        if isSender { return false }
        if !node.isWokenByClose { core.giveBack(FilledRoom(of: node)) }
        return true
    }
}

extension WaitNode {
    @usableFromInline
    var isWokenByClose: Bool { outcome.result != 0 }
}

extension ChannelCore {
    @usableFromInline
    func discard(_ node: WaitNode) { discard(FilledRoom(of: node)) }
}

/// Does the first of `cases` that can be done, in the order written when there are several, and waits for one. In a fiber
/// or on a plain thread.
///
///     let line = try select(
///         .receive(from: lines) { $0 },
///         .receive(from: interrupts) { _ in nil },
///         deadline: .after(.seconds(5)))
///
/// A case that is always ready starves those after it. Those that are not done have no effect.
///
/// - Returns: What the body of the case returns.
/// - Throws: What the body throws; ``ChannelError/closed`` when a channel that a case sends to is closed, and
///   ``QueueError/shutDown`` for a queue; `CancellationError` and ``TimeoutError`` when the wait ends early. Without
///   cases it waits for those.
@available(*, noasync, message: "in a task, await select(…)")
@inlinable
public func select<Result>(_ cases: SelectCase<Result>..., deadline: Deadline = .never) throws -> Result {
    while true {
        for one in cases { if let result = try one.attempt() { return result } }
        if let woken = try SelectWait.wait(for: cases.map(\.branch), deadline) {
            return try cases[woken.place].finish(woken.node)
        }
    }
}

/// Does the first of `cases` that can be done, and waits for one. In a task.
///
/// - Returns: As the synchronous form.
/// - Throws: As the synchronous form.
@inlinable
public func select<Result>(_ cases: SelectCase<Result>..., deadline: Deadline = .never) async throws -> Result {
    while true {
        for one in cases { if let result = try one.attempt() { return result } }
        if let woken = try await SelectWait.wait(for: cases.map(\.branch), deadline) {
            return try cases[woken.place].finish(woken.node)
        }
    }
}

/// Does the first of `cases` that can be done at once; `otherwise` when there is none. Never waits. Any thread.
@inlinable
public func select<Result>(_ cases: SelectCase<Result>..., otherwise: () throws -> Result) throws -> Result {
    for one in cases { if let result = try one.attempt() { return result } }
    return try otherwise()
}

/// A wait for one of several cases, each with a branch in the list of its channel.
@usableFromInline
final class SelectWait {
    private let selection = Selection()
    private let cases: [SelectBranch]
    private var branches: [WaitNode] = []
    private var isOver = false

    private init(_ cases: [SelectBranch]) { self.cases = cases }

    /// Which branch was woken; nil when there was no wait, and the cases are to be looked at anew.
    @usableFromInline
    static func wait(for cases: [SelectBranch], _ deadline: Deadline) throws -> (place: Int, node: WaitNode)? {
        let wait = SelectWait(cases)
        let completion = wait.selection.wait("select(…)", deadline: deadline) { wait.begin($0) }
        return try wait.end(completion, deadline)
    }

    @usableFromInline
    static func wait(for cases: [SelectBranch], _ deadline: Deadline) async throws -> (place: Int, node: WaitNode)? {
        let wait = SelectWait(cases)
        let completion = await wait.selection.wait(deadline: deadline) { wait.begin($0) }
        return try wait.end(completion, deadline)
    }

    /// Queues the branches. False when one of them need not wait: then none does.
    private func begin(_ node: WaitNode) -> Bool {
        selection.begin(node)
        branches.reserveCapacity(cases.count)
        for (place, one) in cases.enumerated() {
            let branch = WaitNode(.branch(selection, place), in: one.core)
            if one.enqueue(branch) {
                branches.append(branch)
            } else if selection.claim() {
                isOver = true
                return false
            } else {
                // A branch before this one is being woken.
                break
            }
        }
        return true
    }

    private func end(_ completion: Completion, _ deadline: Deadline) throws -> (place: Int, node: WaitNode)? {
        selection.end()
        let winner = isOver || completion.result < 0 ? nil : Int(completion.result)
        for (place, branch) in branches.enumerated() where place != winner { cases[place].drop(branch) }
        guard let winner, winner < branches.count else {
            if completion.result >= 0 && completion.reason == .none { return nil }
            throw completion.refusal(deadline)
        }
        if completion.isRefused && cases[winner].refuse(branches[winner]) {
            throw completion.refusal(deadline)
        }
        return (winner, branches[winner])
    }
}
