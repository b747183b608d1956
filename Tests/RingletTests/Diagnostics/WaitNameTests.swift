import Foundation
import RingletTesting
import SystemPackage
import Testing

@testable import Ringlet

/// What a snapshot says of waits that are not the kernel's: which thing it is, and which fibers must do something first.
@Suite(.timeLimit(.patient)) struct WaitNameTests {
    /// What a fiber waits for that runs `body`, once it waits; in a simulation, where nothing else goes on. It is cancelled
    /// afterwards.
    private static func wait(
        _ body: @escaping @Sendable () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> WaitSnapshot {
        let fiber = Fiber(name: "waiter", operation: body)
        try yieldUntil("it waits") { Scheduler.current?.snapshot(backtraces: false).fiber(fiber.id)?.wait != nil }
        defer { fiber.cancel() }
        return try #require(
            Scheduler.current?.snapshot(backtraces: false).fiber(fiber.id)?.wait, sourceLocation: sourceLocation)
    }

    private static func name(_ what: String, _ object: AnyObject) -> String {
        "\(what) 0x\(String(UInt(bitPattern: ObjectIdentifier(object)), radix: 16))"
    }

    @Test func `what has no owner is named by its kind and address`() throws {
        try Simulation.run {
            let lock = Lock()
            try lock.lock()
            let event = Event()
            let semaphore = Semaphore(0)
            let barrier = Barrier(parties: 3)
            let condition = Condition()
            let promise = Promise<Int>()
            let channel = Channel<Int>()
            let full = Channel<Int>(capacity: 1)
            try full.send(1)
            let queue = Queue<Int>()
            let done = Queue([1])
            let waits = [
                try Self.wait { try lock.lock() }, try Self.wait { try event.wait() },
                try Self.wait { try barrier.wait() }, try Self.wait { try condition.withLock { try condition.wait() } },
                try Self.wait { _ = try promise.value() }, try Self.wait { _ = try channel.receive() },
                try Self.wait { try full.send(2) }, try Self.wait { _ = try queue.get() },
                try Self.wait { try done.join() },
            ]
            #expect(waits.allSatisfy { $0.kind == .synchronization && $0.fibers.isEmpty && $0.deadline == nil })
            #expect(
                waits.map(\.what) == [
                    Self.name("lock", lock), Self.name("event", event),
                    "the others at \(Self.name("barrier", barrier)), 1 of 3", Self.name("condition", condition),
                    Self.name("promise", promise), "an element of \(Self.name("channel", channel.core))",
                    "room in \(Self.name("channel", full.core))", "an element of \(Self.name("queue", queue.core))",
                    "all elements of \(Self.name("queue", done.core)) to be done",
                ])
            #expect(try Self.wait { try semaphore.acquire() }.what.hasPrefix("a permit of semaphore 0x"))
            let selected = try Self.wait { try select(.receive(from: channel) { _ in }) }
            #expect(selected.what == "one of the channels of a select")
        }
    }

    @Test func `locks with an owner and tokens name who holds them`() throws {
        try Simulation.run {
            let lock = RecursiveLock()
            let limiter = CapacityLimiter(capacity: 5)
            let holders = (0..<4).map { number in
                Fiber(name: "holder \(number)") {
                    if number == 0 { try lock.lock() }
                    try limiter.acquire()
                    defer {
                        try? limiter.release()
                        try? lock.unlock()
                    }
                    try Fiber.sleep(until: .never)
                }
            }
            try yieldUntil("all hold something") { limiter.available == 1 }
            try limiter.acquire(as: .named("a customer"))
            let locked = try Self.wait { try lock.lock() }
            #expect(locked.fibers == [holders[0].id] && locked.kind == .synchronization)
            #expect(locked.what.hasPrefix("recursive lock 0x") && locked.what.hasSuffix(", held by \(holders[0])"))
            let limited = try Self.wait { try limiter.acquire() }
            #expect(limited.fibers == holders.map(\.id))
            let names = holders.prefix(3).map { "\($0)" }.joined(separator: ", ")
            #expect(limited.what == "a token of \(Self.name("limiter", limiter)), held by \(names) and 2 more")
            for holder in holders { holder.cancel() }
            try lock.withLock {}
            // Nobody that is a fiber.
            for _ in 0..<4 { try limiter.acquire(as: .named("\(limiter.available)")) }
            let customers = try Self.wait { try limiter.acquire() }
            #expect(customers.fibers.isEmpty && customers.what.contains("held by a customer, "))
        }
    }

    @Test func `a group names its children, and who collects ends those that are left`() throws {
        try Simulation.run {
            let children = Shared<[UInt64]>([])
            let line = UInt(#line) + 3
            let group = try Self.wait {
                try withGroup { group in
                    let first = try group.spawn(name: "child") { try Fiber.sleep(until: .never) }
                    #expect(first.spawnSite?.line == Int(line))
                    children.value = [first.id]
                    try group.spawn { try await Scheduler.sleep(until: .never) }
                }
            }
            #expect(group.kind == .group && group.fibers == children.value)
            #expect(group.what.hasPrefix("the 2 children of group 0x"))
            let fibers = (0..<3).map { _ in Fiber { try Fiber.sleep(until: .never) } }
            fibers[1].cancel()
            try? fibers[1].join()
            let first = try Self.wait { _ = try Ringlet.wait(for: [fibers[0], fibers[2]]) }
            #expect(first.fibers == [fibers[0].id, fibers[2].id] && first.what == "the next of 2 ends")
            for fiber in fibers { fiber.cancel() }
        }
    }

    @Test func `callbacks and watchers are listed with their sites, and whether anybody is to wait for them`() throws {
        try Scheduler.run {
            let scheduler = try #require(Scheduler.current)
            var ends: [Int32] = [-1, -1]
            _ = unsafe pipe(&ends)
            let reader = FileDescriptor(rawValue: ends[0])
            let line = #line + 1
            let later = scheduler.later(.seconds(3600)) {}
            let idle = scheduler.later(.seconds(7200), holdsScheduler: false) {}
            let watcher = try scheduler.onReadable(reader) {}
            try yieldUntil("the watcher has begun") {
                scheduler.snapshot(backtraces: false).tasks.contains { $0.kind == .watcher }
            }
            let tasks = scheduler.snapshot(backtraces: false).tasks
            let callbacks = tasks.filter { $0.kind == .callback }.sorted { $0.site?.line ?? 0 < $1.site?.line ?? 0 }
            #expect(callbacks.map(\.site?.line) == [line, line + 1])
            #expect(callbacks.map(\.wait.holdsScheduler) == [true, false])
            #expect(callbacks.allSatisfy { $0.wait.remaining ?? .zero > .seconds(3000) })
            let watch = try #require(tasks.first { $0.kind == .watcher })
            #expect(watch.wait.what == "poll_add" && watch.wait.descriptor == ends[0])
            #expect(watch.site?.line == line + 2 && watch.wait.holdsScheduler)
            #expect("\(watch)".hasSuffix(", asked for at RingletTests/WaitNameTests.swift:\(line + 2)"))
            later.cancel()
            idle.cancel()
            watcher.cancel()
            try reader.close()
            try FileDescriptor(rawValue: ends[1]).close()
        }
    }

    @Test func `work on a thread of a pool is named, and its waiter waits for a thread`() throws {
        try Scheduler.run {
            let pool = try ThreadPool(name: "files", limit: 1)
            let release = Flag()
            let fiber = Fiber { try pool.run(name: "checksum") { while !release.isSet {} } }
            let scheduler = try #require(Scheduler.current)
            try yieldUntil("it waits") { scheduler.snapshot(backtraces: false).fiber(fiber.id)?.wait != nil }
            let wait = try #require(scheduler.snapshot(backtraces: false).fiber(fiber.id)?.wait)
            #expect(wait.kind == .thread && wait.what == "work 'checksum' on a thread of pool 'files'")
            release.set()
            try fiber.join()
        }
    }
}
