import Ringlet

func showSynchronization() throws {
    try Scheduler.run {
        let lock = Lock()
        try await lock.withLock { _ = try await fetch(1) }

        let event = Event()
        let waiter = Task { try await event.wait() }
        _ = try await fetch(1)
        event.set()
        event.clear()
        try await waiter.value  // it was set while the task waited

        let condition = Condition()
        let items = Notes()
        let consumer = Task {
            try await condition.withLock {
                try await condition.wait { !items.all.isEmpty }
            }
        }
        try await condition.withLock {
            items.add("item")
            try condition.notify()
        }
        try await consumer.value

        let semaphore = Semaphore(2)
        try await semaphore.withPermit { expect(semaphore.available == 1, "one is left") }
        let bounded = BoundedSemaphore(1)
        do {
            try bounded.release()
        } catch SemaphoreError.released {}

        let barrier = Barrier(parties: 2)
        let indices = try await gather({ try await barrier.wait() }, { try await barrier.wait() })
        expect(indices.sorted() == [0, 1], "each has an index")
        barrier.abort()
        do { _ = try await barrier.wait() } catch BarrierError.broken { barrier.reset() }

        let limiter = CapacityLimiter(capacity: 1)
        limiter.capacity = 10
        try await limiter.withToken { expect(limiter.holders.count == 1, "and who holds one") }
    }
}
