/// The typed part of a generator's core: the body and its outcome.
///
/// What handles values here is inlinable, and so specialised by the module that uses it; and the layout is the same for
/// all types. Otherwise the runtime would have to look the types up, which takes longer than all the rest of a short
/// life.
@usableFromInline
final class GeneratorBody<Element, Sent, Return>: GeneratorCore, @unchecked Sendable {
    @safe @exclusivity(unchecked) @usableFromInline
    var body: ((Yielder<Element, Sent>) throws -> Return)?
    /// What the body returned, if that is not `Void`.
    @safe @exclusivity(unchecked) @usableFromInline var value: Returned<Return>?

    @inlinable
    init(
        name: String?, stackSize: Int,
        body: @escaping (Yielder<Element, Sent>) throws -> Return
    ) {
        self.body = body
        // It captures nothing, and so is no object.
        super.init(name: name, stackSize: stackSize) { core in
            unsafe unsafeDowncast(core, to: GeneratorBody.self).run()
        }
    }

    @inlinable
    func run() {
        let body = unsafe body.unsafelyUnwrapped
        self.body = nil
        do {
            let value = try body(Yielder(self))
            if Return.self != Void.self { self.value = Returned(value) }
            hasReturned = true
        } catch {
            fail(error)
        }
    }

    override func dropBody() {
        body = nil
    }

    /// What the body returned, if it did.
    @inlinable var returned: Return? {
        if !hasReturned { return nil }
        if Return.self == Void.self { return unsafe unsafeBitCast((), to: Return.self) }
        return value?.content
    }

    /// The same, if it has ended.
    @inlinable
    func result() throws -> Return? {
        try failIfFailed()
        return returned
    }

    /// What a body that has ended hands over to one that delegated to it.
    @inlinable
    func outcome() throws -> Return {
        guard let value = try result() else { throw GeneratorError.closed }
        return value
    }
}

/// A value in an object of its own.
@usableFromInline
final class Returned<Content> {
    @usableFromInline let content: Content

    @inlinable
    init(_ content: Content) { self.content = content }
}
