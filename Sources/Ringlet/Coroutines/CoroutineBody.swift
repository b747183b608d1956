import CContext

/// The typed part of a coroutine: the body, its outcome, and how values change frames.
///
/// A value lies in a variable of its sender's frame, a `Value?`, and whoever gets control moves it
/// out before anything else happens; both frames stay where they are meanwhile. All coroutines
/// that a value can reach are of one family, which is what makes the casts here sound.
@usableFromInline
final class CoroutineBody<Value>: CoroutineCore, @unchecked Sendable {
    private var body: ((Value) throws -> Value)?
    private(set) var outcome: CoroutineOutcome<Value>?
    /// A value that was moved out of this coroutine's frame, because that is unwound before
    /// somebody takes it.
    private var stashed: Value?

    init(
        name: String?, stackSize: Int, locals: CoroutineLocals, parent: Coroutine<Value>?,
        body: @escaping (Value) throws -> Value
    ) {
        self.body = body
        super.init(
            name: name, stackSize: stackSize, locals: locals, parent: parent,
            family: ObjectIdentifier(Value.self))
    }

    override func runBody() {
        let body = unsafe body.unsafelyUnwrapped
        self.body = nil
        CoroutineThread.current.coroutineBegins()
        do {
            let thread = unsafe cctx_current_raw_thread()
            let isPlain = unsafe thread.pointee.attention == 0
            let first = try unsafe Self.take(isPlain ? thread.pointee.mail : nil)
            outcome = .returned(try body(first))
        } catch {
            end(with: error)
        }
    }

    override func dropBody() {
        body = nil
    }

    override func end(with error: any Error) {
        outcome = error is CoroutineExit ? .exited : .failed(error)
    }

    override var failure: (any Error)? {
        if case .failed(let error) = outcome { error } else { nil }
    }

    override var hasReturned: Bool {
        if case .returned = outcome { true } else { false }
    }

    override func stash(_ place: UnsafeMutableRawPointer) {
        stashed = unsafe Self.move(out: place)
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
            return value
        }
        if case .returned(let value) = outcome { return value }
        return nil
    }
}
