import CContext

/// What other threads have for one that has coroutines and generators.
///
/// Behind a lock of the process: another thread may hold it at a fork, and is not in the child.
final class RawThreadInbox: Sendable {
    struct Content {
        /// Dropped elsewhere; the thread unwinds them.
        var dropped: [RawContext] = []
        var hasExited = false
    }

    let content: PlainLock<Content>

    init(_ content: Content = Content()) {
        self.content = PlainLock(content)
    }

    deinit {
        content.destroy()
    }

    /// The same in the child of a fork, where the thread with these words has exited unless it is the one that forked.
    /// What was being dropped at the fork is leaked.
    func inChild(ofThread words: UInt) -> RawThreadInbox {
        var content = content.withLockIfAvailable { $0 } ?? Content()
        if words != UInt(bitPattern: unsafe cctx_raw_forker()) {
            content.hasExited = true
            content.dropped = []
        }
        return RawThreadInbox(content)
    }
}
