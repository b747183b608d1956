/// First in, first out: what the worker runs next. For the worker's thread.
///
/// Fibers and jobs share one queue, so neither can starve the other.
struct RunQueue: ~Copyable {
    private var words = HotArray<UInt>(repeating: 0, capacity: 256)
    private var mask = 255
    // Free-running; the capacity is a power of two.
    private var head = 0
    private var tail = 0

    @inline(__always)
    var count: Int { tail &- head }

    @inline(__always)
    var isEmpty: Bool { head == tail }

    @inline(__always)
    mutating func push(_ runnable: Runnable) {
        if count > mask { grow() }
        words[tail & mask] = runnable.word
        tail &+= 1
    }

    @inline(__always)
    mutating func pop() -> Runnable? {
        if isEmpty { return nil }
        let word = words[head & mask]
        head &+= 1
        return Runnable(word: word)
    }

    /// The runnable so many places behind the first.
    subscript(distance: Int) -> Runnable {
        assert(distance < count)
        return Runnable(word: words[(head &+ distance) & mask])
    }

    /// Makes the runnable `distance` places behind the first the first one; the order of the others stays. O(distance).
    mutating func bringForward(_ distance: Int) {
        let first = self[distance].word
        for place in stride(from: distance, to: 0, by: -1) {
            words[(head &+ place) & mask] = words[(head &+ place &- 1) & mask]
        }
        words[head & mask] = first
    }

    /// Calls `body` with what is queued, the next one first.
    func forEach(_ body: (Runnable) -> Void) {
        for distance in 0..<count { body(self[distance]) }
    }

    /// Forgets what is queued.
    mutating func removeAll() {
        head = tail
    }

    @inline(never)
    private mutating func grow() {
        let old = words.capacity
        var larger = HotArray<UInt>(repeating: 0, capacity: old * 2)
        for index in 0..<old { larger[index] = words[(head &+ index) & (old &- 1)] }
        swap(&words, &larger)
        larger.deallocate()
        head = 0
        tail = old
        mask = old * 2 - 1
    }

    deinit {
        words.deallocate()
    }
}
