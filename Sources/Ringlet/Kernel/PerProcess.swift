import Synchronization

/// An object that the child of a fork(2) does not share with its parent: the first call there makes another.
///
/// Without a lock, since one could be held at the fork by a thread that is not in the child. The parent's
/// object is leaked in the child, for the same reason.
@safe
final class PerProcess<Object: AnyObject & Sendable>: Sendable {
    private final class Entry {
        let forks: UInt32
        let object: Object

        init(_ object: Object, after forks: UInt32 = Fork.count) {
            self.forks = forks
            self.object = object
        }
    }

    /// A retained ``Entry``. Written by whoever finds that of the parent.
    private let entry: Atomic<UInt>
    private let renew: @Sendable (Object) -> Object

    convenience init(_ make: @escaping @Sendable () -> Object) {
        self.init(make()) { _ in make() }
    }

    /// - Parameters:
    ///   - forks: How many there were when `first` was made.
    ///   - renew: Makes the child's object of the parent's, whose locks may be held for ever. Threads that come
    ///     at the same time may each call it, and one of the results is used.
    init(
        _ first: Object, after forks: UInt32 = Fork.count, renew: @escaping @Sendable (_ old: Object) -> Object
    ) {
        Fork.watch()
        self.renew = renew
        entry = Atomic(Self.retained(Entry(first, after: forks)))
    }

    /// This process's own. Any thread.
    var object: Object {
        while true {
            let seen = entry.load(ordering: .acquiring)
            let current = unsafe Self.reference(seen)
            let (found, old) = unsafe current._withUnsafeGuaranteedRef {
                ($0.forks == Fork.count ? $0.object : nil, $0.object)
            }
            if let found { return found }
            let new = Self.retained(Entry(renew(old)))
            let (exchanged, _) = entry.compareExchange(
                expected: seen, desired: new, ordering: .acquiringAndReleasing)
            if !exchanged { unsafe Self.reference(new).release() }
        }
    }

    deinit {
        unsafe Self.reference(entry.load(ordering: .acquiring)).release()
    }

    private static func retained(_ entry: Entry) -> UInt {
        UInt(bitPattern: unsafe Unmanaged.passRetained(entry).toOpaque())
    }

    private static func reference(_ word: UInt) -> Unmanaged<Entry> {
        unsafe .fromOpaque(UnsafeRawPointer(bitPattern: word).unsafelyUnwrapped)
    }
}
