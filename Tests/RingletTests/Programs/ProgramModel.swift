/// Says what a program comes to, without a scheduler: each fiber is run to its end when it is joined.
///
/// That is possible because a fiber is cancelled either before it begins or at its first wait for what does not
/// come, and no fiber sees how far another one is.
struct ProgramModel {
    private struct Child {
        var notes: [ProgramNote]
        var end: ProgramEnd
        /// It waits for ever until it is cancelled.
        var waits: Bool
    }

    private enum Stop: Error {
        case end(ProgramEnd)
    }

    private var notes: [ProgramNote] = []
    private var children: [Child] = []
    private var isCancelled = false
    private var shields = 0
    private var hasWaited = false

    static func run(_ program: Program) -> (notes: [ProgramNote], end: ProgramEnd) {
        let child = outcome(of: program)
        return (child.notes, child.end)
    }

    /// The outcome, for one that waits for ever after it is cancelled there.
    private static func outcome(of program: Program) -> Child {
        var model = ProgramModel()
        var end = ProgramEnd.returned
        do { try model.run(program.steps) } catch { end = model.end(of: error) }
        for child in model.children.reversed() {
            model.notes.append(.child(child.end, child.notes))
        }
        return Child(notes: model.notes, end: end, waits: model.hasWaited)
    }

    private func end(of error: any Error) -> ProgramEnd {
        guard case .end(let end)? = error as? Stop else { return .other("\(error)") }
        return end
    }

    private mutating func run(_ steps: [Program.Step]) throws {
        for step in steps { try run(step) }
    }

    /// What every wait does first.
    private func suspend() throws {
        if isCancelled && shields == 0 { throw Stop.end(.cancelled) }
    }

    private mutating func run(_ step: Program.Step) throws {
        switch step {
        case .yield, .sleep:
            try suspend()
        case .exchange(let count):
            try suspend()
            notes.append(.moved(count))
        case .expire:
            try suspend()
            notes.append(.timedOut)
        case .wait:
            try suspend()
            hasWaited = true
            isCancelled = true
            throw Stop.end(.cancelled)
        case .await:
            notes.append(.awaited(isCancelled: isCancelled && shields == 0))
        case .checkCancellation:
            if isCancelled { throw Stop.end(.cancelled) }
        case .spawn(let program, _):
            children.append(Self.outcome(of: program))
        case .spawnCancelled:
            children.append(Child(notes: [], end: .cancelled, waits: false))
        case .join:
            guard let last = children.last else { return }
            if isCancelled && shields == 0 {
                notes.append(.left)
            } else if last.waits {
                notes.append(.timedOut)
            } else {
                settleLast()
            }
        case .cancel:
            guard let last = children.last, last.waits else { return }
            if !isCancelled || shields > 0 { settleLast() }
        case .shielded(let steps):
            shields += 1
            defer { shields -= 1 }
            try run(steps)
        case .attempt(let steps):
            do { try run(steps) } catch { notes.append(.failed(end(of: error))) }
        case .fail(let number):
            throw Stop.end(.failed(number))
        }
    }

    private mutating func settleLast() {
        let child = children.removeLast()
        notes.append(.child(child.end, child.notes))
    }
}
