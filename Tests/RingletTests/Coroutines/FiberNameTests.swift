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
