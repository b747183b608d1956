import Glibc
import Testing

@testable import Ringlet

/// What threads share with a worker, in every order. The worker is that of a guest scheduler which nobody runs meanwhile.
@Suite struct WorkerInterleavingTests {
    @Test(arguments: [(1, Int.max), (2, 3)])
    func `a worker that sleeps is woken by whoever pushes`(producers: Int, preemptions: Int) {
        let report = Interleaver.everyOrder(preemptions: preemptions) {
            let inbox = Inbox()
            return Interleaved(
                [{ inbox.takes(producers) }] + (0..<producers).map { _ in { inbox.queue.push(Item().runnable) } })
        }
        expectClean(report)
    }

    @Test func `what one thread pushes comes in its order`() {
        let report = Interleaver.everyOrder(preemptions: 3) {
            let inbox = Inbox()
            return Interleaved([
                { inbox.takes(3) },
                { for number in 1...2 { inbox.queue.push(Item(number).runnable) } },
                { inbox.queue.push(Item(9).runnable) },
            ]) {
                let own = inbox.numbers.filter { $0 < 9 }
                return own == [1, 2] ? nil : "they came as \(inbox.numbers)"
            }
        }
        expectClean(report)
    }

    @Test func `workers find out that all are quiet when they are, and only then`() {
        let report = Interleaver.everyOrder(preemptions: 3) {
            let work = Section()
            let (busy, sleeper) = (Member(), Member())
            sleeper.mark.begin()
            work.count = 1
            var findings = 0
            let look = {
                if QuietMark.allAreQuiet([busy, sleeper], { $0.mark.value }) {
                    findings += 1
                    if work.count > 0 { throw Wrong("quiet while there is work") }
                }
            }
            return Interleaved([
                {
                    // The work goes on to the other one.
                    sleeper.inbox.queue.push(Item().runnable)
                    busy.mark.begin()
                    try look()
                },
                {
                    _ = Interleaving.current?.sleep(mayTimeOut: false) { !sleeper.hasEmptyInbox }
                    sleeper.mark.end()
                    sleeper.inbox.takesOne()
                    Interleaving.step()
                    work.count = 0
                    sleeper.mark.begin()
                    try look()
                },
            ]) { findings > 0 ? nil : "nobody found that all are quiet" }
        }
        expectClean(report)
    }

    @Test func `that no fiber is left is found when it is so, and only then`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let living = Section()
            let (first, second) = (Tallied(), Tallied())
            first.tally.hasSpawned()
            living.count = 1
            var findings = 0
            let look = { (counts: Bool) in
                // The one that is spawned later is looked at first.
                guard FiberTally.live([second, first]) == 0 else { return }
                if living.count > 0 { throw Wrong("none is left, but \(living.count) live") }
                if counts { findings += 1 }
            }
            func end(_ fiber: Tallied) throws {
                Interleaving.step()
                living.count -= 1
                fiber.tally.hasEnded()
                try look(true)
            }
            return Interleaved([
                {
                    living.count += 1
                    second.tally.hasSpawned()
                    try end(first)
                },
                {
                    _ = Interleaving.current?.sleep(mayTimeOut: false) { second.tally.spawned > 0 }
                    try end(second)
                },
                { try look(false) },
            ]) { findings > 0 ? nil : "neither found that none is left" }
        }
        expectClean(report)
    }

    @Test func `a reader of a worker's figures gets those of one turn`() throws {
        let report = try withIdleWorker { worker in
            Interleaver.everyOrder(preemptions: 2) {
                let meter = WorkerMeter()
                worker.counters.turns = 0
                worker.counters.jobs = 0
                return Interleaved([
                    {
                        for turn in 1...2 {
                            worker.counters.turns = UInt64(turn)
                            worker.counters.jobs = UInt64(turn)
                            meter.show(worker)
                        }
                    },
                    {
                        let figures = meter.read()
                        if figures.turns != figures.jobs {
                            throw Wrong("\(figures.turns) turns and \(figures.jobs) jobs are of two turns")
                        }
                    },
                ])
            }
        }
        expectClean(report)
    }

    @Test func `a callback is called, or cancelled by one who is told so`() throws {
        let report = try withIdleWorker { worker in
            Interleaver.everyOrder(preemptions: 4) {
                let calls = Section()
                var cancels = 0
                let callback = Callback(
                    on: worker, deadline: nil, holdsScheduler: true, site: .none
                ) { [calls = UncheckedSection(calls)] in calls.section.count += 1 }
                let address = unsafe UInt(bitPattern: Unmanaged.passRetained(callback).toOpaque())
                let canceller = { if callback.cancel() { cancels += 1 } }
                return Interleaved([
                    { Callback.run(Runnable(address: address, kind: .callback), on: worker) }, canceller, canceller,
                ]) {
                    if calls.count + cancels != 1 { return "\(calls.count) calls and \(cancels) cancellations" }
                    return callback.isCancelled == (cancels == 1) && !callback.isPending ? nil : "it says otherwise"
                }
            }
        }
        expectClean(report)
    }

    @Test func `a scope that is cancelled as it is entered cancels who enters it`() throws {
        let report = try withIdleWorker { worker in
            Interleaver.everyOrder(preemptions: 4) {
                let scope = CancelScope()
                let task = TaskHandle()
                return Interleaved([
                    {
                        try scope.enter(.task(task), timerOf: worker)
                        if scope.isCancelled { task.cancel() }
                    },
                    { scope.cancel() },
                    { scope.cancel() },
                ]) { task.isCancelled && !scope.hasExpired ? nil : "who entered the scope was not cancelled" }
            }
        }
        expectClean(report)
    }
}

/// A worker as its count of fibers sees it.
private final class Tallied: FiberTallyHolder {
    let tally = FiberTally()
    var fibersEnded: Int { tally.ended }
    var fibersSpawned: Int { tally.spawned }
}

/// Something to push: an object whose link is where the queue expects it.
private final class Item {
    // At offset 16.
    private var link: UInt = 0
    let number: Int

    init(_ number: Int = 0) { self.number = number }

    /// The item as something to run, which holds one reference to it.
    var runnable: Runnable {
        Runnable(address: unsafe UInt(bitPattern: Unmanaged.passRetained(self).toOpaque()), kind: .message)
    }

    static func take(_ runnable: Runnable) -> Item {
        unsafe Unmanaged<Item>.fromOpaque(UnsafeRawPointer(bitPattern: runnable.address).unsafelyUnwrapped)
            .takeRetainedValue()
    }
}

/// The queue, with a consumer that sleeps as a worker does.
private final class Inbox {
    let queue = try! InjectionQueue()
    private(set) var numbers: [Int] = []
    private var ready = RunQueue()

    func takes(_ count: Int) { for _ in 0..<count { takesOne() } }

    func takesOne() {
        while true {
            _ = queue.drain(into: &ready)
            if let runnable = ready.pop() {
                numbers.append(Item.take(runnable).number)
                return
            }
            if queue.park() {
                _ = Interleaving.current?.sleep(mayTimeOut: false) { self.isSignalled }
                queue.unpark()
                var count: UInt64 = 0
                unsafe read(queue.wake.descriptor, &count, 8)
            }
        }
    }

    private var isSignalled: Bool {
        var wait = pollfd(fd: queue.wake.descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&wait, 1, 0) == 1
    }
}

/// Marks itself as a worker does.
private final class Member: QuietMember {
    let inbox = Inbox()
    let mark = QuietMark()
    let hasEnded = false
    var hasEmptyInbox: Bool { inbox.queue.isEmpty }
}
