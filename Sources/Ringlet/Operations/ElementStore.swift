/// Elements in memory, without their type, in one of three orders. Guarded by a lock of its owner.
///
/// An element comes and goes through a place: whoever knows its type initializes ``vacancy`` and says ``filled()``, or moves
/// out of ``next`` and says ``emptied()``.
@usableFromInline @safe
struct ElementStore: ~Copyable {
    @usableFromInline
    enum Order: UInt8, Sendable {
        case firstInFirstOut, lastInFirstOut
        /// The smallest first, and of equal ones that which came first.
        case priority
    }

    private let type: ElementType
    let order: Order
    private let stride: Int

    private var memory: UnsafeMutableRawPointer?
    /// Places, a power of two; they grow on demand. With priorities there is one more, behind them, for an element that is
    /// on its way between two of them.
    private var slots = 0
    /// The place of the oldest element. Always 0 in the other orders: there the elements are a stack or a binary heap.
    private var head = 0
    private(set) var count = 0
    /// With priorities, the numbers of the elements that come next: of one that is put in, and of one that is put back,
    /// which goes before its equals. The number lies behind the element in its place.
    private var nextNumber = 0
    private var returnNumber = -1

    init(of type: ElementType, order: Order) {
        self.type = type
        self.order = order
        stride = order == .priority ? type.numberOffset + max(8, type.alignment) : type.stride
    }

    deinit {
        guard let memory = unsafe memory else { return }
        for index in 0..<count { unsafe type.destroy(memory + ((head + index) & (slots - 1)) * stride) }
        unsafe memory.deallocate()
    }

    @inline(__always)
    var isEmpty: Bool { count == 0 }

    // MARK: In

    /// Where the next element is to be initialized.
    @inline(__always)
    var vacancy: UnsafeMutableRawPointer {
        mutating get {
            if count == slots { grow() }
            return unsafe place(head &+ count)
        }
    }

    /// The vacancy holds an element.
    @inline(__always)
    mutating func filled() {
        count &+= 1
        if order == .priority { rise(number: nextNumber) }
    }

    /// Moves in the element that lies at `place`.
    mutating func add(from place: UnsafeMutableRawPointer) {
        unsafe type.move(vacancy, place)
        filled()
    }

    /// The same for one that was taken out before: it is the next again, or with priorities the next of its equals.
    mutating func putBack(from place: UnsafeMutableRawPointer) {
        let vacancy = unsafe vacancy
        count &+= 1
        switch order {
        case .firstInFirstOut:
            head = (head &- 1) & (slots &- 1)
            unsafe type.move(self.place(head), place)
        case .lastInFirstOut:
            unsafe type.move(vacancy, place)
        case .priority:
            unsafe type.move(vacancy, place)
            rise(number: returnNumber)
        }
    }

    // MARK: Out

    /// The element whose turn it is. There is one.
    @inline(__always)
    var next: UnsafeMutableRawPointer {
        unsafe place(order == .lastInFirstOut ? count &- 1 : head)
    }

    /// The element whose turn it was has been moved out.
    @inline(__always)
    mutating func emptied() {
        count &-= 1
        switch order {
        case .firstInFirstOut: head = (head &+ 1) & (slots &- 1)
        case .lastInFirstOut: break
        case .priority: sink()
        }
    }

    /// All of them, to be dropped outside the lock.
    mutating func takeAll() -> ElementStore {
        var all = ElementStore(of: type, order: order)
        unsafe swap(&all.memory, &memory)
        swap(&all.slots, &slots)
        swap(&all.head, &head)
        swap(&all.count, &count)
        return all
    }

    /// Says where they are dropped, which runs code of theirs.
    consuming func drop() {}

    // MARK: The places

    @inline(__always)
    private func place(_ index: Int) -> UnsafeMutableRawPointer {
        unsafe memory.unsafelyUnwrapped + (index & (slots &- 1)) &* stride
    }

