@testable import Ringlet

/// One step of a coroutine's body in a random program. An index is that of another coroutine; nil is the code outside.
enum CoroutineStep {
    case switchTo(Int, Int)
    case toParent(Int)
    case outside(Int)
    case throwAt(Int, Int)
    case exit(Int)
    case close(Int)
    case setParent(Int, Int?)
    case fail(Int)
    case finish(Int)

    static func random(_ random: inout Seeded, coroutines: Int) -> CoroutineStep {
        let number = Int.random(in: 1...9, using: &random)
        let other = Int.random(in: 0..<coroutines, using: &random)
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<7: return .switchTo(other, number)
        case 7..<10: return .toParent(number)
        case 10: return .outside(number)
        case 11, 12: return .throwAt(other, number)
        case 13: return .exit(other)
        case 14: return .close(other)
        case 15, 16:
            let parent = Int.random(in: -1..<coroutines, using: &random)
            return .setParent(other, parent < 0 ? nil : parent)
        case 17: return .fail(number)
        default: return number < 5 ? .finish(number) : .toParent(number)
        }
    }
}

/// A few coroutines, and what the code outside does with them.
struct CoroutineProgram {
    struct Step {
        let step: CoroutineStep
        /// Its errors are noted, and the body goes on.
        let isGuarded: Bool
    }

    let bodies: [[Step]]
    let main: [CoroutineStep]

    init(seed: UInt64) {
        var random = Seeded(seed: seed)
        let count = Int.random(in: 1...5, using: &random)
        func steps(_ length: ClosedRange<Int>) -> [CoroutineStep] {
            (0..<Int.random(in: length, using: &random)).map { _ in
                .random(&random, coroutines: count)
            }
        }
        bodies = (0..<count).map { _ in
            steps(0...7).map { Step(step: $0, isGuarded: Bool.random(using: &random)) }
        }
        main = steps(3...15)
    }
}

/// How an error is noted.
func word(forCoroutine error: any Error) -> String {
    switch error {
    case let failure as Failure: "failure \(failure.number)"
    case is CoroutineExit: "exit"
    case CoroutineError.notSuspended: "not suspended"
    case CoroutineError.parentIsItself: "itself"
    case CoroutineError.parentIsDescendant: "descendant"
    default: "\(error)"
    }
}

/// Runs a program by coroutines.
final class CoroutineRun {
    private let program: CoroutineProgram
    private var coroutines: [Coroutine<Int>] = []
    private var lines: [String] = []

    static func run(_ program: CoroutineProgram) -> [String] {
        let run = CoroutineRun(program)
        for step in program.main { run.guarded("main", step) }
        run.lines += run.coroutines.map { coroutine in
            switch coroutine.outcome {
            case .returned(let value): "returned \(value)"
            case .failed(let error): "failed \(word(forCoroutine: error))"
            case .exited: "exited"
            case nil: "\(coroutine.state)"
            }
        }
        // In a known order. Whoever has no handle any more is skipped in the bodies.
        for coroutine in run.coroutines {
            do { try coroutine.close() } catch { run.lines.append("closing threw \(word(forCoroutine: error))") }
        }
        run.coroutines = []
        return run.lines
    }

    private init(_ program: CoroutineProgram) {
        self.program = program
        for index in program.bodies.indices {
            coroutines.append(
                Coroutine(name: "\(index)", stackSize: 64 * 1024) { [unowned self] first in
                    lines.append("\(index) begins with \(first)")
                    for step in program.bodies[index] {
                        if case .finish(let value) = step.step { return value }
                        if step.isGuarded {
                            guarded("\(index)", step.step)
                        } else {
                            try perform("\(index)", step.step)
                        }
                    }
                    return index + 100
                })
        }
    }

    private func guarded(_ who: String, _ step: CoroutineStep) {
        do { try perform(who, step) } catch { lines.append("\(who) caught \(word(forCoroutine: error))") }
    }

    private func perform(_ who: String, _ step: CoroutineStep) throws {
        func note(_ value: Int) { lines.append("\(who) got \(value)") }
        switch step {
        case .switchTo(let index, let value): note(try coroutines[index].switch(value))
        case .toParent(let value): note(try Coroutine<Int>.switchToParent(value))
        case .outside(let value): note(try Coroutine<Int>.switchOutside(value))
        case .throwAt(let index, let number):
            note(try coroutines[index].throw(Failure(number: number)))
        case .exit(let index): note(try coroutines[index].throw())
        case .close(let index):
            try coroutines[index].close()
            lines.append("\(who) closed \(index)")
        case .setParent(let index, let parent):
            try coroutines[index].setParent(parent.map { coroutines[$0] })
        case .fail(let number): throw Failure(number: number)
        case .finish(let value): note(value)
        }
    }
}

