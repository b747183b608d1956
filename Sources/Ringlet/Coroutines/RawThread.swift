import CContext
import Glibc
import SystemPackage
import Synchronization

/// What one thread keeps for its coroutines and generators: their stacks, and those that were
/// dropped elsewhere. Made at the first use on a thread; lives until the thread has ended and its
/// last coroutine is gone.
@safe
final class RawThread: @unchecked Sendable {
    /// The kernel's number of the thread.
    let id = cctx_raw_thread_number()

    // For this thread.
    let coroutines = CoroutineThread()
    /// Its own values of variables, once it uses one outside fibers.
    var locals: LocalValues?
    private var pools: [(stackSize: Int, pool: OpaquePointer)] = unsafe []
    /// The one that was used last. Unchecked: alone, and never passed inout.
    @exclusivity(unchecked) private var lastPool: (stackSize: Int, pool: OpaquePointer)?

    // For any thread.
    private let inboxes: PerProcess<RawThreadInbox>
    private var inbox: PlainLock<RawThreadInbox.Content> { inboxes.object.content }
    /// The thread's words, for as long as it exists; other threads hold the lock.
    private let words: UnsafeMutablePointer<cctx_raw_thread>

    /// Of the calling thread.
    private init() {
        let words = unsafe cctx_current_raw_thread()
        unsafe self.words = words
        let number = UInt(bitPattern: words)
        inboxes = PerProcess(RawThreadInbox()) { $0.inChild(ofThread: number) }
    }

    /// The calling thread's.
    static var current: RawThread {
        if let state = unsafe cctx_current_raw_thread().pointee.state {
            return unsafe Unmanaged<RawThread>.fromOpaque(state).takeUnretainedValue()
        }
        return begin()
    }

    // MARK: Stacks

    /// Takes a stack for `context`.
    func makeRecord(for context: RawContext) throws(Errno) -> UnsafeMutablePointer<cctx_raw> {
        unwindDropped()
        let error = cctx_thread_prepare()
        guard error == 0 else { throw Errno(rawValue: -error) }
        cctx_raw_look_at_thread()
        let pool = try unsafe pool(stackSize: context.stackSize)
        var made: UnsafeMutablePointer<cctx>?
        let owner = unsafe Unmanaged.passUnretained(context).toOpaque()
        let failure = unsafe cctx_create(
            pool, MemoryLayout<cctx_raw>.size,
            { owner in
                unsafe Unmanaged<RawContext>.fromOpaque(owner.unsafelyUnwrapped)
                    ._withUnsafeGuaranteedRef { $0.runBody() }
                cctx_raw_ensure_prepared()
            }, owner, &made)
        guard failure == 0, let made = unsafe made else { throw Errno(rawValue: -failure) }
        let record = unsafe UnsafeMutableRawPointer(made).assumingMemoryBound(to: cctx_raw.self)
        unsafe record.pointee.owner = Unmanaged.passRetained(context).toOpaque()
        unsafe record.pointee.pool = pool
        return unsafe record
    }

    private func pool(stackSize: Int) throws(Errno) -> OpaquePointer {
        if let last = unsafe lastPool, unsafe last.stackSize == stackSize { return unsafe last.pool }
        let entry = try unsafe entry(stackSize: stackSize)
        unsafe lastPool = entry
        return unsafe entry.pool
    }

    @inline(never)
    private func entry(
        stackSize: Int
    ) throws(Errno) -> (stackSize: Int, pool: OpaquePointer) {
        for unsafe entry in unsafe pools where unsafe entry.stackSize == stackSize {
            return unsafe entry
        }
        guard stackSize > 0 else { throw Errno.invalidArgument }
        var pool: OpaquePointer?
        let error = unsafe cctx_stack_pool_create(stackSize, &pool)
        guard error == 0, let pool = unsafe pool else { throw Errno(rawValue: -error) }
        unsafe pools.append((stackSize, pool))
        return unsafe (stackSize, pool)
    }

    // MARK: Contexts dropped on other threads

