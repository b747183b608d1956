@testable import Ringlet

/// A small program of a few threads, made anew for each order in which its steps are tried.
struct Interleaved {
    let threads: [() throws -> Void]
    /// What is wrong when all threads have ended; nil when nothing is.
    let violation: () -> String?

    init(_ threads: [() throws -> Void], violation: @escaping () -> String? = { nil }) {
        self.threads = threads
        self.violation = violation
    }
}

/// Runs the library's own code in chosen orders of its steps: see ``InterleavedThread``.
///
/// The threads are coroutines of the calling thread, which switch at each step. So an order is a list of choices; it can be
/// run again, and the next one is the same list with its last choice changed. What orders the accesses of a
/// weaker memory allows beyond that, this does not show: ThreadSanitizer and the models of ``explore(_:)`` do.
final class Interleaver {
    /// What was found.
    struct Report {
        /// Different orders that were run.
        var orders = 0
        /// All orders there are within the bound were among them.
        var isComplete = false
        /// The first thing that was wrong, and the order that led there.
        var violation: String?
    }

    /// Tries every order of the steps with at most so many preemptions: places where a thread that could go on does not.
    /// Few are enough for nearly all errors (CHESS, OSDI 2008).
    static func everyOrder(
        preemptions: Int = .max, limit: Int = 20_000, _ program: () -> Interleaved
    ) -> Report {
        var report = Report()
        var choices: [Choice] = []
        warmUp(program())
        while report.orders < limit {
            let run = Run(program(), choices, preemptions: preemptions)
            report.orders += 1
            choices = run.choices
            if let violation = run.violation {
                report.violation = violation
                return report
            }
            while let last = choices.last, last.taken + 1 == last.count { choices.removeLast() }
            if choices.isEmpty {
                report.isComplete = true
                return report
            }
            choices[choices.count - 1].taken += 1
        }
        return report
    }

    /// What happens once in a process, as the beginning of a static variable, is none of the steps.
    private static func warmUp(_ program: Interleaved) { _ = Run(program, [], preemptions: .max) }
}

/// One of several ways to go on.
private struct Choice {
    var taken: Int
    let count: Int
}

/// One order, from beginning to end.
private final class Run {
    private(set) var choices: [Choice]
    private(set) var violation: String?
    private var steps: [String] = []

    /// After so many steps a thread that others could follow gives way: it may wait for them in a loop.
    private static let patience = 50

    init(_ program: Interleaved, _ planned: [Choice], preemptions: Int) {
        choices = planned
        let threads = program.threads.enumerated().map { Thread($0, $1) }
        var current = 0
        var stepsInARow = 0
        var preemptionsLeft = preemptions
        var depth = 0
        while true {
            var able = threads.indices.filter { threads[$0].canGoOn }
            if able.isEmpty { break }
            let isRunning = able.contains(current) && threads[current].isRunning
            if isRunning, let place = able.firstIndex(of: current) {
                if stepsInARow >= Self.patience && able.count > 1 {
                    able.remove(at: place)
                } else if preemptionsLeft == 0 {
                    able = [current]
                } else {
                    able.swapAt(0, place)
                }
            }
            var taken = 0
            if able.count > 1 {
                if depth == choices.count { choices.append(Choice(taken: 0, count: able.count)) }
                precondition(choices[depth].count == able.count, "the program is not the same each time it is made")
                taken = choices[depth].taken
                depth += 1
            }
            let next = able[taken]
            if next != current {
                if isRunning { preemptionsLeft -= 1 }
                stepsInARow = 0
            }
            (current, stepsInARow) = (next, stepsInARow + 1)
            steps.append("\(next)")
            if let error = threads[next].goOn() {
                violation = "thread \(next) failed: \(error)\nsteps: \(steps.joined(separator: " "))"
                break
            }
        }
        let waiting = threads.filter { !$0.hasEnded }
        if violation == nil {
            let numbers = waiting.map { "\($0.number)" }.joined(separator: ", ")
            let wrong = waiting.isEmpty ? program.violation() : "nothing wakes the threads \(numbers)"
            violation = wrong.map { "\($0)\nsteps: \(steps.joined(separator: " "))" }
        }
        // Their frames have no end that could be run.
        unsafe Thread.abandoned += waiting
    }
}

/// A thread of the program: a coroutine that switches back at each step.
private final class Thread: InterleavedThread {
    private enum Event {
        case step
        case sleep(mayTimeOut: Bool, condition: () -> Bool)
    }

    nonisolated(unsafe) static var abandoned: [Thread] = []

    let number: Int
    private(set) var hasEnded = false
    private var last = Event.step
    private var timedOut = false
    private var failure: (any Error)?
    private var generator: Generator<Event, Void, Void>!
    private var yielder: Yielder<Event, Void>!

    /// The coroutine's own switches are none of the program's steps.
    private var isInside = false

    init(_ number: Int, _ body: @escaping () throws -> Void) {
        self.number = number
        generator = Generator { [unowned self] yielder in
            self.yielder = yielder
            isInside = true
            do { try body() } catch { failure = error }
            isInside = false
            hasEnded = true
        }
    }

    /// It neither sleeps nor has ended.
    var isRunning: Bool { if case .step = last { !hasEnded } else { false } }

    var canGoOn: Bool {
        if hasEnded { return false }
        guard case .sleep(let mayTimeOut, let condition) = last else { return true }
        return mayTimeOut || condition()
    }

    /// Until the next step. The error that the thread ended with, if it did.
    func goOn() -> (any Error)? {
        if case .sleep(_, let condition) = last { timedOut = !condition() }
        last = .step
        Interleaving.ordering(self) {
            if let event = try! generator.next() { last = event }
        }
        return failure
    }

    func step() {
        guard isInside else { return }
        giveWay(.step)
    }

    func sleep(mayTimeOut: Bool, until condition: () -> Bool) -> Bool {
        if condition() { return true }
        withoutActuallyEscaping(condition) { giveWay(.sleep(mayTimeOut: mayTimeOut, condition: $0)) }
        return !timedOut
    }

    private func giveWay(_ event: Event) {
        isInside = false
        try! yielder(event)
        isInside = true
    }
}