    @inline(never)
    private mutating func grow() {
        let slots = max(8, self.slots * 2)
        let places = order == .priority ? slots + 1 : slots
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: places * max(stride, 1), alignment: max(8, type.alignment))
        for index in 0..<count { unsafe relocate(to: memory + index * stride, from: place(head &+ index)) }
        unsafe self.memory?.deallocate()
        unsafe self.memory = memory
        self.slots = slots
        head = 0
    }

    private func relocate(to place: UnsafeMutableRawPointer, from other: UnsafeMutableRawPointer) {
        unsafe type.move(place, other)
        if order == .priority { unsafe setNumber(at: place, number(at: other)) }
    }

    // MARK: The heap

    private func number(at place: UnsafeMutableRawPointer) -> Int {
        unsafe place.load(fromByteOffset: type.numberOffset, as: Int.self)
    }

    private func setNumber(at place: UnsafeMutableRawPointer, _ number: Int) {
        unsafe place.storeBytes(of: number, toByteOffset: type.numberOffset, as: Int.self)
    }

    private func precedes(_ one: UnsafeMutableRawPointer, _ other: UnsafeMutableRawPointer) -> Bool {
        if unsafe type.precedes(one, other) { return true }
        // Later than its equals, or behind in any case.
        if unsafe number(at: one) > number(at: other) { return false }
        return unsafe !type.precedes(other, one)
    }

    /// The last element has come, and finds its place.
    @inline(never)
    private mutating func rise(number: Int) {
        if number < 0 { returnNumber &-= 1 } else { nextNumber &+= 1 }
        var hole = count &- 1
        unsafe setNumber(at: place(hole), number)
        guard hole > 0, unsafe precedes(place(hole), place((hole &- 1) / 2)) else { return }
        let riser = unsafe spare
        unsafe relocate(to: riser, from: place(hole))
        repeat {
            let parent = (hole &- 1) / 2
            guard unsafe precedes(riser, place(parent)) else { break }
            unsafe relocate(to: place(hole), from: place(parent))
            hole = parent
        } while hole > 0
        unsafe relocate(to: place(hole), from: riser)
    }

    /// The first place is free, and the last element finds another one.
    @inline(never)
    private mutating func sink() {
        if count == 0 { return }
        let sinker = unsafe spare
        unsafe relocate(to: sinker, from: place(count))
        var hole = 0
        while true {
            var child = 2 * hole + 1
            if child >= count { break }
            if child + 1 < count, unsafe precedes(place(child + 1), place(child)) { child += 1 }
            guard unsafe precedes(place(child), sinker) else { break }
            unsafe relocate(to: place(hole), from: place(child))
            hole = child
        }
        unsafe relocate(to: place(hole), from: sinker)
    }

    private var spare: UnsafeMutableRawPointer { unsafe memory.unsafelyUnwrapped + slots &* stride }
}

/// What a store must know of its elements. Made in the user's code, so that each of these is the type's own.
@usableFromInline @safe
struct ElementType: Sendable {
    @usableFromInline typealias Place = UnsafeMutableRawPointer

    @usableFromInline let stride: Int
    @usableFromInline let alignment: Int
    @usableFromInline let move: @Sendable (_ to: Place, _ from: Place) -> Void
    @usableFromInline let destroy: @Sendable (Place) -> Void
    /// For priorities.
    @usableFromInline let precedes: @Sendable (Place, Place) -> Bool

    /// Where a number lies behind an element.
    var numberOffset: Int { (stride + 7) & ~7 }

    @inlinable
    init<Element>(
        of type: Element.Type, precedes: (@Sendable (Element, Element) -> Bool)? = nil
    ) {
        stride = MemoryLayout<Element>.stride
        alignment = MemoryLayout<Element>.alignment
        unsafe move = { to, from in
            unsafe to.assumingMemoryBound(to: Element.self)
                .moveInitialize(from: from.assumingMemoryBound(to: Element.self), count: 1)
        }
        unsafe destroy = { unsafe $0.assumingMemoryBound(to: Element.self).deinitialize(count: 1) }
        if let precedes {
            unsafe self.precedes = { one, other in
                unsafe precedes(
                    one.assumingMemoryBound(to: Element.self).pointee,
                    other.assumingMemoryBound(to: Element.self).pointee)
            }
        } else {
            unsafe self.precedes = { _, _ in false }
        }
    }
}
