import SystemPackage
import Synchronization

/// What a pool of threads is asked to be. Any thread.
final class CrewTerms: Sendable {
    /// Threads are called so, with a number.
    let name: String
    /// How long a thread waits for work before it ends.
    let idleTime: Duration
    /// At least 1. Written under the crew's lock.
    let limit: Atomic<Int>
    /// No work is accepted any more. Written under the crew's lock, once.
    let isClosed = Atomic<Bool>(false)

    init(name: String, limit: Int, idleTime: Duration) {
        self.name = name
        self.idleTime = idleTime
        self.limit = Atomic(limit)
    }
}

/// Threads that do work which blocks: started when there is work and none is idle, up to a limit, and ended when
/// they have been idle for a while. Any thread.
///
/// The work is handed to a thread directly. Idle ones are taken last in, first out: the one whose caches are warm
/// works, and the surplus comes to rest.
final class ThreadCrew: Sendable {
    let terms: CrewTerms

    /// Guarded by the lock.
    struct State {
        /// Idle, at work or starting.
        var threads = 0
        /// Threads that were ever started: the next one's number.
        var started = 0
        var idle: [CrewThread] = []
        var waiting = WorkQueue()
        /// Work that has a thread.
        var served: [ObjectIdentifier: CrewTicket] = [:]
        /// How many of those have let one thread more in than the limit says.
        var grants = 0
    }

    private let state = PlainLock(State())

    /// Starts a thread: returns 0 or an errno.
    private let startThread: @Sendable (CrewThread) -> Int32

    /// Closed, and no thread is left.
    let ended = Occurrence("the threads of a pool to end", .thread)

    /// - Parameter startThread: For tests, in which a thread does not start.
    init(_ terms: CrewTerms, startThread: @escaping @Sendable (CrewThread) -> Int32 = { $0.start() }) {
        self.terms = terms
        self.startThread = startThread
    }

    /// No thread is left: each holds the crew.
    deinit { state.destroy() }

    // MARK: Work

    /// Has a thread do `work`, at once or when its turn comes, or refuses it.
    func submit(_ work: any CrewWork) {
        enum Decision {
            case refuse
            case wait
            case wake(CrewThread)
            case start(number: Int, grant: CrewTicket?)
        }
        let decision: Decision = state.withLock { state in
            if terms.isClosed.load(ordering: .relaxed) { return .refuse }
            if let thread = state.idle.popLast() {
                state.serve(work)
                return .wake(thread)
            }
            var grant: CrewTicket?
            if state.threads >= allowance(state) {
                grant = work.ticket.takeGrant(of: self)
                if grant != nil { state.grants += 1 }
            }
            if state.threads >= allowance(state) {
                state.waiting.append(work)
                return .wait
            }
            state.serve(work)
            return .start(number: state.newThread(), grant: grant)
        }
        switch decision {
        case .refuse: work.refuse(.closed)
        case .wait: break
        case .wake(let thread): thread.wake(with: work)
        case .start(let number, let grant): start(number, with: work, grant: grant)
        }
    }

    private func allowance(_ state: State) -> Int {
        terms.limit.load(ordering: .relaxed) + state.grants
    }

    /// - Parameter grant: Whose account the thread is beyond the limit on.
    /// - Returns: False when the thread could not be started.
    @discardableResult
    private func start(_ number: Int, with work: any CrewWork, grant: CrewTicket? = nil) -> Bool {
        let error = startThread(CrewThread(of: self, name: "\(terms.name)-\(number)", work: work))
        if error == 0 { return true }
        // The machine's limit instead of ours: the other threads do it. What they cannot do nobody can.
        let (thread, refused): (CrewThread?, [any CrewWork]) = state.withLock { state in
            state.threads -= 1
            state.withdraw(work.ticket)
            if let grant, grant.returnsGrant() { state.grants -= 1 }
            // One has come to rest meanwhile, so nothing waits.
            if let thread = state.idle.popLast() {
                state.serve(work)
                return (thread, [])
            }
            if state.threads == 0 { return (nil, [work] + state.waiting.takeAll()) }
            // They may all be waiting for it.
            if work.ticket.hasAncestor(in: self) { return (nil, [work]) }
            state.waiting.prepend(work)
            return (nil, [])
        }
        thread?.wake(with: work)
        for work in refused { work.refuse(.noThread(Errno(rawValue: error))) }
        announceEndIfOver()
        return false
    }

    // MARK: For the threads

