// Sending and receiving with a wait, for channels and queues. What knows the element's type is inlined into the user's
// code, and does nothing else.

/// What came of looking for an element.
@usableFromInline
enum Reception<Element> {
    case element(Element)
    /// There is none yet.
    case wait
    /// There will be none.
    case ended
}

extension ChannelCore {
    func waitDescription(of node: WaitNode) -> WaitDescription {
        let name = WaitDescription.name(ended is QueueError ? "queue" : "channel", self)
        return switch node.list {
        case Self.receiving: WaitDescription("an element of \(name)")
        case Self.sending: WaitDescription("room in \(name)")
        case Self.watching: WaitDescription("an element to look at in \(name)")
        default: WaitDescription("all elements of \(name) to be done")
        }
    }

    // MARK: Sending

    /// False when it would have to wait.
    @inlinable @inline(__always)
    func trySend<Element>(_ element: Element) throws -> Bool {
        switch beginSend() {
        case .go(let transfer):
            transfer.put(element)
            endSend(transfer)
            return true
        case .wait: return false
        case .closed: throw ended
        }
    }

    /// In a fiber or on a plain thread.
    @inlinable @inline(__always)
    func send<Element>(_ element: Element, _ call: StaticString, _ deadline: Deadline) throws {
        if try trySend(element) {
            if capacity == 0 { letReceiverRun() }
        } else {
            try sendLater(element, call, deadline)
        }
    }

    /// Apart, so that what need not wait saves no registers for it.
    @inlinable @inline(never)
    func sendLater<Element>(_ element: Element, _ call: StaticString, _ deadline: Deadline) throws {
        while try !waitToSend(call, deadline, { enqueueSender($0, with: element) }) {
            if try trySend(element) {
                if capacity == 0 { letReceiverRun() }
                return
            }
        }
    }

    /// In a task.
    @inlinable @inline(__always)
    func send<Element>(_ element: Element, _ deadline: Deadline) async throws {
        repeat {
            if try trySend(element) { return }
        } while try await !waitToSend(deadline, { enqueueSender($0, with: element) })
    }

    /// An element went to who waited, who goes on first: a rendezvous is not over before that.
    @usableFromInline
    func letReceiverRun() { FiberRef.current?.letOthersRun() }

    /// Whether the element was sent; false when it has not waited.
    @usableFromInline
    func waitToSend(_ call: StaticString, _ deadline: Deadline, _ enqueue: (WaitNode) -> Bool) throws -> Bool {
        var queued: FilledRoom?
        let completion = wait(call, deadline: deadline) { node in
            guard enqueue(node) else { return false }
            queued = FilledRoom(of: node)
            return true
        }
        return try sent(by: queued, completion, deadline)
    }

    @usableFromInline
    func waitToSend(_ deadline: Deadline, _ enqueue: (WaitNode) -> Bool) async throws -> Bool {
        var queued: FilledRoom?
        let completion = await wait(deadline: deadline) { node in
            guard enqueue(node) else { return false }
            queued = FilledRoom(of: node)
            return true
        }
        return try sent(by: queued, completion, deadline)
    }

    @inline(__always)
    private func sent(by queued: FilledRoom?, _ completion: Completion, _ deadline: Deadline) throws -> Bool {
        guard let queued else {
            if completion.isTaken { return false }
            throw completion.refusal(deadline)
        }
        if completion.result == 0 {
            queued.leave()
            return true
        }
        // Still in its room: the sender was taken back, or woken by the close.
        discard(queued)
        throw completion.result > 0 ? ended : completion.refusal(deadline)
    }

    // MARK: Receiving

    @inlinable @inline(__always)
    func takeNow<Element>(_ type: Element.Type) -> Reception<Element> {
        switch beginReceive() {
        case .go(let transfer):
            let element = transfer.take(Element.self)
            endReceive(transfer)
            return .element(element)
        case .wait: return .wait
        case .closed: return .ended
        }
    }

    /// Nil when it would have to wait.
    @inlinable @inline(__always)
    func now<Element>(_ reception: Reception<Element>) throws -> Element? {
        switch reception {
        case .element(let element): return element
        case .wait: return nil
        case .ended: throw ended
        }
    }

    /// In a fiber or on a plain thread.
    @inlinable @inline(__always)
    func receive<Element>(_ type: Element.Type, _ call: StaticString, _ deadline: Deadline) throws -> Element {
        if let element = try now(takeNow(type)) { return element }
        return try receiveLater(type, call, deadline)
    }

    @inlinable @inline(never)
    func receiveLater<Element>(_ type: Element.Type, _ call: StaticString, _ deadline: Deadline) throws -> Element {
        while true {
            if let filled = try waitToReceive(call, deadline) { return filled.take(type) }
            if let element = try now(takeNow(type)) { return element }
        }
    }

    /// In a task.
    @inlinable @inline(__always)
    func receive<Element>(_ type: Element.Type, _ deadline: Deadline) async throws -> Element {
        while true {
            if let element = try now(takeNow(type)) { return element }
            if let filled = try await waitToReceive(deadline) { return filled.take(type) }
        }
    }

    /// Where the element is that has come; nil when it has not waited.
    @usableFromInline
    func waitToReceive(_ call: StaticString, _ deadline: Deadline) throws -> FilledRoom? {
        var queued: FilledRoom?
        let completion = wait(call, deadline: deadline) { node in
            guard enqueueReceiver(node) else { return false }
            queued = FilledRoom(of: node)
            return true
        }
        return try filled(queued, completion, deadline)
    }

    @usableFromInline
    func waitToReceive(_ deadline: Deadline) async throws -> FilledRoom? {
        var queued: FilledRoom?
        let completion = await wait(deadline: deadline) { node in
            guard enqueueReceiver(node) else { return false }
            queued = FilledRoom(of: node)
            return true
        }
        return try filled(queued, completion, deadline)
    }

    @inline(__always)
    private func filled(_ queued: FilledRoom?, _ completion: Completion, _ deadline: Deadline) throws -> FilledRoom? {
        if completion.isTaken && completion.result == 0 { return queued }
        if let queued {
            if completion.result == 0 { giveBack(queued) } else { queued.leave() }
        }
        throw completion.result > 0 ? ended : completion.refusal(deadline)
    }
}
