/// A stackful coroutine without a scheduler: control moves where the program says, when it says.
///
///     var pong: Coroutine!
///     let ping = Coroutine(name: "ping") {
///         for round in 1...3 {
///             print("ping", round)
///             try pong.switch()
///         }
///     }
///     pong = Coroutine(name: "pong") {
///         while !ping.isFinished {
///             print("  pong")
///             try ping.switch()
///         }
///     }
///     try ping.switch()       // returns when ping has ended
///
/// ``switch()`` transfers control to a coroutine and returns when somebody transfers it back; that
/// may be anybody, not only the coroutine that was switched to. When a body ends, control goes to
/// the ``parent``: the coroutine that made this one, or the code outside all coroutines.
///
/// **Threads.** A coroutine runs on the thread that made it, and nowhere else: a call on another
/// thread traps and names both. It works on any thread, with or without a scheduler. In a task, do
/// not keep one over an `await` that may change threads.
///
/// **Lifetime.** A suspended body is always unwound, never abandoned: when the last reference to
/// its coroutine goes, or at ``close()``, its pending ``switch()`` throws an error that ends it. If
/// the last reference goes on another thread, this happens when the owner next starts a coroutine
/// or generator, or exits. The handle of a body that refers to its own coroutine is part of a cycle
/// until the body ends: use ``close()``, or let it end. A coroutine that is still referred to when
/// its thread exits keeps its stack for ever.
///
/// **Tasks and fibers.** The body belongs to no task: `Task.isCancelled` is false, task-locals of
/// the code that switches are not visible, and those that the body binds are its own. (Where the
/// runtime's word for them is not found at start-up, do not hold a binding over a switch.) Inside a
/// fiber, a body may wait like the fiber itself (`Fiber.sleep`, reads and writes): the whole fiber
/// is suspended, with the coroutine on it, and until that wait is over the coroutine cannot be
/// switched to from other fibers. A switch out of a task that runs on the coroutine's own stack
/// (`Task.immediate`, a scheduler's job) traps.
public final class Coroutine {
    let core: CoroutineCore

    /// Makes a coroutine, suspended before the first line of its body. Its parent is the current
    /// coroutine, if there is one. Takes no stack until the first switch.
    ///
    /// - Parameters:
    ///   - name: Part of traps, crash reports and the description.
    ///   - stackSize: In bytes, at least 16 KiB; rounded up to whole pages, committed when touched.
    ///   - body: Runs on the coroutine's own stack. What it throws is thrown by the pending
    ///     ``switch()`` of whoever gets control next.
    public init(
        name: String? = nil, stackSize: Int = 256 * 1024, _ body: @escaping () throws -> Void
    ) {
        core = CoroutineCore(
            name: name, stackSize: stackSize, parent: Coroutine.current, body: body)
        unsafe core.handle = Unmanaged.passUnretained(self)
    }

    deinit {
        unsafe core.handle = nil
        core.handleDropped()
    }

    /// Transfers control to this coroutine: to the start of its body, or to its pending `switch()`,
    /// which returns. The call returns when control comes back to the caller.
    ///
    /// A switch to the current coroutine does nothing. A switch to one that has ended goes to its
    /// nearest ancestor that has not. Constant time, no allocation after the first.
    ///
    /// - Throws: The error of a body that ended and gave control back to the caller; in a coroutine
    ///   that is being closed, the error that unwinds it; `Errno` when there is no memory
    ///   for a stack, or `stackSize` is below 16 KiB.
    public func `switch`() throws {
        try core.takeControl()
    }

    /// Transfers control to the parent of the current coroutine. Returns when somebody switches
    /// back. Outside coroutines it does nothing.
    ///
    /// - Throws: As ``switch()``.
    public static func switchToParent() throws {
        try CoroutineCore.switchToParent()
    }

    /// Ends the body: its pending ``switch()`` throws an error that is to be left alone, and the
    /// call returns when the body has ended. In between, further switches throw the same error; a
    /// body that goes on after a thousand of them traps. A body that has not begun never runs.
    /// Closing a coroutine that has ended does nothing; closing the current one throws that error
    /// here.
    ///
    /// - Throws: What the body threw instead.
    public func close() throws {
        try core.close()
    }

    /// The coroutine that this code runs in; nil outside coroutines, and while a body is unwound
    /// because nobody refers to its coroutine any more.
    public static var current: Coroutine? {
        unsafe CoroutineCore.running?.handle?.takeUnretainedValue()
    }

    /// Where control goes when the body ends: the coroutine that was current when this one was
    /// made, or, when that has ended, its parent. Nil: the code outside coroutines.
    public var parent: Coroutine? { core.parent }

    /// The name given at creation.
    public var name: String? { core.name }

    /// True once the body has ended, or was closed before it began.
    public var isFinished: Bool { core.state == .ended }
}

extension Coroutine: CustomStringConvertible {
    /// The name, and one of pending, suspended, running, ended.
    public var description: String { core.stateDescription }
}

@available(*, unavailable, message: "a coroutine never leaves its thread")
extension Coroutine: Sendable {}
