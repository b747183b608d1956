import CContext

/// A started fiber, as the worker's queues and tables hold it: the address of its record.
///
/// Valid while the fiber has not ended. All members are for the worker's thread, except
/// ``deliver(_:)``, which belongs to whoever won the right to wake the parked fiber.
@safe
struct FiberRef: BitwiseCopyable, Equatable {
    @usableFromInline let record: UnsafeMutablePointer<cctx_fiber>

    @inline(__always)
    init(_ record: UnsafeMutablePointer<cctx_fiber>) {
        unsafe self.record = record
    }

    @inline(__always)
    static func == (left: FiberRef, right: FiberRef) -> Bool { left.address == right.address }

    /// The fiber whose stack this code runs on, if it runs on one.
    @inline(__always)
    static var current: FiberRef? {
        guard let record = unsafe cctx_current_host_thread().pointee.running else { return nil }
        return unsafe FiberRef(record)
    }

    // MARK: The run queue's view

    /// The record's address, 16-byte aligned, with its link word at offset 16.
    @inline(__always)
    var address: UInt { UInt(bitPattern: unsafe record) }

    @inline(__always)
    init(address: UInt) {
        unsafe record = UnsafeMutablePointer(bitPattern: address).unsafelyUnwrapped
    }

    // MARK: Waiting

    /// What a parked fiber waits for, so that a cancel knows what to take back.
    enum WaitKind: UInt8 {
        /// Runnable or running, or woken and about to be.
        case none
        /// An operation; the token is an `OperationToken`.
        case operation
        /// A timer of its worker; the token is a `TimerToken`.
        case timer
        /// A place in the queue of someone else; the token is a `WaitNode`'s address.
        case node
    }

    @inline(__always)
    var wait: (kind: WaitKind, token: UInt64) {
        unsafe (
            WaitKind(rawValue: record.pointee.wait_kind).unsafelyUnwrapped,
            record.pointee.wait_token
        )
    }

    /// Suspends until ``deliver(_:)`` was called and the worker came round.
    @inline(__always)
    func park(_ kind: WaitKind, _ token: UInt64) -> Completion {
        suspend(in: kind, token)
        return outcome
    }

    /// The same; how the wait ended is to be read from ``outcome``.
    @inline(__always)
    func suspend(in kind: WaitKind, _ token: UInt64) {
        unsafe record.pointee.wait_kind = kind.rawValue
        unsafe record.pointee.wait_token = token
        cctx_suspend()
        unsafe record.pointee.wait_kind = WaitKind.none.rawValue
    }

    /// How the last wait ended.
    @inline(__always)
    var outcome: Completion {
        // The byte was stored by `deliver`; a checked conversion is a call per wait.
        unsafe Completion(
            record.pointee.wait_result,
            unsafeBitCast(record.pointee.wait_reason, to: CancelReason.self))
    }

    /// Suspends; the fiber is in the run queue already.
    @inline(__always)
    func yield() {
        cctx_suspend()
    }

    /// Lets everything run first that is ready on this worker.
    func letOthersRun() {
        withWorker { $0.ready.push(Runnable(self)) }
        yield()
    }

    /// Stores how the wait ended. The caller makes the fiber runnable afterwards.
    @inline(__always)
    func deliver(_ completion: Completion) {
        unsafe record.pointee.wait_result = completion.result
        unsafe record.pointee.wait_reason = completion.reason.rawValue
    }

    // MARK: Cancellation

    /// True when a wait must end at once: the fiber, or a scope that it is in, was cancelled, and no shielded part is
    /// in between.
    @inline(__always)
    var mustNotWait: Bool { unsafe record.pointee.must_not_wait }

    /// True when the fiber as a whole was cancelled, in a shielded part too.
    var isCancelled: Bool { unsafe record.pointee.cancelled }

    /// How many shielded parts the fiber is in.
    var shieldDepth: UInt8 { unsafe record.pointee.shield }

    /// Marks the fiber and its task cancelled. The flag never goes back.
    func markCancelled() {
        unsafe record.pointee.cancelled = true
        if let task = unsafe record.pointee.task { unsafe cctx_host_cancel(task) }
        updateCancellation()
    }

