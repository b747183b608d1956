/// A stackful coroutine without a scheduler: control moves where the program says, when it says,
/// and takes a value along.
///
///     var pong: Coroutine<Void>!
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
/// ``switch(_:)`` transfers control to a coroutine and returns when somebody transfers it back;
/// that may be anybody, not only the coroutine that was switched to. It returns the value that came
/// along. The first value that is switched in is the body's parameter; what the body returns goes
/// to the ``parent``: the coroutine that made this one, or the code outside all coroutines.
///
///     let adder = Coroutine<Int> { first in
///         var sum = first
///         while sum < 100 { sum += try Coroutine.switchToParent(sum) }
///         return sum
///     }
///     try adder.switch(1)     // 1
///     try adder.switch(10)    // 11
///     try adder.switch(90)    // 101, and the body has ended
///
/// **Families.** All coroutines that switch to each other exchange one type of value. A switch to a
/// coroutine of another type resumes it as the code outside would, and is where control returns to
/// when that family is left. So coroutines of different types nest as generators do: one can be
/// switched to by those that it resumed only if they are of its own type.
///
/// **Threads.** A coroutine runs on the thread that made it, and nowhere else: a call on another
/// thread throws an error that names both. It works on any thread, with or without a scheduler. In
/// a task, do not keep one over an `await` that may change threads.
///
/// **Lifetime.** A suspended body is always unwound, never abandoned: when the last reference to
/// its coroutine goes, or at ``close()``, its pending switch throws ``CoroutineExit``. If the last
/// reference goes on another thread, this happens when the owner next switches to or starts a
/// coroutine, or exits. The handle of a body that refers to its own coroutine is part of a cycle
/// until the body ends: use ``close()``, or let it end. A coroutine that is still referred to when
/// its thread exits keeps its stack for ever.
///
/// **What must not be held over a switch.** A lock that is held belongs to the thread, not to the
/// coroutine: another coroutine of the thread that wants it blocks the thread for ever, or, where
/// the lock is recursive, gets it. C code that calls back into a coroutine which switches is
/// suspended in the middle, and may be entered again by those that go on: it has to be re-entrant.
/// A signal handler must not switch, nor make or drop a coroutine: what it has interrupted would be
/// left in the middle.
///
/// **Tasks and fibers.** The body belongs to no task: `Task.isCancelled` is false, task-locals of
/// the code that switches are not visible, and those that the body binds are its own;
/// ``CoroutineLocals`` offers copies of them, or those of whoever resumes. (Where the runtime's
/// word for them is not found at start-up, do not hold a binding over a switch.) Inside a
/// fiber, a body may wait like the fiber itself (`Fiber.sleep`, reads and writes): the whole fiber
/// is suspended, with the coroutine on it, and until that wait is over the coroutine cannot be
/// switched to from other fibers. A switch out of a task that runs on the coroutine's own stack
/// (`Task.immediate`, a scheduler's job) traps.
public final class Coroutine<Value>: AnyCoroutine {
    /// Makes a coroutine, suspended before the first line of its body. Its parent is the current
    /// coroutine of the same family, if there is one. Takes no stack until the first switch.
    ///
    /// - Parameters:
    ///   - name: Part of errors, crash reports and the description.
    ///   - stackSize: In bytes, at least 16 KiB; rounded up to whole pages, committed when touched.
    ///   - locals: The task-locals that the body sees; none, as in greenlet.
    ///   - body: Runs on the coroutine's own stack, with the first value that is switched in. What
    ///     it returns, or throws, goes to the pending switch of the parent.
    @inlinable
    public init(
        name: String? = nil, stackSize: Int = 256 * 1024, locals: CoroutineLocals = .empty,
        _ body: @escaping (_ first: Value) throws -> Value
    ) {
        super.init(
            CoroutineBody(
                name: name, stackSize: stackSize, locals: locals,
                parent: Coroutine<Value>.current, body: body))
    }

    /// The coroutine that this code runs in, if it is one of this family; nil in the code outside.
    @inlinable public static var current: Coroutine? {
        CoroutineCore.handle(in: ObjectIdentifier(Value.self))
            .map { unsafe unsafeDowncast($0, to: Coroutine.self) }
    }

    // MARK: Control

    /// Transfers control and `value` to this coroutine: to the start of its body, or to its pending
    /// switch, which returns it. The call returns when control comes back to the caller, with the
    /// value that came along.
    ///
    /// A switch to the current coroutine returns its own value. A switch to one that has ended goes
    /// to its nearest ancestor that has not; if that waits, as the code outside another family or with its fiber, the
    /// switch is refused. Constant time, no allocation after the first.
    ///
    /// - Throws: The error of a body that ended and gave control back to the caller, or what was
    ///   thrown into it; ``CoroutineExit`` in a coroutine that is being closed; ``CoroutineError``;
    ///   `Errno` when there is no memory for a stack, or `stackSize` is below 16 KiB.
    @discardableResult
    @inlinable
    public func `switch`(_ value: consuming Value) throws -> Value {
        // The handle holds the core, and the caller holds the handle: nothing is retained here.
        defer { withExtendedLifetime(self) {} }
        var outgoing: Value? = value
        return try unsafe withUnsafeMutablePointer(to: &outgoing) { place in
            let place = UnsafeMutableRawPointer(place)
            return try unsafe CoroutineBody<Value>.complete(
                CoroutineCore.takeControl(Unmanaged.passUnretained(core), place), place)
        }
    }

