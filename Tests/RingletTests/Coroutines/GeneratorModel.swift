@testable import Ringlet

/// What a program of generators comes to, without any: its body is run from the beginning for each move, with all that
/// was sent to it so far, and left where there is nothing more.
struct GeneratorModel {
    private enum Input {
        case send(Int)
        case fail(Int)
        case exit
        case drop
    }

    /// Leaves the body where it is suspended; nothing in it notices.
    private struct Suspended: Error { let element: Int }

    /// A generator and those that it delegates to, which are its levels.
    private final class Chain {
        /// What happens at an element.
        let next: (Int) throws -> Input
        /// The level that is being ended by an exit, which the level below (by number) waits for; nil when none is, or
        /// the outermost.
        var exiting: Int?
        /// The levels that throw the exit instead of yielding, and those of them that had ignored one.
        var closing: Set<Int> = []
        var ignoring: Set<Int> = []

        init(next: @escaping (Int) throws -> Input) { self.next = next }

        func exit(at level: Int) -> any Error {
            exiting = level == 0 ? nil : level
            return GeneratorExit()
        }
    }

    private final class Notes { var lines: [String] = [] }
    private let notes = Notes()

    static func run(_ body: [GeneratorStep], _ moves: [GeneratorMove]) -> [String] {
        var inputs: [Input] = []
        var lines: [String] = []
        var isEnded = false
        var known = 0
        func step(_ input: Input?) -> Result<Int?, any Error> {
            if let input { inputs.append(input) }
            let model = GeneratorModel()
            var rest = inputs[...]
            let chain = Chain { element in
                guard let input = rest.popFirst() else { throw Suspended(element: element) }
                return input
            }
            let result = Result<Int?, any Error> { try model.run(body, 0, chain) ?? 0 }
            if case .failure(is Suspended) = result {} else { isEnded = true }
            lines += model.notes.lines.dropFirst(known)
            known = model.notes.lines.count
            return result
        }
        func observe(_ result: Result<Int?, any Error>) {
            switch result {
            case .success: lines.append("end")
            case .failure(let suspended as Suspended): lines.append("element \(suspended.element)")
            case .failure(let error): lines.append("threw \(word(for: error))")
            }
        }
        observe(step(nil))
        for move in moves {
            switch move {
            case .send(let value): isEnded ? lines.append("end") : observe(step(.send(value)))
            case .fail(let number):
                isEnded ? lines.append("threw failure \(number)") : observe(step(.fail(number)))
            case .close:
                if isEnded {
                    lines.append("end")
                    break
                }
                switch step(.exit) {
                case .success(let value): lines.append("closed \(value ?? 0)")
                case .failure(is Suspended): lines.append("threw ignored")
                case .failure(is GeneratorExit): lines.append("end")
                case .failure(let error): lines.append("threw \(word(for: error))")
                }
            }
        }
        if !isEnded { _ = step(.drop) }
        return lines
    }

    private func run(_ body: [GeneratorStep], _ level: Int, _ chain: Chain) throws -> Int? {
        for step in body {
            if let value = try run(step, level, chain) { return value }
        }
        return nil
    }

    private func run(_ step: GeneratorStep, _ level: Int, _ chain: Chain) throws -> Int? {
        switch step {
        case .note(let number): notes.lines.append("\(number)")
        case .yield(let element): notes.lines.append("sent \(try yield(element, level, chain))")
        case .delegate(let body):
            notes.lines.append("result \(try delegate(to: body, level, chain))")
        case .drive(let body, let count): try drive(body, count)
        case .attempt(let body, let handlesAll, let handler):
            do { return try run(body, level, chain) } catch where !(error is Suspended) {
                guard handlesAll || error is Failure else { throw error }
                notes.lines.append("caught \(word(for: error))")
                return try run(handler, level, chain)
            }
        case .scope(let number, let body):
            let result = Result { try run(body, level, chain) }
            if case .failure(is Suspended) = result {} else { notes.lines.append("left \(number)") }
            return try result.get()
        case .call(let body): return try run(body, level, chain)
        case .fail(let number): throw Failure(number: number)
        case .finish(let value): return value
        }
        return nil
    }

    private func yield(_ element: Int, _ level: Int, _ chain: Chain) throws -> Int {
        if chain.closing.contains(level) { throw GeneratorExit() }
        if let ignoring = chain.exiting {
            // Whoever delegates to it drops it at once.
            chain.closing.insert(ignoring)
            chain.ignoring.insert(ignoring)
            throw chain.exit(at: level)
        }
        switch try chain.next(element) {
        case .send(let value): return value
        case .fail(let number): throw Failure(number: number)
        case .exit: throw chain.exit(at: level)
        case .drop:
            chain.closing.insert(0)
            throw chain.exit(at: level)
        }
    }

    private func delegate(
        to body: [GeneratorStep], _ level: Int, _ chain: Chain
    ) throws -> Int {
        if chain.closing.contains(level) { throw GeneratorExit() }
        let result = Result { try run(body, level + 1, chain) ?? 0 }
        if case .failure(let suspended as Suspended) = result { throw suspended }
        chain.closing.remove(level + 1)
        guard chain.exiting == level + 1 else { return try result.get() }
        let exit = chain.exit(at: level)
        if chain.ignoring.remove(level + 1) != nil { throw GeneratorError.ignoredExit }
        _ = try result.get()
        throw exit
    }

    private func drive(_ body: [GeneratorStep], _ count: Int) throws {
        var taken = 0
        let chain = Chain { element in
            notes.lines.append("took \(element)")
            taken += 1
            return taken == count ? .drop : .send(taken)
        }
        let result = Result { try run(body, 0, chain) }
        if taken == count { return }
        _ = try result.get()
        notes.lines.append("driven")
    }
}
