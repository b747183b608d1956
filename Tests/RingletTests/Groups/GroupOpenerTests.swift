import RingletTesting
import Testing

@testable import Ringlet

/// What becomes of a group when who opened it is cancelled while the body runs.
@Suite struct GroupOpenerTests {
    /// A fiber and a task that sleep for ever. Returns the task.
    private static func spawnSleepers(
        in group: Group, _ asleep: Counter, _ ended: Counter
    ) throws -> Task<Void, any Error> {
        try group.spawn { () throws in
            asleep.add()
            defer { ended.add() }
            try Fiber.sleep(until: .never)
        }
        return try group.spawn { () async throws in
            asleep.add()
            defer { ended.add() }
            try await Scheduler.sleep(until: .never)
        }
    }

    @Test func `a task that waits for the value of a child is cancelled with its children`() async throws {
        try await inEveryOrder { () async throws in
            let asleep = Counter()
            let ended = Counter()
            let task = taskHere {
                try await withGroup { group in
                    let child = try Self.spawnSleepers(in: group, asleep, ended)
                    // No cancellation ends this wait.
                    do { try await child.value } catch is CancellationError {}
                    #expect(group.isCancelled)
                    try group.spawn { Issue.record("a child that comes later ran") }
                    try Task.checkCancellation()
                }
            }
            try await yieldTaskUntil("asleep") { asleep.value == 2 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(ended.value == 2)
        }
    }

    @Test func `a fiber that awaits the value of a child is cancelled with its children`() async throws {
        try await inEveryOrder { () throws in
            let asleep = Counter()
            let ended = Counter()
            let fiber = Fiber {
                try withGroup { group in
                    let child = try Self.spawnSleepers(in: group, asleep, ended)
                    do { try Fiber.await { try await child.value } } catch is CancellationError {}
                    #expect(group.isCancelled)
                    try group.spawn { Issue.record("a child that comes later ran") }
                    try Fiber.checkCancellation()
                }
            }
            try yieldUntil("asleep") { asleep.value == 2 }
            fiber.cancel()
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(ended.value == 2)
        }
    }

    @Test func `a deadline outside reaches the children of a body that waits for one`() async throws {
        try await inEveryOrder { () async throws in
            await #expect(throws: TimeoutError.self) {
                try await withDeadline(.after(.seconds(1))) { _ in
                    try await withGroup { group in
                        let child = try group.spawn { () async throws in try await Scheduler.sleep(until: .never) }
                        try await child.value
                    }
                }
            }
        }
        try await inEveryOrder { () throws in
            #expect(throws: TimeoutError.self) {
                try withDeadline(.after(.seconds(1))) { _ in
                    try withGroup { group in
                        let child = try group.spawn { () async throws in try await Scheduler.sleep(until: .never) }
                        try Fiber.await { try await child.value }
                    }
                }
            }
        }
    }

    @Test func `what is cut inside the body leaves the children alone`() async throws {
        try await inEveryOrder { () throws in
            let value = try withGroup { group in
                let child = try group.spawn { () throws in
                    try Fiber.sleep(for: .seconds(2))
                    return 1
                }
                // Scopes within the body, the last of a group of its own, and an interrupt.
                #expect(throws: TimeoutError.self) {
                    try withDeadline(.after(.seconds(1))) { _ in try Fiber.sleep(until: .never) }
                }
                try withGroup { inner in
                    try inner.spawn { inner.cancel() }
                    try Fiber.sleep(until: .never)
                }
                AnyFiber.current!.interrupt()
                #expect(throws: CancellationError.self) { try Fiber.sleep(until: .never) }
                #expect(!group.isCancelled)
                return try child.join()
            }
            #expect(value == 1)
        }
        try await inEveryOrder { () async throws in
            let value = try await withGroup { group in
                let child = try group.spawn { () async throws in
                    try await Scheduler.sleep(for: .seconds(2))
                    return 1
                }
                await #expect(throws: TimeoutError.self) {
                    try await withDeadline(.after(.seconds(1))) { _ in try await Scheduler.sleep(until: .never) }
                }
                try await withGroup { inner in
                    try inner.spawn { inner.cancel() }
                    try await Scheduler.sleep(until: .never)
                }
                #expect(!group.isCancelled)
                return try await child.value
            }
            #expect(value == 1)
        }
    }

    @Test func `a cancellation reaches every group between the wait and what is cancelled, past no shielded part`() async throws {
        try await inEveryOrder { () throws in
            let seen = Journal<String>()
            let fiber = Fiber {
                try withGroup { outside in
                    try withoutCancellation {
                        AnyFiber.current!.cancel()
                        try withGroup { shielded in
                            let scope = CancelScope()
                            _ = try scope.run { _ in
                                try withGroup { first in
                                    try withGroup { second in
                                        try first.spawn { scope.cancel() }
                                        #expect(throws: CancellationError.self) { try Fiber.sleep(until: .never) }
                                        seen.note("\(first.isCancelled) \(second.isCancelled)")
                                    }
                                }
                            }
                            seen.note("\(shielded.isCancelled) \(outside.isCancelled)")
                        }
                    }
                    #expect(throws: CancellationError.self) { try Fiber.sleep(until: .never) }
                    seen.note("\(outside.isCancelled)")
                }
            }
            try fiber.join()
            #expect(seen.all == ["true true", "false true", "true"])
        }
    }
}
