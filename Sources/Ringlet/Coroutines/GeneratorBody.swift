/// The typed part of a generator's core: the body and its outcome.
@usableFromInline
final class GeneratorBody<Element, Sent, Return>: GeneratorCore, @unchecked Sendable {
    private var body: ((Yielder<Element, Sent>) throws -> Return)?
    private(set) var returned: Return?

    init(
        name: String?, stackSize: Int,
        body: @escaping (Yielder<Element, Sent>) throws -> Return
    ) {
        self.body = body
        super.init(name: name, stackSize: stackSize)
    }

    override func runBody() {
        let body = unsafe body.unsafelyUnwrapped
        self.body = nil
        do {
            returned = try body(Yielder(self))
        } catch {
            fail(error)
        }
    }

    override func dropBody() {
        body = nil
    }

    /// What the body returned, if it has ended.
    func result() throws -> Return? {
        try failIfFailed()
        return returned
    }

    /// What a body that has ended hands over to one that delegated to it.
    func outcome() throws -> Return {
        guard let value = try result() else { throw GeneratorError.closed }
        return value
    }
}
