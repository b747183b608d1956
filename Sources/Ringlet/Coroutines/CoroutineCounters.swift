import CContext
import Synchronization

/// How many coroutines the process has, and what became of those that were dropped.
///
/// Those that have not begun are not counted: they hold nothing but their closure. Nor are generators.
public struct CoroutineCounters: Hashable, Sendable {
    /// Begun and not ended: each has a stack.
    public var live = 0
    /// Of these, those that do not run: suspended in a switch, or waiting for what they resumed.
    public var suspended = 0
    /// Of these, those that were dropped on another thread and wait for their owner, which unwinds
    /// them when it next uses a coroutine or generator, or exits.
    public var waitingForOwner = 0
    /// Of these, those that will never be unwound, so that their stacks and what their frames own
    /// are lost: their thread has exited, or they were dropped and refused to end.
    public var leaked = 0

    /// The figures of the process. Any thread; linear in the number of threads that have used
    /// coroutines.
    public static var current: CoroutineCounters {
        CoroutineCounts.shared.read()
    }
}

/// Where the figures come from.
final class CoroutineCounts: Sendable {
    private static let ofProcess = PerProcess(CoroutineCounts()) { $0.inChild() }

    static var shared: CoroutineCounts { ofProcess.object }

    let live = Atomic<Int>(0)
    let leaked = Atomic<Int>(0)
    /// The threads that have used coroutines or generators and have not exited. Another thread may hold it at a fork.
    private let threads = PlainLock<[Entry]>([])

    deinit {
        threads.destroy()
    }

    /// The same in the child of a fork, which has one of the threads. What was suspended on the others never goes on.
    private func inChild() -> CoroutineCounts {
        let counts = CoroutineCounts()
        let live = live.load(ordering: .relaxed)
        counts.live.store(live, ordering: .relaxed)
        var ofForker = 0
        if let words = unsafe cctx_raw_forker(), let state = unsafe words.pointee.state {
            let thread = unsafe Unmanaged<RawThread>.fromOpaque(state).takeUnretainedValue()
            counts.threads.withLock { $0 = [unsafe Entry(thread: thread, words: words)] }
            ofForker = thread.coroutines.live
        }
        counts.leaked.store(live - ofForker, ordering: .relaxed)
        return counts
    }

    /// A thread, and its words, which it writes alone and others may read while it is listed.
    @safe
    private struct Entry: @unchecked Sendable {
        let thread: RawThread
        let words: UnsafePointer<cctx_raw_thread>
    }

    /// `thread` is the calling one.
    func threadBegins(_ thread: RawThread) {
        let entry = unsafe Entry(thread: thread, words: UnsafePointer(cctx_current_raw_thread()))
        threads.withLock { $0.append(entry) }
    }

    /// The calling thread exits. Nobody can unwind any more what it has left.
    func threadEnds(_ thread: RawThread) {
        threads.withLock { threads in threads.removeAll { $0.thread === thread } }
        leaked.add(thread.coroutines.live, ordering: .relaxed)
    }

    func read() -> CoroutineCounters {
        threads.withLock { threads in
            var counters = CoroutineCounters()
            counters.live = live.load(ordering: .relaxed)
            let running = threads.count { unsafe cctx_raw_is_running($0.words) }
            counters.suspended = max(0, counters.live - running)
            counters.waitingForOwner = threads.reduce(0) { $0 + $1.thread.waitingCoroutines }
            counters.leaked = leaked.load(ordering: .relaxed)
            return counters
        }
    }
}
