import CContext
import Glibc
import SystemPackage

/// A stack that runs user code without a task: what coroutines and generators have in common.
///
/// The object is alive while its stack exists. Handles of users are separate objects, so that the
/// last of them can go while the stack is suspended, which unwinds it. For the thread that made it.
@safe
@usableFromInline
class RawContext: @unchecked Sendable {
    enum State: UInt8 {
        /// Not begun; there may be no stack yet.
        case pending
        case suspended
        /// Running, or waiting for something that it resumed, or part of a fiber that waits.
        case running
        case ended
    }

    /// What is looked at in every switch, also by C, which knows that it comes first. Unchecked: its parts are read and
    /// written alone, and never passed inout.
    @exclusivity(unchecked) final var head: cctx_raw_head
    /// The thread that it belongs to.
    final let thread = RawThread.current
    final let name: String?
    final let stackSize: Int

    @usableFromInline
    init(name: String?, stackSize: Int) {
        self.name = name
        self.stackSize = stackSize
        unsafe head = cctx_raw_head(
            record: nil, thread: Unmanaged.passUnretained(thread).toOpaque(), family: nil, handle: nil,
            state: State.pending.rawValue, is_closing: false, shares_locals: false)
    }

    @inline(__always)
    final var state: State {
        get { unsafe unsafeBitCast(head.state, to: State.self) }
        set { unsafe head.state = newValue.rawValue }
    }

    /// From the first resume to the end.
    @inline(__always)
    final var record: UnsafeMutablePointer<cctx_raw>? { unsafe head.record }

    /// The body is being unwound: whatever would suspend it by its own wish throws instead.
    @inline(__always)
    final var isClosing: Bool {
        get { unsafe head.is_closing }
        set { unsafe head.is_closing = newValue }
    }

    /// True on its own thread.
    @inline(__always)
    final var isOnOwnThread: Bool { unsafe cctx_current_raw_thread().pointee.state == head.thread }

    /// "generator" or "coroutine".
    class var kind: String { "context" }

    /// The same for an overflow report.
    class var nativeKind: cctx_kind { cctx_kind_coroutine }

    final var label: String { name.map { "\(Self.kind) '\($0)'" } ?? "a \(Self.kind)" }

    final var stateDescription: String { "\(label) (\(state))" }

    // MARK: The subclass's part

    /// Runs the body and keeps its outcome. Called on the stack; must not throw through.
    func runBody() { fatalError("a context has a body") }

    /// Lets go of a body that will not run.
    @usableFromInline
    func dropBody() { fatalError("a context has a body") }

    /// Resumes a suspended body so that it unwinds, and waits for its end.
    func unwind() throws { fatalError("a context can be unwound") }

    // MARK: Life

    /// Takes a stack.
    final func start() throws(Errno) {
        if unsafe record != nil { return }
        let record = try unsafe thread.makeRecord(for: self)
        unsafe head.record = record
        unsafe record.pointee.context.kind = UInt8(Self.nativeKind.rawValue)
        if let name { unsafe record.pointee.context.name = UnsafePointer(strdup(name)) }
    }

    /// Gives back the stack, after its end or when it never began. May release `self`.
    final func finish() {
        state = .ended
        guard let record = unsafe record else { return }
        unsafe head.record = nil
        let name = unsafe record.pointee.context.name
        let owner = unsafe record.pointee.owner.unsafelyUnwrapped
        unsafe cctx_destroy(record.pointee.pool.unsafelyUnwrapped, &record.pointee.context)
        unsafe free(UnsafeMutablePointer(mutating: name))
        unsafe Unmanaged<RawContext>.fromOpaque(owner).release()
    }

    /// Ends a body that has not begun. What it has captured may run code of the user, which finds it ended.
    final func discard() {
        state = .ended
        dropBody()
        finish()
    }

    /// The last handle is gone.
    final func handleDropped() {
        switch state {
        case .pending where unsafe record == nil: dropBody()
        case .pending, .suspended: isOnOwnThread ? unwindDropped() : thread.adopt(self)
        case .running, .ended: break
        }
    }

    /// Unwinds on behalf of nobody who could be told of an error.
    final func unwindDropped() {
        guard state == .suspended else { return discard() }
        do { try unwind() } catch { report(error) }
    }

    /// Says that an error was thrown which nobody can catch.
    func report(_ error: any Error) {
        UnseenErrors.report(UnseenError(error: error, origin: .generator, source: label))
    }

    /// Says something on stderr that nobody can be told otherwise.
    final func say(_ sentence: String) {
        let line = "ringlet: \(sentence)\n"
        unsafe line.utf8.withContiguousStorageIfAvailable { line in
            _ = unsafe write(STDERR_FILENO, line.baseAddress, line.count)
        }
    }

    // MARK: Switching

    /// Suspends the context or fiber that resumed this one, because this one was suspended by
    /// something that waits: the fiber below all of them is what waits. Returns when it goes on.
    @inline(never)
    static func passOn() {
        guard unsafe cctx_current_thread().pointee.current != nil else {
            fatalError("A coroutine was suspended outside any fiber by something else than itself.")
        }
        cctx_raw_suspend()
    }

    /// A suspension in the middle of a job that began on this stack would let the job's task go on
    /// elsewhere.
    @inline(__always)
    final func requireNoTask(_ call: StaticString) {
        if cctx_raw_is_in_task() {
            fatalError(
                """
                \(call) was called inside a task that runs on the stack of \(label), which it \
                would suspend. Only code outside tasks can.
                """)
        }
    }
}
