/// An element in the room of a waiter's node: it came there, or was not sent. It must be taken, given back or discarded, and
/// the room left.
@usableFromInline @safe
struct FilledRoom: BitwiseCopyable {
    @usableFromInline let place: UnsafeMutableRawPointer
    /// The node, retained; nil for a fiber's, which is there as long as the fiber.
    private let holder: Unmanaged<WaitNode>?

    init(of node: WaitNode) {
        unsafe place = node.filledRoom
        unsafe holder = node.isOfFiber ? nil : .passRetained(node)
    }

    @inlinable @inline(__always)
    func take<Element>(_ type: Element.Type) -> Element {
        let element = unsafe place.assumingMemoryBound(to: Element.self).move()
        leave()
        return element
    }

    /// Ends the element, which may run code of the user that waits.
    func discard(_ type: ElementType) {
        if let node = unsafe holder, unsafe !node._withUnsafeGuaranteedRef({ $0.isKept }) {
            unsafe type.destroy(place)
            return leave()
        }
        // The next wait of the fiber, or of a task here, is in the same room.
        let apart = UnsafeMutableRawPointer.allocate(byteCount: max(type.stride, 1), alignment: type.alignment)
        unsafe type.move(apart, place)
        leave()
        unsafe type.destroy(apart)
        unsafe apart.deallocate()
    }

    @usableFromInline
    func leave() { unsafe holder?.release() }
}
