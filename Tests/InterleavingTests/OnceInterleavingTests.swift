import Glibc
import Testing

@testable import Ringlet

/// What happens once although several threads may begin it, in every order.
@Suite struct OnceInterleavingTests {
    @Test func `a promise is completed by one, and tells all`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let promise = Promise<Int>()
            let wins = Section()
            let completer = { (value: Int) in { if promise.completeIfOpen(.success(value)) { wins.count += 1 } } }
            return Interleaved([
                completer(1), completer(2),
                {
                    do {
                        let value = try promise.value(deadline: .sometime)
                        if value != (try promise.currentValue()) { throw Wrong("the value has changed") }
                    } catch is TimeoutError {}
                },
            ]) { wins.count == 1 ? nil : "\(wins.count) have completed it" }
        }
        expectClean(report)
    }

    @Test func `a call at the end is made or taken back`() {
        let report = Interleaver.everyOrder {
            let end = WaitQueue.Box()
            let calls = Section()
            let node = WaitNode(callback: { [calls = UncheckedSection(calls)] _ in calls.section.count += 1 })
            return Interleaved([
                { if !end.queue.add(node) { calls.count += 1 } },
                { end.queue.complete() },
                { if end.queue.withdraw(node) { calls.count += 10 } },
            ]) {
                // The withdrawal may have come before the node was there.
                calls.count == 1 || calls.count == 10 ? nil : "made and taken back: \(calls.count)"
            }
        }
        expectClean(report)
    }

    @Test func `a task's wait begins, or is cancelled, or is told to whoever cancels`() {
        let report = Interleaver.everyOrder {
            let cell = WaitCell()
            var hasBegun = false
            var told: UInt64?
            return Interleaved([{ hasBegun = cell.begin(7) }, { told = cell.cancel() }]) {
                guard cell.isCancelled else { return "the cancellation was lost" }
                return (told == 7) == hasBegun ? nil : "begun: \(hasBegun), told: \(told as Any)"
            }
        }
        expectClean(report)
    }

    @Test func `work runs, or is taken back, or refused, and its waiter knows which`() {
        let report = Interleaver.everyOrder {
            let phase = WorkPhase.Box()
            var owners = 0
            var (wasInVain, waits, hasRun) = (false, false, false)
            return Interleaved([
                {
                    guard phase.phase.begins() else { return }
                    owners += 1
                    wasInVain = phase.phase.ends()
                    hasRun = true
                },
                {
                    if phase.phase.isWithdrawn() { owners += 1 } else { waits = phase.phase.isInVain() }
                },
                { if phase.phase.isRefused() { owners += 1 } },
            ]) {
                if owners != 1 { return "\(owners) own the work" }
                if waits && !hasRun { return "the waiter waits for what does not run" }
                return wasInVain == waits ? nil : "in vain: \(wasInVain), waits: \(waits)"
            }
        }
        expectClean(report)
    }

    /// The waiter's time may be up at any moment, also when a thread has found that there is nothing to do.
    @Test(arguments: [BlockingJob<Int>.Patience.waits, .abandons])
    func `who waits for work gets what it came to, or leaves`(_ patience: BlockingJob<Int>.Patience) {
        let report = Interleaver.everyOrder {
            let job = blockingJob(patience)
            return Interleaved([
                { job.perform(); job.announce() },
                {
                    do {
                        if try job.wait("wait", deadline: .sometime) != 7 { throw Wrong("another value") }
                    } catch is CancellationError, is TimeoutError {}
                },
            ])
        }
        expectClean(report)
    }

    @Test func `who waits for work that somebody cancels gets what it came to, or hears of that`() {
        let report = Interleaver.everyOrder(preemptions: 3) {
            let job = blockingJob(.shares)
            var heard = 0
            return Interleaved([
                { job.perform(); job.announce() },
                { job.cancel() },
                {
                    do {
                        if try job.wait("wait", deadline: .never) != 7 { throw Wrong("another value") }
                        heard += 1
                    } catch is CancellationError { heard += 1 }
                },
            ]) { heard == 1 && job.isFinished ? nil : "nothing was heard of the end" }
        }
        expectClean(report)
    }

    @Test(
        .enabled(
            if: unsafe dlsym(nil, "__asan_init") == nil, "what the parent of a fork had is leaked on purpose"))
    func `all threads of a child get the same object, and none but that is left`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let live = Section()
            let shared = PerProcess(Counted(live), after: Fork.count &- 1) { old in Counted(old.live) }
            var seen: [ObjectIdentifier] = []
            let asker = { seen.append(ObjectIdentifier(shared.object)) }
            return Interleaved([asker, asker, asker]) {
                if Set(seen).count != 1 { return "the threads got \(Set(seen).count) objects" }
                return live.count == 2 ? nil : "\(live.count) objects are left, of parent and child"
            }
        }
        expectClean(report)
    }
}

/// Work that comes to seven, for who has a thread for it.
private func blockingJob(_ patience: BlockingJob<Int>.Patience) -> BlockingJob<Int> {
    let crew = ThreadCrew(CrewTerms(name: "model", limit: 1, idleTime: .zero))
    return BlockingJob(name: nil, patience, on: crew, ancestors: []) { 7 }
}

extension WaitQueue {
    /// Where closures reach it.
    fileprivate final class Box { let queue = WaitQueue() }
}

extension WorkPhase {
    /// Likewise.
    fileprivate final class Box { let phase = WorkPhase() }
}

/// Counts in a section how many of its kind live.
private final class Counted: @unchecked Sendable {
    let live: Section

    init(_ live: Section) {
        self.live = live
        live.count += 1
    }

    deinit { live.count -= 1 }
}
