import Ringlet
import SystemPackage

/// Child processes.
extension StressFamilies {
    /// Starts children that give back what they read, that end with a status, or that would not end by themselves. None
    /// is left when this returns or throws; the figures of the process count them.
    func raise(_ random: inout SeededGenerator) throws {
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            ledger.count { $0.children += 1 }
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                let start = UInt8.random(in: 0...255, using: &random)
                // More than a pipe takes, some of them.
                let size = Int.random(in: 1...100_000, using: &random)
                let question = (0..<size).map { start &+ UInt8(truncatingIfNeeded: $0 / 3) }
                guard try Command("cat").run(input: question).output == question else {
                    throw StressFailure(description: "\(size) bytes through a child are not what they were")
                }
                ledger.count { $0.bytes += size }
            case 1:
                let code = Int32.random(in: 0...255, using: &random)
                let status = try Command.shell("exit \(code)").run(throwsOnFailure: false).status
                guard status == .exited(code) else {
                    throw StressFailure(description: "a child ended with \(status) instead of \(code)")
                }
            default:
                let patience = Duration.microseconds(Int.random(in: 0...3000, using: &random))
                let child = try Command("sleep", "100000").withChild(gracePeriod: .seconds(30)) { child in
                    if Bool.random(using: &random) { try wait(for: child, patience) }
                    return child
                }
                guard let status = child.status else {
                    throw StressFailure(description: "a child goes on after its block")
                }
                guard status == .killed(by: .terminate) else {
                    throw StressFailure(description: "a child that was to be ended ended with \(status)")
                }
            }
        }
    }

    private func wait(for child: ChildProcess, _ patience: Duration) throws {
        let deadline = Deadline.after(patience)
        do {
            let status: ChildStatus = try child.wait(deadline: deadline)
            throw StressFailure(description: "a child that sleeps ended with \(status)")
        } catch let error as TimeoutError where error.deadline == deadline {
            ledger.count { $0.timedOut += 1 }
        }
    }
}