    /// Transfers control and `value` to the parent of the current coroutine. Returns when somebody
    /// switches back. In the code outside it returns `value`.
    ///
    /// - Throws: As ``switch(_:)``.
    @discardableResult
    @inlinable
    public static func switchToParent(_ value: consuming Value) throws -> Value {
        var outgoing: Value? = value
        return try unsafe withUnsafeMutablePointer(to: &outgoing) { place in
            let place = UnsafeMutableRawPointer(place)
            return try unsafe CoroutineBody<Value>.complete(
                CoroutineCore.switchToParent(ObjectIdentifier(Value.self), place), place)
        }
    }

    /// Transfers control and `value` to the code outside the family, past all parents. Returns when
    /// somebody switches back. In the code outside it returns `value`.
    ///
    /// - Throws: As ``switch(_:)``.
    @discardableResult
    @inlinable
    public static func switchOutside(_ value: consuming Value) throws -> Value {
        var outgoing: Value? = value
        return try unsafe withUnsafeMutablePointer(to: &outgoing) { place in
            let place = UnsafeMutableRawPointer(place)
            return try unsafe CoroutineBody<Value>.complete(
                CoroutineCore.switchOutside(ObjectIdentifier(Value.self), place), place)
        }
    }

    /// Transfers control to this coroutine and throws `error` there: out of its pending switch,
    /// where it may be caught. The call returns when control comes back to the caller, as
    /// ``switch(_:)`` does.
    ///
    /// A body that has not begun never runs: the coroutine ends, and the error goes to its parent.
    /// An error for one that has ended goes to its nearest ancestor that has not. In both cases
    /// ``CoroutineExit`` arrives there as the exit of a child. If that ancestor cannot take it, because it waits or
    /// gets no stack, the call throws that, and nothing has changed.
    ///
    /// - Throws: As ``switch(_:)``; `error` itself, if it is the caller that it goes to.
    @discardableResult
    public func `throw`(_ error: any Error = CoroutineExit()) throws -> Value {
        try unsafe CoroutineBody<Value>.take(core.takeError(error))
    }

    /// Transfers control to the code outside the family and throws `error` there.
    ///
    /// - Throws: As ``switch(_:)``; in the code outside, `error`.
    @discardableResult
    public static func throwOutside(_ error: any Error) throws -> Value {
        try unsafe CoroutineBody<Value>.take(
            CoroutineCore.transfer(
                CoroutineThread.Delivery(error: error), to: nil, ObjectIdentifier(Value.self)))
    }

    // MARK: The end

    /// Ends the body: its pending switch throws ``CoroutineExit``, and the call returns when the
    /// body has ended; for as long, the caller stands in for the parent. In between, further
    /// switches throw the same error. A body that has not begun never runs. Closing a coroutine
    /// that has ended does nothing; closing the current one throws that error here.
    ///
    /// - Throws: What the body threw instead; ``CoroutineError/refusesToEnd(coroutine:)`` for a
    ///   body that catches the error a hundred times and goes on.
    public func close() throws {
        try core.close()
    }

    /// How the body ended; nil before.
    public var outcome: CoroutineOutcome<Value>? {
        unsafe unsafeDowncast(core, to: CoroutineBody<Value>.self).outcome
    }
}

// MARK: - Control without values

extension Coroutine where Value == Void {
    /// Makes a coroutine that control moves to and from without a value.
    @inlinable
    public convenience init(
        name: String? = nil, stackSize: Int = 256 * 1024, locals: CoroutineLocals = .empty,
        _ body: @escaping () throws -> Void
    ) {
        self.init(name: name, stackSize: stackSize, locals: locals) { (_: Void) in try body() }
    }

    /// The coroutine that this code runs in, if it exchanges no values.
    public static var current: Coroutine<Void>? {
        CoroutineCore.handle(in: ObjectIdentifier(Void.self))
            .map { unsafe unsafeDowncast($0, to: Coroutine<Void>.self) }
    }

    /// Transfers control to this coroutine, as ``switch(_:)`` does.
    @inlinable
    public func `switch`() throws { try `switch`(()) }

    /// Transfers control to the parent of the current coroutine. In the code outside it does
    /// nothing.
    @inlinable
    public static func switchToParent() throws { try switchToParent(()) }

    /// Transfers control to the code outside the family, past all parents.
    @inlinable
    public static func switchOutside() throws { try switchOutside(()) }
}
