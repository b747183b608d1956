import Ringlet

func showSynchronization() throws {
    try Scheduler.run {
        let event = Event()
        let waiter = Fiber { try event.wait() }
        try Fiber.yield()
        event.set()
        event.clear()
        try waiter.join()  // it was set while the fiber waited

        let result = Promise<Int>()
        let worker = Fiber { try fetch(1) }
        worker.onEnd(.success) { fiber in result.completeIfOpen(fiber.outcome!) }
        expect(try result.value(deadline: .after(.seconds(60))) == 1, "an AsyncResult as link target")

        let semaphore = Semaphore(2)
        try semaphore.acquire()
        expect(semaphore.tryAcquire() && !semaphore.tryAcquire(), "two permits")
        semaphore.release()
        try semaphore.withPermit {}

        let bounded = BoundedSemaphore(1)
        do { try bounded.release() } catch SemaphoreError.released {}

        let lock = RecursiveLock()
        try lock.withLock { try lock.withLock {} }

        let condition = Condition(lock)
        let items = Notes()
        let consumer = Fiber {
            try condition.withLock { try condition.wait { !items.all.isEmpty } }
        }
        try condition.withLock {
            items.add("item")
            try condition.notifyAll()
        }
        try consumer.join()
    }
    try showThreads()
}

/// Two threads of the operating system and a fiber, on one semaphore.
private func showThreads() throws {
    let semaphore = Semaphore(1)
    let scheduler = try Scheduler()
    let fiber = scheduler.spawn {
        for _ in 1...100 { try semaphore.withPermit {} }
    }
    for _ in 1...100 { try semaphore.withPermit {} }  // blocks this thread
    try fiber.join()
    scheduler.shutdown()
}
