import SystemPackage
import Synchronization

/// Work for a thread of a crew.
protocol CrewWork: AnyObject, Sendable {
    var ticket: CrewTicket { get }

    /// Called once, on a thread of the crew, which it may block.
    func run()

    /// Called after it, when the thread is free again: tells who waits.
    func announce()

    /// Called instead of both when no thread will come. Any thread.
    func refuse(_ reason: CrewRefusal)
}

/// Why a crew does not do some work.
enum CrewRefusal {
    /// The crew had been closed.
    case closed
    /// The work was accepted, and then dropped by who closed the crew.
    case dropped
    /// No thread could be started, and there is none, or none that does not perhaps wait for the work.
    case noThread(Errno)
}

/// What a crew keeps about one piece of work.
final class CrewTicket: Sendable {
    /// Names it in reports.
    let name: String?

    /// What runs in the same crew or in others and was the reason for this, directly or through fibers and tasks.
    let ancestors: [CrewTicket]

    /// The crew is asked, and never reached through this.
    private let crew: ObjectIdentifier

    /// From the moment a thread is found until the work has ended. Written under the crew's lock, read by anyone.
    private let isServed = Atomic<Bool>(false)

    /// The crew has let in a thread more on account of this. Touched under the crew's lock.
    private let hasGrant = Atomic<Bool>(false)

    init(name: String?, of crew: ThreadCrew, ancestors: [CrewTicket]) {
        self.name = name
        self.crew = ObjectIdentifier(crew)
        self.ancestors = ancestors
    }

    var isRunning: Bool { isServed.load(ordering: .acquiring) }

    // MARK: Under the crew's lock

    func begins() { isServed.store(true, ordering: .releasing) }

    /// True when the thread more is to be taken back.
    func ends() -> Bool {
        isServed.store(false, ordering: .releasing)
        return hasGrant.exchange(false, ordering: .relaxed)
    }

    /// The ancestor that occupies a thread of `crew` and so entitles this to one that is not in the limit: the ancestor
    /// may wait for it. Once per ancestor.
    func takeGrant(of crew: ThreadCrew) -> CrewTicket? {
        let ancestor = ancestors.first { $0.occupies(crew) && !$0.hasGrant.load(ordering: .relaxed) }
        ancestor?.hasGrant.store(true, ordering: .relaxed)
        return ancestor
    }

    /// The thread more did not come. False when the grant has ended with its reason.
    func returnsGrant() -> Bool { hasGrant.exchange(false, ordering: .relaxed) }

    /// An ancestor that may wait for this occupies a thread.
    func hasAncestor(in crew: ThreadCrew) -> Bool { ancestors.contains { $0.occupies(crew) } }

    private func occupies(_ crew: ThreadCrew) -> Bool { self.crew == ObjectIdentifier(crew) && isRunning }
}
