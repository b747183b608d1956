import Synchronization

/// How far a ``BlockingJob`` is. Whoever ends the phase of waiting owns the work. Any thread.
struct WorkPhase: ~Copyable, Sendable {
    // Not private: the compiler (6.3.1) fails where a property of this type is in another file.
    enum Phase: UInt8, AtomicRepresentable {
        case waiting, running
        /// Running, for a waiter who was cancelled.
        case runningInVain
        case ended
        /// Taken back before it began.
        case withdrawn
    }

    private let phase = Atomic<Phase>(.waiting)

    private func moves(from old: Phase, to new: Phase) -> Bool {
        phase.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing).exchanged
    }

    /// A thread begins the work. False when there is nothing to begin any more.
    func begins() -> Bool { moves(from: .waiting, to: .running) }

    /// The work that began is done. True when its waiter was cancelled meanwhile, and waited.
    func ends() -> Bool { phase.exchange(.ended, ordering: .acquiringAndReleasing) == .runningInVain }

    /// No thread will come. False when one has, or the work was taken back.
    func isRefused() -> Bool { moves(from: .waiting, to: .ended) }

    /// Takes back work that has not begun. False when it has.
    func isWithdrawn() -> Bool { moves(from: .waiting, to: .withdrawn) }

    /// It was taken back, by whoever tells those who wait: it has no end of its own.
    var wasWithdrawn: Bool { phase.load(ordering: .acquiring) == .withdrawn }

    /// A waiter who was cancelled, perhaps again, waits for the end of work that has begun. False when that is there.
    func isInVain() -> Bool {
        let (isNew, old) = phase.compareExchange(
            expected: .running, desired: .runningInVain, ordering: .acquiringAndReleasing)
        return isNew || old == .runningInVain
    }
}
