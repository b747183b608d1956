/// What one fiber of a random program does. A program is made such that its outcome does not depend on who runs
/// first, so that ``ProgramModel`` can say in advance what ``ProgramRun`` must come to.
struct Program: Sendable, Equatable {
    indirect enum Step: Sendable, Equatable {
        case yield
        case sleep(microseconds: Int)
        /// Bytes through a connection whose other end is served by a fiber.
        case exchange(count: Int)
        /// A wait for what does not come, with a deadline.
        case expire(Wait)
        /// A wait for what does not come, until the fiber is cancelled. The first one tells the parent.
        case wait(Wait)
        /// Async code in the fiber's task.
        case await
        case checkCancellation
        case spawn(Program, worker: Int)
        /// A child that is cancelled before it can begin.
        case spawnCancelled(Program)
        /// Joins the last child that has not been settled: one that waits for ever with a deadline.
        case join
        /// Cancels the last child that waits for ever, and joins it.
        case cancel
        case shielded([Step])
        case attempt([Step])
        case fail(Int)
    }

    enum Wait: Int, Sendable, CaseIterable {
        case sleep, read, accept
    }

    var steps: [Step]
}

/// Makes a program of any bytes: of a fuzzer, or of a seed.
struct ProgramDecoder {
    private var bytes: ArraySlice<UInt8>
    // Fibers that may still be made.
    private var fibersLeft = 24

    init(_ bytes: [UInt8]) {
        self.bytes = bytes[...]
    }

    private mutating func next(below limit: Int) -> Int {
        Int(bytes.popFirst() ?? 0) % limit
    }

    /// The program of a fiber; `depth` is how many generations may follow it.
    mutating func program(depth: Int = 4) -> Program {
        fibersLeft -= 1
        return Program(steps: steps(depth: depth, isShielded: false))
    }

    private mutating func steps(depth: Int, isShielded: Bool) -> [Program.Step] {
        let count = 1 + next(below: 6)
        var steps: [Program.Step] = []
        while steps.count < count && !bytes.isEmpty {
            steps.append(step(depth: depth, isShielded: isShielded))
        }
        return steps
    }

    private mutating func wait() -> Program.Wait {
        Program.Wait.allCases[next(below: Program.Wait.allCases.count)]
    }

    private mutating func step(depth: Int, isShielded: Bool) -> Program.Step {
        switch next(below: 20) {
        case 0: return .sleep(microseconds: next(below: 200))
        case 1: return .exchange(count: 1 + next(below: 256) * next(below: 256))
        case 2: return .expire(wait())
        // In a shielded part it would never end.
        case 3, 4: return isShielded ? .yield : .wait(wait())
        case 5: return .await
        case 6: return .checkCancellation
        case 7, 8, 9, 10:
            guard depth > 0, fibersLeft > 0 else { return .yield }
            let worker = next(below: 4)
            return .spawn(program(depth: depth - 1), worker: worker)
        case 11:
            guard depth > 0, fibersLeft > 0 else { return .yield }
            return .spawnCancelled(program(depth: depth - 1))
        case 12, 13: return .join
        case 14: return .cancel
        case 15:
            guard depth > 0 else { return .yield }
            return .shielded(steps(depth: depth - 1, isShielded: true))
        case 16, 17:
            guard depth > 0 else { return .yield }
            return .attempt(steps(depth: depth - 1, isShielded: isShielded))
        case 18: return .fail(next(below: 256))
        default: return .yield
        }
    }
}

/// What a fiber notes, and what comes of one.
enum ProgramNote: Sendable, Equatable {
    case moved(Int)
    case timedOut
    case awaited(isCancelled: Bool)
    case failed(ProgramEnd)
    /// A child that was joined, with all that it noted.
    case child(ProgramEnd, [ProgramNote])
    /// A child that a fiber which is cancelled itself cannot wait for.
    case left
}

/// How a fiber's body ended.
enum ProgramEnd: Sendable, Equatable {
    case returned
    case cancelled
    case timedOut
    case failed(Int)
    case other(String)
}
