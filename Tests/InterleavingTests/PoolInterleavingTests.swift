import Testing

@testable import Ringlet

/// A pool's places while the member ends that the code which wants one descends from, in every order.
@Suite struct PoolInterleavingTests {
    @Test func `who takes a place has one, or does without, whenever the member ends that may wait for it`() throws {
        let report = Interleaver.everyOrder {
            guard let pool = try? FiberPool(capacity: 2) else { fatalError("two places are a pool") }
            let member = Membership(of: pool)
            _ = pool.places.tryTake()
            var hasTaken = false
            return Interleaved([
                { hasTaken = try Membership.$current.withValue([member]) { try pool.takePlace() } },
                {
                    member.ends()
                    pool.places.give()
                },
            ]) { pool.freeCount == (hasTaken ? 1 : 2) ? nil : "taken: \(hasTaken), free: \(pool.freeCount)" }
        }
        expectClean(report)
    }
}
