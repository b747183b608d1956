@testable import Ringlet

/// A random body of a generator, which a generator runs and a model explains.
indirect enum GeneratorStep {
    case note(Int)
    /// Notes what is sent.
    case yield(Int)
    /// Yields from a generator with this body, and notes its result.
    case delegate([GeneratorStep])
    /// Takes at most so many elements of a generator with this body, and drops it.
    case drive([GeneratorStep], Int)
    /// A `do` with a handler: of failures, or of everything.
    case attempt([GeneratorStep], handlesAll: Bool, [GeneratorStep])
    /// A scope with a `defer`.
    case scope(Int, [GeneratorStep])
    /// A plain function call.
    case call([GeneratorStep])
    case fail(Int)
    case finish(Int)

    static func body(_ random: inout Seeded, depth: Int = 4) -> [GeneratorStep] {
        let count = Int.random(in: 1...(depth == 4 ? 6 : 4), using: &random)
        return (0..<count).map { _ in step(&random, depth: depth - 1) }
    }

    private static func step(_ random: inout Seeded, depth: Int) -> GeneratorStep {
        let number = Int.random(in: 1...9, using: &random)
        if depth == 0 { return Bool.random(using: &random) ? .yield(number) : .note(number) }
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<5: return .yield(number)
        case 5..<9: return .delegate(body(&random, depth: depth))
        case 9..<11: return .drive(body(&random, depth: depth), Int.random(in: 1...4, using: &random))
        case 11..<15:
            return .attempt(
                body(&random, depth: depth), handlesAll: Bool.random(using: &random),
                body(&random, depth: depth))
        case 15..<17: return .scope(number, body(&random, depth: depth))
        case 17: return .call(body(&random, depth: depth))
        case 18: return .fail(number)
        default: return number < 4 ? .finish(number) : .note(number)
        }
    }
}

/// What the holder of the generator does.
enum GeneratorMove {
    case send(Int)
    case fail(Int)
    case close

    static func moves(_ random: inout Seeded) -> [GeneratorMove] {
        (0..<Int.random(in: 1...12, using: &random)).map { _ in
            let number = Int.random(in: 1...9, using: &random)
            return switch Int.random(in: 0..<10, using: &random) {
            case 0..<7: .send(number)
            case 7..<9: .fail(number)
            default: .close
            }
        }
    }
}

/// How an error is noted.
func word(for error: any Error) -> String {
    switch error {
    case let failure as Failure: "failure \(failure.number)"
    case is GeneratorExit: "exit"
    case GeneratorError.ignoredExit: "ignored"
    default: "\(error)"
    }
}

/// Runs a program by generators.
struct GeneratorRun {
    let notes = Journal<String>()

    func run(_ body: [GeneratorStep], _ moves: [GeneratorMove]) -> [String] {
        do {
            let generator = make(body)
            observe { try generator.start().map { "element \($0)" } }
            for move in moves {
                switch move {
                case .send(let value):
                    observe { try generator.send(value).map { "element \($0)" } }
                case .fail(let number):
                    observe { try generator.throw(Failure(number: number)).map { "element \($0)" } }
                case .close: observe { try generator.close().map { "closed \($0)" } }
                }
            }
            withExtendedLifetime(generator) {}
        }
        return notes.all
    }

    private func observe(_ body: () throws -> String?) {
        do { notes.note(try body() ?? "end") } catch { notes.note("threw \(word(for: error))") }
    }

    private func make(_ body: [GeneratorStep]) -> Generator<Int, Int, Int> {
        Generator(stackSize: 64 * 1024) { yield in try run(body, yield) ?? 0 }
    }

    private func run(_ body: [GeneratorStep], _ yield: Yielder<Int, Int>) throws -> Int? {
        for step in body {
            if let value = try run(step, yield) { return value }
        }
        return nil
    }

    private func run(_ step: GeneratorStep, _ yield: Yielder<Int, Int>) throws -> Int? {
        switch step {
        case .note(let number): notes.note("\(number)")
        case .yield(let element): notes.note("sent \(try yield(element))")
        case .delegate(let body): notes.note("result \(try yield.from(make(body)))")
        case .drive(let body, let count): try drive(body, count)
        case .attempt(let body, let handlesAll, let handler):
            do { return try run(body, yield) } catch where handlesAll || error is Failure {
                notes.note("caught \(word(for: error))")
                return try run(handler, yield)
            }
        case .scope(let number, let body):
            defer { notes.note("left \(number)") }
            return try run(body, yield)
        case .call(let body): return try run(body, yield)
        case .fail(let number): throw Failure(number: number)
        case .finish(let value): return value
        }
        return nil
    }

    private func drive(_ body: [GeneratorStep], _ count: Int) throws {
        let generator = make(body)
        var taken = 0
        var element = try generator.start()
        while let number = element {
            notes.note("took \(number)")
            taken += 1
            if taken == count { break }
            element = try generator.send(taken)
        }
        if element == nil { notes.note("driven") }
        withExtendedLifetime(generator) {}
    }
}
