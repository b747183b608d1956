/// First in, first out: what the worker runs next. For the worker's thread.
///
/// Fibers and jobs share one queue, so neither can starve the other.
struct RunQueue: ~Copyable {
    private var words = HotArray<UInt>(repeating: 0, capacity: 256)
    private var mask = 255
    // Free-running; the capacity is a power of two.
    private var head = 0
    private var tail = 0
    /// Places between the two from which something was taken. They hold 0, and the last place is none of them.
    private var gaps = 0

    /// Where the first one lay when something passed it last, and in which turn that began.
    private var passed = Int.min
    private var turnOfPass: UInt64 = 0

    @inline(__always)
    var count: Int { tail &- head &- gaps }

    @inline(__always)
    var isEmpty: Bool { head == tail }

    @inline(__always)
    mutating func push(_ runnable: Runnable) {
        if tail &- head > mask { grow() }
        words[tail & mask] = runnable.word
        tail &+= 1
    }

    @inline(__always)
    mutating func pop() -> Runnable? {
        while !isEmpty {
            let word = words[head & mask]
            head &+= 1
            if _fastPath(word != 0) { return Runnable(word: word) }
            gaps &-= 1
        }
        return nil
    }

    // MARK: Out of turn

    /// Where the next one that is pushed will lie.
    @inline(__always)
    var nextPlace: Int { tail }

    /// What was pushed before the one at `place`, if that is still queued and the other one, too.
    func neighbour(before place: Int) -> Runnable? {
        guard place &- 1 >= head, place < tail else { return nil }
        let word = words[(place &- 1) & mask]
        return word == 0 ? nil : Runnable(word: word)
    }

    /// Makes the first one what was pushed at `place`. O(1).
    ///
    /// - Returns: False when it has left that place, or when the first one is passed in a third turn of the worker: how
    ///   much a turn may do is limited, and so is how long others wait.
    mutating func bringForward(_ runnable: Runnable, from place: Int, in turn: UInt64) -> Bool {
        guard place >= head, place < tail, words[place & mask] == runnable.word else { return false }
        if head > passed {
            passed = head
            turnOfPass = turn
        }
        if turn &- turnOfPass > 1 { return false }
        words[place & mask] = 0
        gaps += 1
        dropGapsAtEnd()
        pushFirst(runnable)
        return true
    }

    /// Makes the first one what was pushed last.
    mutating func bringLastForward() {
        let last = Runnable(word: words[(tail &- 1) & mask])
        tail &-= 1
        dropGapsAtEnd()
        pushFirst(last)
    }

    private mutating func dropGapsAtEnd() {
        while tail != head && words[(tail &- 1) & mask] == 0 {
            tail &-= 1
            gaps &-= 1
        }
    }

    private mutating func pushFirst(_ runnable: Runnable) {
        if tail &- head > mask { grow() }
        head &-= 1
        words[head & mask] = runnable.word
    }

    // MARK: As a whole

    /// The runnable so many places behind the first. Where nothing is brought forward from its place.
    subscript(distance: Int) -> Runnable {
        assert(distance < count && gaps == 0)
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
        for place in head..<tail where words[place & mask] != 0 { body(Runnable(word: words[place & mask])) }
    }

    /// Forgets what is queued.
    mutating func removeAll() {
        head = tail
        gaps = 0
    }

    @inline(never)
    private mutating func grow() {
        var larger = HotArray<UInt>(repeating: 0, capacity: words.capacity * 2)
        let largerMask = larger.capacity - 1
        // Who was pushed knows its place.
        for place in head..<tail { larger[place & largerMask] = words[place & mask] }
        swap(&words, &larger)
        larger.deallocate()
        mask = largerMask
    }

    deinit {
        words.deallocate()
    }
}
