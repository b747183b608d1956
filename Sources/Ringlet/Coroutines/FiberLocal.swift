import Synchronization

/// A variable of which each fiber, and each plain thread, has its own value.
///
///     let depth = FiberLocal(0)
///
///     func visit(_ node: Node) throws {
///         depth.value += 1
///         defer { depth.value -= 1 }
///         …                                   // may wait
///     }
///
/// The value is made at the first use by a fiber or thread, by the expression that the variable was made with, and freed
/// when the fiber's body or the thread has ended, before a join returns, in an order that is not defined. Nothing is
/// inherited: for what a child is to see, bind a `TaskLocal`.
///
/// What runs on a fiber is part of it: a ``Generator`` or ``Coroutine`` that it steps, and a function of C. A callback
/// of a scheduler has the value of the worker's thread. Code in a task, and that is also the body of ``Fiber/await(_:)``
/// and the work of a ``ThreadPool``, has no value, and access traps: nothing says when a task ends, and parts of one run in
/// children of it. There a `TaskLocal` is bound, to an object if it must change.
///
/// O(1), without a lock but where a value is made. A fiber that uses none pays nothing. Variables are meant to live long, as
/// globals and statics do; the values of one that is gone are freed when their fiber next makes a value, or ends.
public final class FiberLocal<Value>: Sendable {
    private let slot = LocalSlot()
    private let makeInitial: @Sendable () -> Value

    /// - Parameter initialValue: Evaluated in each fiber and on each thread that uses the variable, at its first use.
    public init(_ initialValue: @autoclosure @escaping @Sendable () -> Value) {
        makeInitial = initialValue
    }

    deinit { slot.end() }

    /// Reads or changes the value in place. The fiber may wait meanwhile.
    ///
    /// This form is for values that are not `Sendable` as well, which stay with their fiber.
    public func withValue<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try body(&own.value)
    }

    /// Frees the value of this fiber or thread. The next use makes a new one.
    public func removeValue() { LocalValues.current.remove(slot) }

    /// The box of this fiber or thread.
    fileprivate var own: LocalBox<Value> {
        let values = LocalValues.current
        if let box = values.box(slot) { return unsafe unsafeDowncast(box, to: LocalBox<Value>.self) }
        return make(in: values)
    }

    @inline(never)
    private func make(in values: LocalValues) -> LocalBox<Value> {
        let box = LocalBox(makeInitial())
        values.put(box, in: slot)
        return box
    }
}

extension FiberLocal where Value: Sendable {
    /// The value of this fiber or thread.
    public var value: Value {
        get { own.value }
        _modify { yield &own.value }
    }
}

private final class LocalBox<Value> {
    var value: Value
    init(_ value: Value) { self.value = value }
}
