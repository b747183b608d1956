import Synchronization

@testable import Ringlet

// What programs outside the suite use as well: the fuzzer of programs of fibers. So nothing here is of the testing library.

/// Something that becomes true once.
final class Flag: Sendable {
    private let value = Synchronization.Atomic<Bool>(false)

    var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }

    func set() { value.store(true, ordering: .sequentiallyConsistent) }
}

/// A variable that any thread may read and write.
final class Shared<Value: Sendable>: Sendable {
    private let storage: Synchronization.Mutex<Value>

    init(_ value: Value) { storage = Synchronization.Mutex(value) }

    var value: Value {
        get { storage.withLock { $0 } }
        set { storage.withLock { $0 = newValue } }
    }
}

/// An error that is told from every other by its number.
struct Failure: Error, Equatable {
    var number = 0
}

/// The condition did not come true in a time that suffices on the slowest machine.
struct WaitedTooLong: Error {
    let what: String
}

/// Upper bound for what must happen. No test takes as long unless something is wrong, and nobody waits for it then but
/// whoever looks for the fault; so it is chosen for a machine that a hundred others use at the same time.
let patience = Duration.seconds(600)

/// Lets other fibers run until `condition` holds.
func yieldUntil(_ what: String, _ condition: () -> Bool) throws {
    let limit = Deadline.after(patience)
    while !condition() {
        if limit.hasPassed { throw WaitedTooLong(what: what) }
        try Fiber.yield()
    }
}

/// A small generator whose sequences a seed reproduces (Steele, Lea and Flood, 2014).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
