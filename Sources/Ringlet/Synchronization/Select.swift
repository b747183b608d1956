/// One of the things that ``select(_:deadline:)-(_,_)`` waits for.
public struct SelectCase<Result> {
    let core: ChannelCore
    /// What to do when it can be done at once; nil when it must wait.
    fileprivate let attempt: () throws -> (() throws -> Result)?
    /// Queues a branch. False when it can be done at once.
    fileprivate let enqueue: (WaitNode) -> Bool
    /// What to do when the branch was woken.
    fileprivate let finish: (WaitNode) throws -> Result
    /// The branch was woken with something that is not taken. False when it must be.
    fileprivate let refuse: (WaitNode) -> Bool
    /// The branch was queued and another one was woken.
    fileprivate let drop: (WaitNode) -> Void

    /// To receive an element, with which `body` is called; with nil when the channel is closed and nothing more comes.
    public static func receive<Element>(
        from channel: Channel<Element>, _ body: @escaping (Element?) throws -> Result
    ) -> SelectCase { receiving(from: channel.core, body) }

    /// To send `element`; `body` is called when it is sent.
    public static func send<Element>(
        _ element: Element, to channel: Channel<Element>, _ body: @escaping () throws -> Result
    ) -> SelectCase { sending(element, to: channel.core, body) }

    /// To get an element, with which `body` is called; with nil when the queue was shut down and nothing more comes.
    public static func get<Element>(
        from queue: Queue<Element>, _ body: @escaping (Element?) throws -> Result
    ) -> SelectCase { receiving(from: queue.core, body) }

    /// To put `element`; `body` is called when it is in the queue.
    public static func put<Element>(
        _ element: Element, in queue: Queue<Element>, _ body: @escaping () throws -> Result
    ) -> SelectCase { sending(element, to: queue.core, body) }

    private static func receiving<Element>(
        from core: ChannelCore, _ body: @escaping (Element?) throws -> Result
    ) -> SelectCase {
        SelectCase(
            core: core,
            attempt: {
                switch core.takeNow(Element.self) {
                case .element(let element): { try body(element) }
                case .ended: { try body(nil) }
                case .wait: nil
                }
            },
            enqueue: { core.enqueueReceiver($0) },
            finish: { try body($0.outcome.result == 0 ? $0.take(Element.self) : nil) },
            refuse: { branch in
                if branch.outcome.result == 0 { core.giveBack(FilledRoom(of: branch)) }
                return true
            },
            drop: { _ in })
    }

    private static func sending<Element>(
        _ element: Element, to core: ChannelCore, _ body: @escaping () throws -> Result
    ) -> SelectCase {
        SelectCase(
            core: core,
            attempt: { try core.trySend(element) ? body : nil },
            enqueue: { core.enqueueSender($0, with: element) },
            finish: { branch in
                if branch.outcome.result == 0 { return try body() }
                core.discard(FilledRoom(of: branch))
                throw core.ended
            },
            // Sent is sent.
            refuse: { _ in false },
            drop: { core.discard(FilledRoom(of: $0)) })
    }
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
public func select<Result>(_ cases: SelectCase<Result>..., deadline: Deadline = .never) throws -> Result {
    while true {
        if let ready = try firstReady(of: cases) { return try ready() }
        let wait = SelectWait(cases)
        let completion = wait.selection.wait("select(…)", deadline: deadline) { wait.begin($0) }
        if let result = try wait.end(completion, deadline) { return result }
    }
}

/// Does the first of `cases` that can be done, and waits for one. In a task.
///
/// - Returns: As the synchronous form.
/// - Throws: As the synchronous form.
public func select<Result>(_ cases: SelectCase<Result>..., deadline: Deadline = .never) async throws -> Result {
    while true {
        if let ready = try firstReady(of: cases) { return try ready() }
        let wait = SelectWait(cases)
        let completion = await wait.selection.wait(deadline: deadline) { wait.begin($0) }
        if let result = try wait.end(completion, deadline) { return result }
    }
}

/// Does the first of `cases` that can be done at once; `otherwise` when there is none. Never waits. Any thread.
public func select<Result>(_ cases: SelectCase<Result>..., otherwise: () throws -> Result) throws -> Result {
    if let ready = try firstReady(of: cases) { return try ready() }
    return try otherwise()
}

private func firstReady<Result>(of cases: [SelectCase<Result>]) throws -> (() throws -> Result)? {
    for one in cases { if let ready = try one.attempt() { return ready } }
    return nil
}

/// A wait for one of several cases, each with a branch in the list of its channel.
private final class SelectWait<Result> {
    let selection = Selection()
    private let cases: [SelectCase<Result>]
    private var branches: [WaitNode] = []
    private var isOver = false

    init(_ cases: [SelectCase<Result>]) { self.cases = cases }

    /// Queues the branches. False when one of them need not wait: then none does.
    func begin(_ node: WaitNode) -> Bool {
        selection.begin(node)
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

    /// The result; nil when there was no wait, and the cases are to be looked at anew.
    func end(_ completion: Completion, _ deadline: Deadline) throws -> Result? {
        let winner = isOver || completion.result < 0 ? nil : Int(completion.result)
        for (place, branch) in branches.enumerated() where place != winner {
            _ = cases[place].core.withdraw(branch)
            cases[place].drop(branch)
        }
        guard let winner, winner < branches.count else {
            if completion.result >= 0 && completion.reason == .none { return nil }
            throw completion.refusal(deadline)
        }
        if completion.isRefused && cases[winner].refuse(branches[winner]) {
            throw completion.refusal(deadline)
        }
        return try cases[winner].finish(branches[winner])
    }
}
