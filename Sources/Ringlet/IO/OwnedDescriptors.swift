import Synchronization

/// The numbers of the open descriptors that connections, listeners, files and their like own, in the whole process.
///
/// A bit each, under a lock that is held for one access: 20 ns beside the system calls that open and close a file.
enum OwnedDescriptors {
    private static let words = Mutex<[UInt64]>([])

    /// Any thread.
    static func contains(_ descriptor: Int32) -> Bool {
        if descriptor < 0 { return false }
        return words.withLock { words in
            let word = Int(descriptor) / 64
            return words.indices.contains(word) && words[word] & bit(descriptor) != 0
        }
    }

    /// Before the object that owns it is used.
    static func insert(_ descriptor: Int32) {
        words.withLock { words in
            let word = Int(descriptor) / 64
            if word >= words.count {
                words.append(contentsOf: repeatElement(0, count: word + 1 - words.count))
            }
            words[word] |= bit(descriptor)
        }
    }

    /// Before it is closed: after that the number may be another's.
    static func remove(_ descriptor: Int32) {
        words.withLock { $0[Int(descriptor) / 64] &= ~bit(descriptor) }
    }

    private static func bit(_ descriptor: Int32) -> UInt64 { 1 << UInt64(descriptor % 64) }
}
