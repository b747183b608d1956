@testable import Ringlet

/// What a program of coroutines comes to, by rules alone: bodies are lists, and a suspended one is a place in its list.
final class CoroutineModel {
    private enum State { case pending, suspended, running, ended }

    private enum Arrival {
        case value(Int)
        case error(any Error)
    }

    private struct Strand {
        var state = State.pending
        var place = 0
        var parent: Int?
        var isClosing = false
        var endsForCloser = false
        var outcome: Arrival?
    }

    private let program: CoroutineProgram
    private var strands: [Strand]
    private var lines: [String] = []

    static func run(_ program: CoroutineProgram) -> [String] {
        let model = CoroutineModel(program)
        for step in program.main {
            do {
                let arrival = try model.perform(step, by: nil)
                if case .transfer = arrival { fatalError("the code outside is never suspended") }
                model.note(arrival, "main", step)
            } catch {
                model.lines.append("main caught \(word(forCoroutine: error))")
            }
        }
        model.lines += model.strands.map { strand in
            switch strand.outcome {
            case .value(let value): "returned \(value)"
            case .error(is CoroutineExit): "exited"
            case .error(let error): "failed \(word(forCoroutine: error))"
            case nil: "\(strand.state)"
            }
        }
        for index in model.strands.indices {
            do { try model.close(index, by: nil) } catch {
                model.lines.append("closing threw \(word(forCoroutine: error))")
            }
        }
        return model.lines
    }

    private init(_ program: CoroutineProgram) {
        self.program = program
        strands = program.bodies.map { _ in Strand() }
    }

    // MARK: A step

    private enum Result {
        /// The step has this value.
        case value(Int)
        /// The step has no value.
        case done
        /// The body is suspended, and control goes there; nil is outside.
        case transfer(Int?, Arrival)
    }

    private func note(_ result: Result, _ who: String, _ step: CoroutineStep) {
        switch (result, step) {
        case (.value(let value), _): lines.append("\(who) got \(value)")
        case (_, .close(let index)): lines.append("\(who) closed \(index)")
        default: break
        }
    }

    private func perform(_ step: CoroutineStep, by origin: Int?) throws -> Result {
        switch step {
        case .switchTo(let index, let value):
            return try transfer(from: origin, to: living(index), .value(value))
        case .toParent(let value):
            guard let origin else { return .value(value) }
            return try transfer(
                from: origin, to: strands[origin].parent.flatMap(living), .value(value))
        case .outside(let value): return try transfer(from: origin, to: nil, .value(value))
        case .throwAt(let index, let number):
            return try raise(Failure(number: number), at: index, by: origin)
        case .exit(let index): return try raise(CoroutineExit(), at: index, by: origin)
        case .close(let index):
            try close(index, by: origin)
            return .done
        case .setParent(let index, let parent):
            if parent == index { throw CoroutineError.parentIsItself }
            var ancestor = parent.flatMap { strands[$0].parent }
            while let next = ancestor {
                if next == index { throw CoroutineError.parentIsDescendant }
                ancestor = strands[next].parent
            }
            strands[index].parent = parent
            return .done
        case .fail(let number): throw Failure(number: number)
        case .finish(let value): return .value(value)
        }
    }

    /// It, or its nearest ancestor that has not ended.
    private func living(_ index: Int) -> Int? {
        strands[index].state == .ended ? strands[index].parent.flatMap(living) : index
    }

    private func transfer(
        from origin: Int?, to target: Int?, _ arrival: Arrival
    ) throws -> Result {
        if let origin, strands[origin].isClosing { throw CoroutineExit() }
        if target == origin { return try value(of: arrival) }
        if let target, strands[target].state == .running {
            throw CoroutineError.notSuspended(coroutine: "\(target)")
        }
        if let origin {
            strands[origin].state = .suspended
            return .transfer(target, arrival)
        }
        return try value(of: carry(target, arrival))
    }

    private func value(of arrival: Arrival) throws -> Result {
        switch arrival {
        case .value(let value): return .value(value)
        case .error(let error): throw error
        }
    }

    private func raise(_ error: any Error, at index: Int, by origin: Int?) throws -> Result {
        let isClosing = origin.map { strands[$0].isClosing } ?? false
        if !isClosing && strands[index].state == .pending { end(index, .error(error)) }
        return try transfer(from: origin, to: living(index), .error(error))
    }

    private func end(_ index: Int, _ outcome: Arrival) {
        strands[index].state = .ended
        strands[index].outcome = outcome
    }

    private func close(_ index: Int, by origin: Int?) throws {
        switch strands[index].state {
        case .pending: end(index, .error(CoroutineExit()))
        case .ended: break
        case .running:
            guard index == origin else { throw CoroutineError.notSuspended(coroutine: "\(index)") }
            strands[index].isClosing = true
            throw CoroutineExit()
        case .suspended:
            strands[index].isClosing = true
            strands[index].endsForCloser = true
            _ = carry(index, .error(CoroutineExit()))
            if case .error(let error) = strands[index].outcome, !(error is CoroutineExit) {
                throw error
            }
        }
    }

    // MARK: Bodies

    /// Runs `first` and whoever gets control after it. Returns what arrives outside.
    private func carry(_ first: Int?, _ arrival: Arrival) -> Arrival {
        var (next, arrival) = (first, arrival)
        while let current = next {
            (next, arrival) = run(current, arrival)
        }
        return arrival
    }

    /// Runs one body until it is suspended or ends. Returns who is next, and with what.
    private func run(_ index: Int, _ arrival: Arrival) -> (Int?, Arrival) {
        let isBeginning = strands[index].state == .pending
        strands[index].state = .running
        let outcome: Arrival
        do {
            if isBeginning {
                guard case .value(let value) = try value(of: arrival) else { fatalError() }
                lines.append("\(index) begins with \(value)")
            } else {
                try finishStep(of: index) { try value(of: arrival) }
            }
            while strands[index].place < program.bodies[index].count {
                let step = program.bodies[index][strands[index].place]
                if case .finish(let value) = step.step { return ended(index, .value(value)) }
                var transfer: (Int?, Arrival)?
                try finishStep(of: index) {
                    let result = try perform(step.step, by: index)
                    if case .transfer(let target, let arrival) = result { transfer = (target, arrival) }
                    return result
                }
                if let transfer { return transfer }
            }
            outcome = .value(index + 100)
        } catch {
            outcome = .error(error)
        }
        return ended(index, outcome)
    }

    /// Notes how the current step of a body came out, and goes on to the next one if it did.
    private func finishStep(of index: Int, _ body: () throws -> Result) throws {
        let step = program.bodies[index][strands[index].place]
        do {
            let result = try body()
            if case .transfer = result { return }
            note(result, "\(index)", step.step)
        } catch where step.isGuarded {
            lines.append("\(index) caught \(word(forCoroutine: error))")
        }
        strands[index].place += 1
    }

    private func ended(_ index: Int, _ outcome: Arrival) -> (Int?, Arrival) {
        end(index, outcome)
        if strands[index].endsForCloser { return (nil, outcome) }
        var heir = strands[index].parent
        while let next = heir, strands[next].state == .running || strands[next].state == .ended {
            heir = strands[next].parent
        }
        return (heir, outcome)
    }
}
