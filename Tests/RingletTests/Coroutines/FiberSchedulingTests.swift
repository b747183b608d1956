import RingletTesting
import SystemPackage
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct FiberSchedulingTests {
    @Test func `fibers that yield take turns in the order of their creation`() async throws {
        let order = Journal<Int>()
        try await Scheduler.run {
            let fibers = (0..<5).map { number in
                Fiber {
                    for round in 0..<20 {
                        order.note(round * 5 + number)
                        try Fiber.yield()
                    }
                }
            }
            for fiber in fibers { try fiber.join() }
        }
        #expect(order.all == Array(0..<100))
    }

    @Test func `sleepers wake in the order of their deadlines`() async throws {
        try await forEachSeed(1...100) { seed in
            var random = Seeded(seed: seed)
            let order = Journal<Int>()
            let start = Deadline.after(.milliseconds(20))
            let fibers = (0..<200).shuffled(using: &random).map { place in
                Fiber {
                    let deadline = Deadline(nanoseconds: start.nanoseconds + UInt64(place) * 100_000)
                    try Fiber.sleep(until: deadline)
                    #expect(Deadline.now == deadline)
                    order.note(place)
                }
            }
            for fiber in fibers { try fiber.join() }
            #expect(order.all == Array(0..<200))
        }
    }

    @Test func `a sleep is as long as it was asked to be`() async throws {
        try await forEachSeed(1...100) { _ in
            let spans = [0, 1, 999, 1_000_000, 3_141_593, 10_000_000]
            let fibers = spans.map { span in
                Fiber {
                    let before = Deadline.now.nanoseconds
                    try Fiber.sleep(for: .nanoseconds(span))
                    return Deadline.now.nanoseconds - before
                }
            }
            for (span, fiber) in zip(spans, fibers) { #expect(try fiber.join() == UInt64(span)) }
            // An instant that has passed costs no time.
            let before = Simulation.now
            try Fiber.sleep(until: Deadline(nanoseconds: 1))
            #expect(Simulation.now == before)
        }
    }

    @Test func `a negative duration is an invalid argument`() async throws {
        try await Scheduler.run {
            #expect(throws: Errno.invalidArgument) { try Fiber.sleep(for: .nanoseconds(-1)) }
            #expect(throws: Errno.invalidArgument) { try Fiber.sleep(for: .seconds(-1000)) }
        }
    }

    @Test func `a fiber knows itself, its name and its number`() async throws {
        try await Scheduler.run {
            let main = try #require(AnyFiber.current)
            #expect(main.name == "main")
            #expect(main.description == "fiber \(main.id) 'main'")
            let box = Shared<AnyFiber?>(nil)
            let named = Fiber(name: "näme") {
                box.value = AnyFiber.current
                try Fiber.yield()
                return AnyFiber.current === box.value
            }
            let nameless = Fiber { AnyFiber.current?.name }
            #expect(named.name == "näme")
            let kept = try named.join()
            #expect(kept)
            #expect(box.value === named)
            #expect(try nameless.join() == nil)
            #expect(nameless.description == "fiber \(nameless.id)")
            #expect(Set([main.id, named.id, nameless.id]).count == 3)
            #expect(named.id < nameless.id)
            #expect(AnyFiber.current === main)
            box.value = nil
        }
        #expect(AnyFiber.current == nil)
    }

    @Test func `ten thousand fibers run, wait and end`() async throws {
        let sum = try await Scheduler.run {
            let release = Flag()
            let fibers = (0..<10_000).map { number in
                Fiber { () -> Int in
                    try yieldUntil("released") { release.isSet }
                    return number
                }
            }
            try Fiber.yield()
            release.set()
            return try fibers.reduce(0) { try $0 + $1.join() }
        }
        #expect(sum == 10_000 * 9_999 / 2)
    }

    @Test func `stacks are used again`() async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            for _ in 0..<20 {
                let fibers = (0..<50).map { _ in scheduler.spawn { try Fiber.yield() } }
                for fiber in fibers { try await fiber.join() }
            }
            let statistics = try await scheduler.spawn { worker.stacks.statistics }.join()
            // This fiber's own.
            #expect(statistics.inUse == 1)
            #expect(statistics.peakInUse <= 51)
            #expect(scheduler.counters.liveFibers <= 1)
        }
    }

    /// Calls itself with some hundred bytes in each frame; not a tail call.
    @inline(never)
    private static func descend(_ depth: Int) throws -> Int {
        if depth == 0 {
            try Fiber.yield()
            return 0
        }
        let noise = (depth, depth &+ 1, depth &+ 2, depth &+ 3, depth &+ 4, depth &+ 5)
        let below = try descend(depth - 1)
        return below + (noise.5 - noise.0 == 5 ? 1 : 0)
    }

    @Test(arguments: [16 * 1024, 64 * 1024, 256 * 1024, 8 * 1024 * 1024])
    func `recursion fills most of a stack of any size`(size: Int) async throws {
        let options = SchedulerOptions(fiberStackSize: size)
        // A frame takes at most this in any build; a quarter of the stack stays for the rest.
        let frame = addressSanitizer ? 1024 : 256
        let depth = (size - 12 * 1024) / 4 * 3 / frame
        let fibers = 3
        let depths = try await Scheduler.run(options) {
            let running = (0..<fibers).map { _ in Fiber { try Self.descend(depth) } }
            return try running.map { try $0.join() }
        }
        #expect(depths == Array(repeating: depth, count: fibers))
    }

    @Test func `fibers are spawned from plain threads onto every worker in turn`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let indices = try await onThread {
                try (0..<10).map { _ in
                    try scheduler.spawn { CurrentThread.worker?.index }.join()
                }
            }
            #expect(indices.filter { $0 == 0 }.count == 5)
            #expect(indices.filter { $0 == 1 }.count == 5)
        }
    }

    @Test func `a fiber stays on its worker, and what it spawns stays with it`() async throws {
        try await withScheduler(workers: 3) { scheduler in
            for index in 0..<3 {
                let fiber = scheduler.spawn(onWorker: index) {
                    var seen: Set<Int?> = []
                    for _ in 0..<50 {
                        try Fiber.sleep(for: .microseconds(1))
                        seen.insert(CurrentThread.worker?.index)
                        seen.insert(try Fiber { CurrentThread.worker?.index }.join())
                        seen.insert(try scheduler.spawn { CurrentThread.worker?.index }.join())
                    }
                    return seen
                }
                let seen = try await fiber.join()
                #expect(seen == [index])
            }
        }
    }

    @Test func `dropping the handle does not stop the fiber`() async throws {
        try await forEachSeed(1...100) { _ in
            let done = Flag()
            do {
                Fiber {
                    try Fiber.sleep(for: .seconds(1))
                    done.set()
                }
            }
            try Fiber.sleep(for: .seconds(2))
            #expect(done.isSet)
        }
    }
}
