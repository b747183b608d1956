import Testing

@testable import Ringlet

/// Whose a lock is, where a part of a fiber or task runs in a task of its own.
@Suite(.timeLimit(.patient)) struct StrandTests {
    /// A stranger, as a child task and a fiber are, does not get what is owned.
    private static func strangers(_ lock: RecursiveLock) async {
        async let child = { @Sendable in (lock.tryLock(), lock.isOwned) }()
        let asChild = await child
        #expect(!asChild.0 && !asChild.1)
        let unstructured = await Task(executorPreference: Scheduler.current?.taskExecutor) {
            (lock.tryLock(), lock.isOwned)
        }.value
        #expect(!unstructured.0 && !unstructured.1)
    }

    @Test func `a recursive lock of a fiber is its own in what it awaits, inside scopes too`() async throws {
        try await inEveryOrder { () throws in
            let lock = RecursiveLock()
            try lock.withLock {
                try Fiber.await { try await lock.withLock { #expect(lock.isOwned) } }
                try withDeadline(.after(.seconds(60))) { _ in
                    try Fiber.await {
                        try await lock.withLock { #expect(lock.isOwned) }
                        // A scope of the task that it awaits in.
                        try await withDeadline(.after(.seconds(60))) { _ in
                            try await lock.withLock { #expect(lock.isOwned) }
                            await Self.strangers(lock)
                        }
                    }
                }
                try withoutCancellation {
                    try Fiber.await { try await lock.withLock { #expect(lock.isOwned) } }
                }
                let stranger = Fiber { #expect(!lock.tryLock() && !lock.isOwned) }
                try stranger.join()
            }
            #expect(!lock.isLocked)
        }
    }

    @Test func `a recursive lock of a task is its own in scopes and the body of a group`() async throws {
        try await inEveryOrder { () async throws in
            let lock = RecursiveLock()
            try await lock.withLock {
                try await withDeadline(.after(.seconds(60))) { _ in
                    try await lock.withLock { #expect(lock.isOwned) }
                    try await withoutCancellation { try await lock.withLock { #expect(lock.isOwned) } }
                    await Self.strangers(lock)
                }
                try await withGroup { group in
                    try await lock.withLock { #expect(lock.isOwned) }
                    try group.spawn { () async throws in #expect(!lock.tryLock() && !lock.isOwned) }
                }
                #expect(lock.isOwned)
            }
            #expect(!lock.isLocked)
        }
    }

    @Test func `a token that is taken outside a scope may be given back inside`() async throws {
        try await inEveryOrder { () async throws in
            let limiter = CapacityLimiter(capacity: 1)
            try await limiter.acquire()
            try await withDeadline(.after(.seconds(60))) { _ in
                #expect(throws: (any Error).self) { _ = try limiter.tryAcquire() }
                try limiter.release()
            }
            #expect(limiter.available == 1)
        }
    }

    @Test func `what the part of a task has left behind is a stranger, whatever address its task has`() async throws {
        try await inEveryOrder { () async throws in
            let lock = RecursiveLock()
            let gate = Promise<Void>()
            let heir = try await withoutCancellation {
                Task(executorPreference: Scheduler.current?.taskExecutor) {
                    try await gate.value()
                    // Tasks that inherit the binding of a part that has ended, where that task's memory is free.
                    for _ in 0..<50 { await Self.strangers(lock) }
                }
            }
            try await lock.withLock {
                try gate.succeed(())
                try await heir.value
            }
        }
    }
}
