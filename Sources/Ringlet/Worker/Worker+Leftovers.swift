/// What keeps a worker from ending, asked from another thread.
extension Worker {
    /// How long an answer may take, in all: a worker that comes round gives it within a turn.
    private static let patience = Duration.milliseconds(20)

    /// Asks `workers`, which should be ending, what they wait for. Blocks the thread, briefly.
    static func leftovers(of workers: [Worker]) -> [ShutdownReport.Worker] {
        let limit = Deadline.after(patience)
        let questions = workers.map { worker in
            let answer = WorkerAnswer<ShutdownReport.Worker>()
            worker.perform { answer.give($0.leftovers) }
            return (worker.index, answer)
        }
        return questions.map { index, answer in
            answer.wait(until: limit) ?? ShutdownReport.Worker(index: index)
        }
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
