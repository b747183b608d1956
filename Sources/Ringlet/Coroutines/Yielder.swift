public import CContext

/// The right to yield, given to the body of a ``Generator``.
///
/// It may be passed down and stored. Used while the body does not run, or by a fiber or coroutine
/// that the body did not call, it traps.
public struct Yielder<Element, Sent> {
    @usableFromInline let core: GeneratorCore

    @inlinable
    init(_ core: GeneratorCore) { self.core = core }

    /// Hands `element` to the caller and suspends the body. Returns what is sent next.
    ///
    /// The body of another generator may yield here too, if this one's body has asked that for an
    /// element: then both are suspended.
    ///
    /// - Throws: What is thrown into the generator; when it is closed, ``GeneratorExit``, which
    ///   unwinds the body: let it pass.
    @discardableResult
    @inlinable
    public func callAsFunction(_ element: consuming Element) throws -> Sent {
        // In this frame alone: whoever takes it has the only copy.
        var element: Element? = consume element
        let record = try unsafe withUnsafeMutablePointer(to: &element) {
            let record = try unsafe core.offer(UnsafeMutableRawPointer($0))
            cctx_suspend()
            return unsafe record
        }
        withExtendedLifetime(self) {}
        if unsafe record.pointee.is_thrown_into { try unsafe GeneratorCore.throwDelivered(to: record) }
        if Sent.self == Void.self { return unsafe unsafeBitCast((), to: Sent.self) }
        return unsafe record.pointee.sent.unsafelyUnwrapped.assumingMemoryBound(to: Sent?.self).pointee
            .unsafelyUnwrapped
    }

    /// Whether this code may yield: the body called it, and runs.
    @_spi(C)
    public var isUsable: Bool { core.isOnStack || core.isRunByDelegate }
}
