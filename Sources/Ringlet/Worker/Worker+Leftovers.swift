import Synchronization

/// What keeps a worker from ending, asked from another thread.
extension Worker {
    /// How long an answer may take, in all: a worker that comes round gives it within a turn.
    private static let patience = Duration.milliseconds(20)

    /// Asks `workers`, which should be ending, what they wait for. Blocks the thread, briefly.
    static func leftovers(of workers: [Worker]) -> [ShutdownReport.Worker] {
        let limit = Deadline.after(patience)
        let questions = workers.map { worker in
            let question = Question(worker.index)
            worker.perform { question.answer($0.leftovers) }
            return question
        }
        return questions.map { $0.answer(until: limit) }
    }

    /// On the worker's thread.
    private var leftovers: ShutdownReport.Worker {
        var left = ShutdownReport.Worker(index: index, isBlocked: false)
        left.operations = operations.activeCount
        var fiber = liveFibers
        while let current = fiber, left.fibers.count < ShutdownReport.Worker.mostNames {
            left.fibers.append(current.owner.description)
            fiber = current.nextLive
        }
        return left
    }
}

/// Between the thread that asks and the worker, which may answer when nobody waits any more.
private final class Question: Sendable {
    private let left: Mutex<ShutdownReport.Worker>
    private let answered = ThreadParker()

    init(_ index: Int) {
        left = Mutex(ShutdownReport.Worker(index: index))
    }

    func answer(_ answer: ShutdownReport.Worker) {
        left.withLock { $0 = answer }
        answered.unpark()
    }

    func answer(until deadline: Deadline) -> ShutdownReport.Worker {
        _ = answered.park(until: deadline.nanoseconds)
        return left.withLock { $0 }
    }

    deinit { answered.deallocate() }
}
