import Foundation
import Testing

@testable import Ringlet

/// Random bodies, which yield, delegate, drive others, fail, catch what ends them and are dropped anywhere, come to what
/// a model without generators says.
@Suite(.timeLimit(.patient)) struct GeneratorProgramTests {
    private static let rounds =
        ProcessInfo.processInfo.environment["RINGLET_PROGRAM_ROUNDS"].flatMap(Int.init) ?? 1000

    private static func program(_ seed: UInt64) -> ([GeneratorStep], [GeneratorMove]) {
        var random = Seeded(seed: seed)
        return (GeneratorStep.body(&random), GeneratorMove.moves(&random))
    }

    @Test(arguments: [0, 1] as [UInt64])
    func `random programs come to what the model says`(block: UInt64) {
        for round in 0..<UInt64(Self.rounds) {
            let seed = block << 32 + round
            let (body, moves) = Self.program(seed)
            let lines = GeneratorRun().run(body, moves)
            let expected = GeneratorModel.run(body, moves)
            if lines != expected {
                Issue.record("seed \(seed): \(lines) instead of \(expected): \(body), \(moves)")
                return
            }
        }
    }

    @Test func `the programs reach what they are there for`() {
        var words: Set<Substring> = []
        for seed in 0..<1000 as Range<UInt64> {
            let (body, moves) = Self.program(seed)
            for line in GeneratorModel.run(body, moves) {
                words.insert(line.hasPrefix("caught") ? line[...] : line.prefix { $0 != " " })
            }
        }
        #expect(
            words.isSuperset(of: [
                "sent", "result", "took", "driven", "left", "element", "end", "threw", "closed",
                "caught exit", "caught ignored", "caught failure 1",
            ]), "\(words)")
    }
}
