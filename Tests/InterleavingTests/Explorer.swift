/// A protocol between threads, small enough that every order of their steps can be tried.
///
/// A value is one state of everything shared and of each thread. A step is one atomic access; where it is not
/// determined what happens, or where memory may reorder two accesses, a thread has several next states.
protocol Model: Hashable {
    /// Threads are numbered from 0.
    var threads: Int { get }

    /// The states that the thread's next step may lead to; none when it has ended, or waits for another one.
    func steps(of thread: Int) -> [Self]

    /// What is wrong in this state, whatever comes after it.
    var violation: String? { get }

    /// What is wrong when no thread can go on; nil when that is how it should end.
    var violationAtEnd: String? { get }
}

/// What ``explore(_:)`` found.
struct Exploration {
    /// Different states that were reached.
    var states = 0
    /// The first thing that was wrong, and the steps that led there.
    var violation: String?
}

/// Tries all interleavings of a model's threads from one state on.
func explore<M: Model>(_ initial: M) -> Exploration {
    var reached = [initial]
    var known: Set = [initial]
    // For each state the one it was first reached from, so that a violation comes with its history.
    var parents = [-1]
    var stack = [0]
    while let number = stack.popLast() {
        let state = reached[number]
        let next = (0..<state.threads).flatMap { state.steps(of: $0) }
        if let wrong = state.violation ?? (next.isEmpty ? state.violationAtEnd : nil) {
            var history: [String] = []
            var current = number
            while current >= 0 {
                history.append("\(reached[current])")
                current = parents[current]
            }
            let text = ([wrong] + history.reversed()).joined(separator: "\n")
            return Exploration(states: reached.count, violation: text)
        }
        for state in next where known.insert(state).inserted {
            stack.append(reached.count)
            reached.append(state)
            parents.append(number)
        }
    }
    return Exploration(states: reached.count, violation: nil)
}
