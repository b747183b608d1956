import Foundation
import Testing

@testable import Ringlet

/// Random coroutines, which switch to, throw at, close and adopt each other, come to what a model by rules says.
@Suite(.timeLimit(.patient)) struct CoroutineProgramTests {
    private static let rounds =
        ProcessInfo.processInfo.environment["RINGLET_PROGRAM_ROUNDS"].flatMap(Int.init) ?? 1000

    @Test(arguments: [0, 1] as [UInt64])
    func `random programs come to what the model says`(block: UInt64) {
        for round in 0..<UInt64(Self.rounds) {
            let seed = block << 32 + round
            let program = CoroutineProgram(seed: seed)
            let lines = CoroutineRun.run(program)
            let expected = CoroutineModel.run(program)
            if lines != expected {
                Issue.record("seed \(seed): \(lines) instead of \(expected): \(program)")
                return
            }
        }
    }

    @Test func `the programs reach what they are there for`() {
        var words: Set<String> = []
        for seed in 0..<1000 as Range<UInt64> {
            for line in CoroutineModel.run(CoroutineProgram(seed: seed)) {
                words.insert(line.filter { !$0.isNumber })
            }
        }
        #expect(
            words.isSuperset(of: [
                " begins with ", " got ", " closed ", "main got ", "main caught failure ",
                " caught failure ", " caught exit", " caught itself", " caught descendant",
                "returned ", "failed failure ", "exited", "suspended", "pending",
                "closing threw failure ",
            ]), "\(words)")
    }
}
