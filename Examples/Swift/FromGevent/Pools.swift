import Glibc
import Ringlet

func showPools() throws {
    try Scheduler.run {
        try withGroup { group in
            try group.spawn { try fetch(1) }
            try group.spawn { try fetch(2) }
            expect(group.count == 2, "its members")
        }  // joined here; an error of one cancels the others

        let pool = try FiberPool(capacity: 2)
        let member = try pool.spawn { try fetch(1) }
        expect(try member.join() == 1, "spawn blocks while the pool is full")
        let found = pool.trySpawn { try fetch(1) }
        expect(found != nil && pool.fibers.count == 1 && pool.freeCount == 1, "places")
        try pool.waitUntilAvailable()
        try pool.join()

        let applied = try pool.apply { try fetch(1) }
        let mapped = try pool.map([3, 2, 1]) { try fetch($0) }
        expect(applied == 1 && mapped == [3, 2, 1], "apply and map")

        let ordered = try pool.mapOrdered([2, 1], bound: 2) { try fetch($0) }
        expect(try ordered.next() == 2, "imap")
        ordered.stop()
        let unordered = try pool.mapUnordered([60_000, 1]) { try fetch($0) }
        expect(try unordered.next() == 1, "imap_unordered")
        unordered.stop()
        pool.cancelAll()
        try pool.join()

        let threads = try ThreadPool(name: "blocking", limit: 4)
        let value = try threads.run { blockingCall() }
        let job = threads.spawn { blockingCall() }
        expect(try job.join() == value, "apply and spawn on threads")
        try threads.resize(to: 8)
        _ = threads.shutdown(deadline: .after(.seconds(300)))
    }
}

private func blockingCall() -> Int {
    usleep(1000)
    return 42
}
