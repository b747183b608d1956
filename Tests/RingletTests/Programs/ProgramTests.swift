import Foundation
import Testing

@testable import Ringlet

/// Random programs of fibers come to what a model of a few lines says.
@Suite(.timeLimit(.patient)) struct ProgramTests {
    /// Programs per block; more of them for a long run.
    private static let rounds =
        ProcessInfo.processInfo.environment["RINGLET_PROGRAM_ROUNDS"].flatMap(Int.init) ?? 100

    private static func bytes(seed: UInt64) -> [UInt8] {
        var random = Seeded(seed: seed)
        return (0..<Int.random(in: 1...160, using: &random)).map { _ in
            UInt8.random(in: .min ... .max, using: &random)
        }
    }

    @Test(arguments: [1, 2], [0, 1] as [UInt64])
    func `random programs come to what the model says`(workers: Int, block: UInt64) async throws {
        let options = SchedulerOptions(workers: workers)
        try await withScheduler(workers: options.workers) { scheduler in
            for round in 0..<UInt64(Self.rounds) {
                let seed = block << 32 + round
                var decoder = ProgramDecoder(Self.bytes(seed: seed))
                let program = decoder.program()
                let expected = ProgramModel.run(program)
                let (notes, end) = try await scheduler.spawn {
                    try ProgramRun.run(program, on: scheduler)
                }.join(deadline: .after(patience))
                #expect(notes == expected.notes, "seed \(seed): \(program)")
                #expect(end == expected.end, "seed \(seed): \(program)")
                if notes != expected.notes || end != expected.end { return }
            }
        }
    }

    @Test func `programs of all kinds are made and come to all kinds of ends`() {
        var ends: Set<String> = []
        var longest = 0
        for seed in 0..<400 as Range<UInt64> {
            var decoder = ProgramDecoder(Self.bytes(seed: seed))
            let (notes, end) = ProgramModel.run(decoder.program())
            ends.insert("\(end)".prefix { $0 != "(" }.description)
            longest = max(longest, "\(notes)".count)
        }
        #expect(ends == ["returned", "cancelled", "failed"])
        #expect(longest > 500)
    }
}