    /// Works out anew whether waits must end at once.
    func updateCancellation() {
        unsafe record.pointee.must_not_wait = isCut || hasPromisedNotToWait
    }

    /// True when cancellation of whatever kind cuts waits short.
    var isCut: Bool {
        let depth = unsafe record.pointee.shield
        return unsafe record.pointee.cancelled && depth == 0
            || withOwner { $0.isCut(atShieldDepth: depth) }
    }

    /// Runs `body` so that waits inside are not cut short by what is cancelled outside.
    func shielded<Result>(_ body: () throws -> Result) rethrows -> Result {
        precondition(shieldDepth < .max, "withoutCancellation may be entered 255 times, one inside the other")
        unsafe record.pointee.shield += 1
        let outer = unsafe bind()
        updateCancellation()
        defer {
            unsafe record.pointee.shield -= 1
            unsafe record.pointee.bound = outer
            updateCancellation()
        }
        return try body()
    }

    /// Makes the code that calls this one that must not be suspended by its own wish, until `bound` is what is returned
    /// again.
    func bind() -> UnsafePointer<cctx>? {
        let outer = unsafe record.pointee.bound
        unsafe record.pointee.bound = UnsafePointer(cctx_current_thread().pointee.current)
        return unsafe outer
    }

    /// As ``CurrentThread/strand`` on the fiber's stack; nil before its task has run.
    var strand: UInt? { unsafe record.pointee.task.map { UInt(bitPattern: $0) } }

    /// A fiber that waits for nothing that the worker knows, and is in no queue as a fiber, awaits in place. But on the plain
    /// rung it can have been resumed as a job, too.
    var awaitsInPlace: Bool { unsafe record.pointee.rung != 0 || record.pointee.wants_await }

    // MARK: Relations

    /// Calls `body` with the fiber's worker, without reference counting.
    @inline(__always)
    func withWorker<Result>(_ body: (Worker) throws -> Result) rethrows -> Result {
        let worker = unsafe Unmanaged<Worker>.fromOpaque(record.pointee.worker.unsafelyUnwrapped)
        return try unsafe worker._withUnsafeGuaranteedRef(body)
    }

    /// Calls `body` with the object that users hold, without reference counting.
    @inline(__always)
    func withOwner<Value>(_ body: (AnyFiber) -> Value) -> Value {
        let owner = unsafe Unmanaged<AnyFiber>.fromOpaque(record.pointee.owner.unsafelyUnwrapped)
        return unsafe owner._withUnsafeGuaranteedRef(body)
    }

    /// The object that users hold.
    var owner: AnyFiber {
        unsafe Unmanaged<AnyFiber>.fromOpaque(record.pointee.owner.unsafelyUnwrapped)
            .takeUnretainedValue()
    }

    /// The fiber that a call belongs to, or a trap that says what to do. Throws in the child of a fork.
    @inline(__always)
    static func require(_ call: StaticString) throws -> FiberRef {
        guard let current else { try outsideFiber(call) }
        return current
    }

    @inline(never)
    private static func outsideFiber(_ call: StaticString) throws -> Never {
        try Fork.check()
        trapOutside(call)
    }

    static func trapOutside(_ call: StaticString) -> Never {
        fatalError(
            """
            \(call) without `await` needs a fiber to suspend, and this code runs on a plain thread, in a callback or \
            in a task. Call it from Fiber { } or Scheduler.run { }, or await it in a task.
            """)
    }
}

// MARK: - The worker's list of live fibers

extension FiberRef {
    var nextLive: FiberRef? {
        guard let next = unsafe record.pointee.next_live else { return nil }
        return unsafe FiberRef(next)
    }

    /// Puts this fiber at the head of a list.
    func link(before head: FiberRef?) {
        guard let head else { return }
        unsafe record.pointee.next_live = head.record
        unsafe head.record.pointee.previous_live = record
    }

    func unlink() {
        let next = unsafe record.pointee.next_live
        let previous = unsafe record.pointee.previous_live
        if let next = unsafe next { unsafe next.pointee.previous_live = previous }
        if let previous = unsafe previous { unsafe previous.pointee.next_live = next }
    }
}
