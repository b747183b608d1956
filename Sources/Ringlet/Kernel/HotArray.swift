import Glibc

/// A growable array of trivial values whose elements are reached without reference counting,
/// uniqueness checks or dynamic exclusivity.
///
/// A Swift array that is stored in a class costs ten times the work itself on the hot path: each
/// access checks exclusivity, uniqueness and bounds. Indices here come from our own tables, so they
/// are checked in debug builds only. The memory belongs to the value that holds the array, which
/// must call ``deallocate()``.
@safe
struct HotArray<Element: BitwiseCopyable> {
    // The first field, because the compiler 6.3 instruments an access through an addressor by the first word of
    // the value, as if it were an address, when ThreadSanitizer is on; on a number it breaks off.
    @usableFromInline var base: UnsafeMutablePointer<Element>
    private(set) var capacity: Int

    /// Allocates `capacity` elements, all equal to `value`.
    init(repeating value: Element, capacity: Int) {
        precondition(capacity > 0, "a HotArray holds at least one element")
        self.capacity = capacity
        // The storage comes from malloc(3), so that realloc(3) can grow it.
        precondition(MemoryLayout<Element>.alignment <= 16)
        guard let memory = unsafe malloc(capacity * MemoryLayout<Element>.stride) else {
            fatalError("out of memory")
        }
        unsafe base = memory.bindMemory(to: Element.self, capacity: capacity)
        unsafe base.initialize(repeating: value, count: capacity)
    }

    @inline(__always)
    subscript(index: Int) -> Element {
        unsafeAddress {
            assert(index >= 0 && index < capacity)
            return unsafe UnsafePointer(base + index)
        }
        nonmutating unsafeMutableAddress {
            assert(index >= 0 && index < capacity)
            return unsafe base + index
        }
    }

    /// Grows to `newCapacity` elements; the new ones are equal to `value`. Moves the storage.
    mutating func grow(to newCapacity: Int, filling value: Element) {
        let oldCapacity = capacity
        growLeavingRest(to: newCapacity)
        unsafe (base + oldCapacity).initialize(
            repeating: value, count: newCapacity - oldCapacity)
    }

    /// Grows to `newCapacity` elements, of which each new one must be written before it is read.
    ///
    /// The kernel remaps large storage instead of copying it, and what is not written yet takes no
    /// memory. So this costs microseconds where filling costs milliseconds.
    mutating func growLeavingRest(to newCapacity: Int) {
        assert(newCapacity > capacity)
        let size = newCapacity * MemoryLayout<Element>.stride
        guard let moved = unsafe realloc(base, size) else {
            fatalError("out of memory")
        }
        unsafe base = moved.assumingMemoryBound(to: Element.self)
        capacity = newCapacity
    }

    func deallocate() {
        unsafe free(base)
    }
}
