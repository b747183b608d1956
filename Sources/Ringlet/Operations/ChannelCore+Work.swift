import Synchronization

// What queues have beyond channels: a look at the next element, and the count of those that are not done with.

extension ChannelCore {
    // MARK: Watching

    /// A copy of the element whose turn it is.
    func look<Element>(_ type: Element.Type) -> Reception<Element> {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        if !state.value.elements.isEmpty {
            return unsafe .element(state.value.elements.next.assumingMemoryBound(to: Element.self).pointee)
        }
        return state.value.isClosed ? .ended : .wait
    }

    /// Queues the node until an element is in the store. False when one is, or none comes any more.
    func enqueueWatcher(_ node: WaitNode) -> Bool {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        if !state.value.elements.isEmpty || state.value.isClosed { return false }
        node.list = Self.watching
        state.value.watchers.append(node)
        return true
    }

    /// An element has come into the store. With the lock held, which it gives up.
    @inline(never)
    func tellWatchers() {
        let watchers = state.value.watchers.popAll()
        lock._unsafeUnlock()
        watchers.wake()
    }

    // MARK: Work

    /// One element is done with. False when there are no others than those that are.
    func finishOne() -> Bool {
        lock._unsafeLock()
        if state.value.unfinished == 0 {
            lock._unsafeUnlock()
            return false
        }
        finish(1)
        return true
    }

    /// With the lock held, which it gives up. Of elements that are dropped, some may have been said to be done with before
    /// anybody had them.
    func finish(_ count: Int) {
        state.value.unfinished = max(0, state.value.unfinished &- count)
        let joiners = state.value.unfinished == 0 ? state.value.joiners.popAll() : nil
        lock._unsafeUnlock()
        joiners?.wake()
    }

    /// Queues the node until all elements are done with. False when they are.
    func enqueueJoiner(_ node: WaitNode) -> Bool {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        if state.value.unfinished == 0 { return false }
        node.list = Self.joining
        state.value.joiners.append(node)
        return true
    }

    var unfinished: Int { locked { $0.unfinished } }
}
