// Sending and receiving with a wait, for channels and queues.

/// What came of looking for an element.
enum Reception<Element> {
    case element(Element)
    /// There is none yet.
    case wait
    /// There will be none.
    case ended
}

extension ChannelCore {
    // MARK: Sending

    /// False when it would have to wait.
    @inline(__always)
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
    @inline(__always)
    func send<Element>(_ element: Element, _ call: StaticString, _ deadline: Deadline) throws {
        while true {
            if try trySend(element) {
                // It went to who waited, who goes on first: a rendezvous is not over before that.
                if capacity == 0 { FiberRef.current?.letOthersRun() }
                return
            }
            var queued: WaitNode?
            let completion = wait(call, deadline: deadline) { node in
                guard enqueueSender(node, with: element) else { return false }
                queued = node
                return true
            }
            if try sent(by: queued, completion, deadline) { return }
        }
    }

    /// In a task.
    @inline(__always)
    func send<Element>(_ element: Element, _ deadline: Deadline) async throws {
        while true {
            if try trySend(element) { return }
            var queued: WaitNode?
            let completion = await wait(deadline: deadline) { node in
                guard enqueueSender(node, with: element) else { return false }
                queued = node
                return true
            }
            if try sent(by: queued, completion, deadline) { return }
        }
    }

    /// After a sender's wait: whether its element was sent; false when it has not waited.
    private func sent(by queued: WaitNode?, _ completion: Completion, _ deadline: Deadline) throws -> Bool {
        guard let queued else {
            if completion.isTaken { return false }
            throw completion.refusal(deadline)
        }
        if completion.result == 0 { return true }
        // Still in its room: the sender was taken back, or woken by the close.
        discard(of: queued)
        throw completion.result > 0 ? ended : completion.refusal(deadline)
    }

    // MARK: Receiving

    @inline(__always)
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
    @inline(__always)
    func now<Element>(_ reception: Reception<Element>) throws -> Element? {
        switch reception {
        case .element(let element): return element
        case .wait: return nil
        case .ended: throw ended
        }
    }

    /// In a fiber or on a plain thread.
    @inline(__always)
    func receive<Element>(_ type: Element.Type, _ call: StaticString, _ deadline: Deadline) throws -> Element {
        while true {
            if let element = try now(takeNow(type)) { return element }
            var queued: WaitNode?
            let completion = wait(call, deadline: deadline) { node in
                guard enqueueReceiver(node) else { return false }
                queued = node
                return true
            }
            if let filled = try filled(queued, completion, deadline) { return filled.take(Element.self) }
        }
    }

    /// In a task.
    @inline(__always)
    func receive<Element>(_ type: Element.Type, _ deadline: Deadline) async throws -> Element {
        while true {
            if let element = try now(takeNow(type)) { return element }
            var queued: WaitNode?
            let completion = await wait(deadline: deadline) { node in
                guard enqueueReceiver(node) else { return false }
                queued = node
                return true
            }
            if let filled = try filled(queued, completion, deadline) { return filled.take(Element.self) }
        }
    }

    /// After a receiver's wait: the node with its element; nil when it has not waited.
    private func filled(_ queued: WaitNode?, _ completion: Completion, _ deadline: Deadline) throws -> WaitNode? {
        if let queued, completion.result == 0 {
            if completion.isTaken { return queued }
            giveBack(from: queued)
        }
        if completion.result > 0 { throw ended }
        if completion.isTaken { return nil }
        throw completion.refusal(deadline)
    }
}
