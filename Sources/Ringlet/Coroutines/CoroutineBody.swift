public import CContext

/// The typed part of a coroutine: the body, its outcome, and how values change frames.
///
/// A value lies in a variable of its sender's frame, a `Value?`, and whoever gets control moves it
/// out before anything else happens; both frames stay where they are meanwhile. All coroutines
/// that a value can reach are of one family, which is what makes the casts here sound.
///
/// Inlinable, and with the same layout for all types, as ``GeneratorBody``.
@usableFromInline
final class CoroutineBody<Value>: CoroutineCore, @unchecked Sendable {
    @safe @exclusivity(unchecked) @usableFromInline var body: ((Value) throws -> Value)?
    /// What the body returned, if that is not `Void`.
    @safe @exclusivity(unchecked) @usableFromInline var value: Returned<Value>?
    /// A value that was moved out of this coroutine's frame, because that is unwound before
    /// somebody takes it.
    @safe @exclusivity(unchecked) private var stashed: Returned<Value>?

    @inlinable
    init(
        name: String?, stackSize: Int, locals: CoroutineLocals, parent: Coroutine<Value>?,
        body: @escaping (Value) throws -> Value
    ) {
        self.body = body
        super.init(
            name: name, stackSize: stackSize, locals: locals, parent: parent,
            family: ObjectIdentifier(Value.self)
        ) { core in
            unsafe unsafeDowncast(core, to: CoroutineBody.self).run()
        }
    }

    @inlinable
    func run() {
        let body = unsafe body.unsafelyUnwrapped
        self.body = nil
        do {
            let value = try body(try unsafe Self.take(Self.arrived))
            if Value.self != Void.self { self.value = Returned(value) }
            endWithValue()
        } catch {
            end(with: error)
        }
    }

    override func dropBody() {
        body = nil
    }

    var outcome: CoroutineOutcome<Value>? {
        switch ending {
        case .none: nil
        case .returned: returned.map { .returned($0) }
        case .exited: .exited
        case .failed: failure.map { .failed($0) }
        }
    }

    private var returned: Value? {
        if ending != .returned { return nil }
        if Value.self == Void.self { return unsafe unsafeBitCast((), to: Value.self) }
        return value?.content
    }

    override func stash(_ place: UnsafeMutableRawPointer) {
        stashed = unsafe Returned(Self.move(out: place))
    }

    // MARK: Values

    /// Moves a value out of its sender's frame. Inlinable, so that it is specialised: for a type
    /// that is known only at run time it costs four times the switch.
    @inlinable
    @inline(__always)
    static func move(out place: UnsafeMutableRawPointer) -> Value {
        let place = unsafe place.assumingMemoryBound(to: Value?.self)
        let value = unsafe place.move()
        unsafe place.initialize(to: nil)
        return unsafe value.unsafelyUnwrapped
    }

    /// Does what a switch of the value at `place` has left to do, and takes what comes.
    @inlinable
    @inline(__always)
    static func complete(
        _ passage: CoroutineCore.Passage, _ place: UnsafeMutableRawPointer
    ) throws -> Value {
        if passage == .stayed { return unsafe move(out: place) }
        if passage == .suspend { cctx_suspend() }
        return try unsafe take(arrived)
    }

    /// Takes what has come with the control: the value at `place`, or without one what the thread
    /// has been told.
    @inlinable
    @inline(__always)
    static func take(_ place: UnsafeMutableRawPointer?) throws -> Value {
        if let place = unsafe place { return unsafe move(out: place) }
        return try takeDelivery()
    }

    @usableFromInline
    @inline(never)
    static func takeDelivery() throws -> Value {
        let thread = CoroutineThread.current
        let delivery = thread.takeDelivery()
        // Before the tracer runs, which may resume the sender.
        let value: Value? =
            if let courier = delivery.courier {
                unsafe unsafeDowncast(courier, to: CoroutineBody.self).handOver()
            } else if let place = unsafe delivery.place {
                unsafe move(out: place)
            } else {
                nil
            }
        try thread.trace(delivery.kind)
        if let error = delivery.error {
            if delivery.isExit && Value.self == Void.self {
                return unsafe unsafeBitCast((), to: Value.self)
            }
            throw error
        }
        return unsafe value.unsafelyUnwrapped
    }

    private func handOver() -> Value? {
        if let value = stashed {
            stashed = nil
            return value.content
        }
        return returned
    }
}