    /// What `thread` is to do now that `done` has ended.
    ///
    /// The thread is idle, or at something else, before anybody hears that the work has ended: who makes one call after
    /// another needs one thread.
    func next(for thread: CrewThread, after done: any CrewWork) -> CrewThread.Step {
        let step: CrewThread.Step = state.withLock { state in
            state.withdraw(done.ticket)
            if state.threads > allowance(state) {
                state.threads -= 1
                return .leave
            }
            if let work = state.waiting.popFirst() {
                state.serve(work)
                thread.goOn(with: work)
                return .goOn
            }
            if terms.isClosed.load(ordering: .relaxed) {
                state.threads -= 1
                return .leave
            }
            state.idle.append(thread)
            return .sleep
        }
        done.announce()
        if step == .leave { announceEndIfOver() }
        return step
    }

    /// Until the idle thread has work; false when it is to end, and has been counted out.
    func sleep(_ thread: CrewThread) -> Bool {
        if thread.sleep(until: .after(terms.idleTime)) { return thread.hasWork }
        let leaves = state.withLock { state in
            guard let place = state.idle.firstIndex(where: { $0 === thread }) else { return false }
            state.idle.remove(at: place)
            state.threads -= 1
            return true
        }
        if leaves { return false }
        // Somebody has taken it out of the list and is about to wake it.
        _ = thread.sleep(until: .never)
        return thread.hasWork
    }

    // MARK: Size and end

    /// Changes the limit. Threads that are too many end when their work has; work that waits gets the new ones.
    func resize(to limit: Int) {
        let dismissed: [CrewThread] = state.withLock { state in
            terms.limit.store(limit, ordering: .relaxed)
            let surplus = min(max(state.threads - allowance(state), 0), state.idle.count)
            let dismissed = Array(state.idle.prefix(surplus))
            state.idle.removeFirst(surplus)
            state.threads -= surplus
            return dismissed
        }
        for thread in dismissed { thread.wake(with: nil) }
        // Until the machine's own limit.
        while let (number, work) = placeForWaiting(), start(number, with: work) {}
        announceEndIfOver()
    }

    private func placeForWaiting() -> (Int, any CrewWork)? {
        state.withLock { state in
            guard state.threads < allowance(state), let work = state.waiting.popFirst() else { return nil }
            state.serve(work)
            return (state.newThread(), work)
        }
    }

    /// Accepts no work any more. What was accepted is done, or dropped while it waits.
    func close(droppingWaiting: Bool) {
        let (dismissed, dropped): ([CrewThread], [any CrewWork]) = state.withLock { state in
            terms.isClosed.store(true, ordering: .relaxed)
            let idle = state.idle
            state.idle = []
            state.threads -= idle.count
            return (idle, droppingWaiting ? state.waiting.takeAll() : [])
        }
        for thread in dismissed { thread.wake(with: nil) }
        for work in dropped { work.refuse(.dropped) }
        announceEndIfOver()
    }

    private func announceEndIfOver() {
        let isOver = state.withLock { $0.threads == 0 && terms.isClosed.load(ordering: .relaxed) }
        if isOver { ended.happen() }
    }

    // MARK: Figures

    func inspect<Result>(_ body: (State) -> Result) -> Result {
        state.withLock { body($0) }
    }
}

extension ThreadCrew.State {
    fileprivate mutating func serve(_ work: any CrewWork) {
        work.ticket.begins()
        served[ObjectIdentifier(work.ticket)] = work.ticket
    }

    fileprivate mutating func withdraw(_ ticket: CrewTicket) {
        served[ObjectIdentifier(ticket)] = nil
        if ticket.ends() { grants -= 1 }
    }

    fileprivate mutating func newThread() -> Int {
        threads += 1
        started += 1
        return started
    }
}

/// Work that waits for a thread, first in, first out.
struct WorkQueue {
    private var items: [(any CrewWork)?] = []
    private var head = 0

    var count: Int { items.count - head }

    mutating func append(_ work: any CrewWork) { items.append(work) }

    /// Before all others.
    mutating func prepend(_ work: any CrewWork) {
        if head > 0 {
            head -= 1
            items[head] = work
        } else {
            items.insert(work, at: 0)
        }
    }

    mutating func popFirst() -> (any CrewWork)? {
        guard head < items.count else { return nil }
        defer {
            items[head] = nil
            head += 1
            // Each item is moved once for each time the array halves.
            if head > items.count / 2 {
                items.removeFirst(head)
                head = 0
            }
        }
        return items[head]
    }

    mutating func takeAll() -> [any CrewWork] {
        defer { self = WorkQueue() }
        return items.dropFirst(head).compactMap { $0 }
    }
}