    /// Takes a suspended context whose last handle was dropped on another thread. It is unwound
    /// when this thread next starts one, or ends; never, if the thread has ended: its stack is then
    /// leaked, because what its frames own cannot be reached any more.
    func adopt(_ context: RawContext) {
        let isAdopted = inbox.withLock { inbox in
            if inbox.hasExited { return false }
            inbox.dropped.append(context)
            unsafe cctx_raw_post_mail(words)
            return true
        }
        if !isAdopted {
            context.say(
                "\(context.label) was dropped after its thread \(id) had exited; its stack is leaked")
        }
    }

    /// How many coroutines wait to be unwound. Any thread.
    var waitingCoroutines: Int {
        inbox.withLock { inbox in inbox.dropped.count { $0 is CoroutineCore } }
    }

    /// True once the thread has exited. Any thread.
    var hasExited: Bool { inbox.withLock { $0.hasExited } }

    /// Unwinds what was dropped elsewhere since the last time.
    @inline(__always)
    func unwindDropped() {
        if unsafe cctx_raw_has_mail(words) { readMail() }
    }

    @inline(never)
    private func readMail() {
        guard unsafe cctx_raw_take_mail(words) else { return }
        let dropped = inbox.withLock { inbox in
            defer { inbox.dropped = [] }
            return inbox.dropped
        }
        for context in dropped { context.unwindDropped() }
    }

    // MARK: Beginning and end

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let error = unsafe pthread_key_create(&key) { state in
            guard let state = unsafe state else { return }
            unsafe Unmanaged<RawThread>.fromOpaque(state).takeRetainedValue().end()
        }
        precondition(error == 0, "pthread_key_create: \(Errno(rawValue: error))")
        return key
    }()

    @inline(never)
    private static func begin() -> RawThread {
        _ = cctx_install_overflow_report()
        cctx_watch_forks()
        let thread = RawThread()
        let state = unsafe Unmanaged.passRetained(thread).toOpaque()
        unsafe pthread_setspecific(key, state)
        unsafe cctx_current_raw_thread().pointee.state = state
        CoroutineCounts.shared.threadBegins(thread)
        findRuntimeWords()
        unsafe cctx_coroutine_on_stop(CoroutineCore.hasStopped)
        return thread
    }

    /// The thread exits. A stack that is in use belongs to a coroutine that somebody still holds;
    /// its pool is left as it is.
    private func end() {
        unwindDropped()
        let late = inbox.withLock { inbox in
            inbox.hasExited = true
            defer { inbox.dropped = [] }
            return inbox.dropped
        }
        for context in late { context.unwindDropped() }
        locals?.removeAll()
        locals = nil
        for unsafe (_, pool) in unsafe pools {
            var statistics = cctx_stack_pool_statistics()
            unsafe cctx_stack_pool_get_statistics(pool, &statistics)
            if statistics.in_use == 0 { unsafe cctx_stack_pool_destroy(pool) }
        }
        unsafe pools = []
        unsafe lastPool = nil
        CoroutineCounts.shared.threadEnds(self)
        unsafe cctx_current_raw_thread().pointee.state = nil
        if unsafe cctx_current_thread().pointee.current == nil { cctx_thread_release() }
    }

    /// Finds the words of the runtime that a raw context exchanges. Where one is not found, the
    /// context runs without that exchange.
    private static func findRuntimeWords() {
        cctx_host_find_access_head()
        if findLocals() || !cctx_host_has_slot() { return }
        // A binding is in place here. On a thread where there is none, the word can be found.
        var helper = pthread_t()
        let error = unsafe pthread_create(
            &helper, nil,
            { _ in
                _ = RawThread.findLocals()
                return nil
            }, nil)
        if error != 0 { return }
        pthread_join(helper, nil)
        _ = findLocals()
    }

    private static func findLocals() -> Bool {
        if !cctx_host_has_slot() && !cctx_host_find_slot() {
            // Outside a task: in one that runs here and now, and is over when this returns.
            Task.immediate { _ = cctx_host_find_slot() }
        }
        return cctx_raw_find_locals(
            { body in LocalsProbe.$isBound.withValue(true) { body() } },
            { LocalsProbe.isBound })
    }
}

private enum LocalsProbe {
    @TaskLocal static var isBound = false
}
