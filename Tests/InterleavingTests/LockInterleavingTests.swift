import Testing

@testable import Ringlet

/// Locks, permits, events and conditions between plain threads, in every order of their accesses to what they share. A wait
/// with a deadline may end at any moment.
@Suite struct LockInterleavingTests {
    @Test(arguments: [(2, 1, Int.max), (2, 2, 3), (3, 1, 2), (4, 1, 1)])
    func `a lock is held by one at a time and lost by nobody`(threads: Int, times: Int, preemptions: Int) {
        let report = Interleaver.everyOrder(preemptions: preemptions) {
            let lock = Lock()
            let section = Section()
            return Interleaved(
                (0..<threads).map { _ in
                    {
                        for _ in 0..<times {
                            try lock.lock()
                            section.pass()
                            try lock.unlock()
                        }
                    }
                }
            ) {
                section.violation(expecting: threads * times)
                    ?? (lock.isLocked || lock.waiting > 0 ? "the lock is not free at the end" : nil)
            }
        }
        expectClean(report)
    }

    @Test func `a lock survives waits that end early`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let lock = Lock()
            let section = Section()
            let patient = {
                try lock.lock()
                section.pass()
                try lock.unlock()
            }
            let impatient = {
                do { try lock.lock(deadline: .sometime) } catch is TimeoutError { return section.skip() }
                section.pass()
                try lock.unlock()
            }
            return Interleaved([patient, impatient, impatient]) {
                section.violation(expecting: 3)
                    ?? (lock.isLocked || lock.waiting > 0 ? "the lock is not free at the end" : nil)
            }
        }
        expectClean(report)
    }

    @Test func `whoever tries a lock gets it, or somebody else has it`() {
        let report = Interleaver.everyOrder(preemptions: 3) {
            let lock = Lock()
            let section = Section()
            let trier = {
                if lock.tryLock() {
                    section.pass()
                    try lock.unlock()
                } else {
                    section.skip()
                }
            }
            let waiter = {
                try lock.lock()
                section.pass()
                try lock.unlock()
            }
            return Interleaved([trier, waiter, trier]) {
                section.violation(expecting: 3) ?? (lock.isLocked ? "the lock is not free at the end" : nil)
            }
        }
        expectClean(report)
    }

    @Test(arguments: [(2, 1, 4), (3, 1, 2), (3, 2, 2)])
    func `a semaphore lets in as many as it has permits`(threads: Int, permits: Int, preemptions: Int) {
        let report = Interleaver.everyOrder(preemptions: preemptions) {
            let semaphore = BoundedSemaphore(permits)
            let section = Section(limit: permits)
            return Interleaved(
                (0..<threads).map { number in
                    {
                        do {
                            try semaphore.acquire(deadline: number == 0 ? .sometime : .never)
                        } catch is TimeoutError { return section.skip() }
                        section.pass()
                        try semaphore.release()
                    }
                }
            ) {
                section.violation(expecting: threads)
                    ?? (semaphore.available == permits ? nil : "\(semaphore.available) of \(permits) permits are left")
            }
        }
        expectClean(report)
    }

    @Test func `an event that is set wakes everybody who waits, even if it is cleared at once`() {
        let report = Interleaver.everyOrder(preemptions: 1) {
            let event = Event()
            let gate = Event()
            let waiter = { try event.wait() }
            let late = {
                do { try event.wait(deadline: .sometime) } catch is TimeoutError {}
            }
            let setter = {
                try gate.wait()
                event.set()
                event.clear()
                // For who came too late.
                event.set()
            }
            return Interleaved([waiter, late, setter, { gate.set() }]) {
                event.isSet && event.waiting == 0 ? nil : "the event is not set, or somebody still waits"
            }
        }
        expectClean(report)
    }

    @Test func `what was written before an event was set is there after it`() {
        let report = Interleaver.everyOrder {
            let event = Event()
            let box = Section()
            return Interleaved([
                {
                    box.skip()
                    event.set()
                },
                {
                    try event.wait()
                    if box.count != 1 { throw Wrong("the event came before what it tells") }
                },
            ])
        }
        expectClean(report)
    }

    @Test func `a condition's notification is lost by nobody who waits`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let stock = Stock()
            return Interleaved([{ try stock.take() }, { try stock.take() }, { try stock.add(2) }]) {
                stock.count == 0 && !stock.lock.isLocked ? nil : "\(stock.count) items are left"
            }
        }
        expectClean(report)
    }

    @Test func `a notification that comes with a deadline goes on to another waiter`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let stock = Stock()
            var left = 0
            let impatient = {
                do { try stock.take(deadline: .sometime) } catch is TimeoutError { left = 1 }
            }
            return Interleaved([{ try stock.take() }, impatient, { try stock.add(2) }]) {
                if stock.lock.isLocked { return "the lock is not free at the end" }
                return stock.count == left ? nil : "\(stock.count) items are left instead of \(left)"
            }
        }
        expectClean(report)
    }

    @Test func `a barrier lets all go in one generation`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let barrier = Barrier(parties: 2)
            let places = Section()
            let party = { places.count += try barrier.wait() }
            return Interleaved([party, party, party, party]) {
                places.count == 2 ? nil : "the places of two generations add up to \(places.count)"
            }
        }
        expectClean(report)
    }

    @Test func `a limiter's tokens come back whoever gives up`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let limiter = CapacityLimiter(capacity: 1)
            let section = Section()
            let holder = { (name: String, deadline: Deadline) in
                {
                    do {
                        try limiter.acquire(as: .named(name), deadline: deadline)
                    } catch is TimeoutError { return section.skip() }
                    section.pass()
                    try limiter.release(as: .named(name))
                }
            }
            return Interleaved([holder("a", .never), holder("b", .sometime), holder("c", .never)]) {
                section.violation(expecting: 3)
                    ?? (limiter.available == 1 ? nil : "the token is still held")
            }
        }
        expectClean(report)
    }
}

/// Items that are waited for with a condition.
private final class Stock {
    let lock = Lock()
    private let condition: Condition
    private(set) var count = 0

    init() { condition = Condition(lock) }

    func take(deadline: Deadline = .never) throws {
        try lock.lock()
        do { try condition.wait(deadline: deadline) { count > 0 } } catch {
            try lock.unlock()
            throw error
        }
        count -= 1
        try lock.unlock()
    }

    /// One at a time, each with its notification.
    func add(_ items: Int) throws {
        for _ in 0..<items {
            try lock.lock()
            count += 1
            try condition.notify()
            try lock.unlock()
        }
    }
}
