import Testing

@testable import Ringlet

/// Groups, and what takes the ends of several one after another, in every order.
@Suite struct GroupInterleavingTests {
    @Test func `each end is taken by one, and who comes too late is told that there is no more`() {
        let report = Interleaver.everyOrder(preemptions: 3) {
            let ends = EndCollector([Promise<Int>()])
            let taken = Section()
            let taker = {
                while !ends.isExhausted {
                    if ends.take() != nil { taken.count += 1 } else { try ends.waitForNext(deadline: .never) }
                }
            }
            return Interleaved([taker, taker, { ends.note(0) }]) {
                taken.count == 1 ? nil : "taken \(taken.count) times"
            }
        }
        expectClean(report)
    }

    /// A plain thread makes a task, which ends on a worker before the maker goes on, and another child gets its place.
    @Test func `a child is told of the group's end, whoever had its place before`() throws {
        let report = try withIdleWorker { worker in
            Interleaver.everyOrder(preemptions: 3) {
                let group = Group(on: worker)
                let (first, second) = (Child(), Child())
                var place: Int32?
                return Interleaved([
                    {
                        place = try group.reserve(for: nil).place
                        Interleaving.step()
                        group.fill(place ?? 0, with: first)
                    },
                    {
                        _ = Interleaving.current?.sleep(mayTimeOut: false) { place != nil }
                        group.childEnded(place ?? 0, nil)
                    },
                    { _ = try group.reserve(for: second) },
                ]) {
                    group.cancel()
                    if group.count != 1 { return "\(group.count) children" }
                    return second.wasTold ? nil : "the child that is left was not told"
                }
            }
        }
        expectClean(report)
    }
}

private final class Child: GroupChild, @unchecked Sendable {
    // The threads of a program are one thread.
    private(set) var wasTold = false
    func endEarly() { wasTold = true }
}
