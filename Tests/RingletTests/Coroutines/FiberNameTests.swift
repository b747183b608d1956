import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct FiberNameTests {
    private static func name(_ random: inout Seeded) -> String {
        let count = [0, 1, 15, 16, 100, 101, 10_000].randomElement(using: &random) ?? 0
        return String(
            decoding: (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) },
            as: UTF8.self)
    }

    @Test func `a fiber may have any name`() async throws {
        try await Scheduler.run {
            var random = Seeded(seed: 3)
            for _ in 0..<200 {
                let name = Self.name(&random)
                let fiber = Fiber(name: name) { AnyFiber.current?.description }
                #expect(fiber.name == name)
                let description = try fiber.join()
                #expect(description == fiber.description)
                #expect(fiber.description == "fiber \(fiber.id) '\(name)'")
            }
        }
    }

    @Test func `a name may be changed, before the fiber begins, while it waits, and after its end`() async throws {
        try await withScheduler { scheduler in
            let fiber = scheduler.spawn(name: "first") { try Fiber.sleep(until: .never) }
            fiber.name = "second"
            #expect(fiber.name == "second" && fiber.description == "fiber \(fiber.id) 'second'")
            try await onThread { try blockUntil("it has begun") { scheduler.counters.workers[0].timers > 0 } }
            for number in 0..<100 {
                fiber.name = number % 3 == 0 ? nil : "name \(number)"
                #expect(fiber.name == (number % 3 == 0 ? nil : "name \(number)"))
            }
            fiber.name = "last"
            let shown = try await onThread { scheduler.snapshot(backtraces: false).fiber(fiber.id)?.name }
            #expect(shown == "last")
            fiber.cancel()
            await #expect(throws: CancellationError.self) { try await fiber.join() }
            fiber.name = nil
            #expect(fiber.name == nil)
        }
    }

    @Test func `an overflow reports the new name`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            try await Scheduler.run(SchedulerOptions(fiberStackSize: 64 * 1024)) {
                let fiber = Fiber(name: "old") {
                    AnyFiber.current?.name = "new"
                    _ = try Self.dive(0)
                }
                _ = try fiber.join()
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("stack overflow in fiber 'new'"), "stderr: \(output)")
    }

    @Test func `an overflow of a fiber with a long name of any bytes is reported in one line`()
        async
    {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent])
        {
            try await Scheduler.run(SchedulerOptions(fiberStackSize: 64 * 1024)) {
                let name = String(repeating: "\u{1F9F5}%n%s", count: 2000)
                _ = try Fiber(name: name) { try Self.dive(0) }.join()
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        let line = output.split(separator: "\n").first { $0.contains("stack overflow") } ?? ""
        #expect(line.contains("fiber '\u{1F9F5}%n%s"))
        #expect(line.contains("its stack of 64 KiB is full"))
        #expect(line.utf8.count < 400)
    }

    private static func dive(_ depth: Int) throws -> Int {
        // The check keeps the recursion from becoming a loop.
        try Fiber.checkCancellation()
        return try dive(depth + 1) + depth
    }
}
