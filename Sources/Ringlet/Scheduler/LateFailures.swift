import Synchronization

/// Fibers that failed while their scheduler shut down. Their errors are told at the end, whoever still refers to them: until
/// then somebody may join.
struct LateFailures: ~Copyable, Sendable {
    private let fibers = Mutex<[AnyFiber]>([])

    /// The fiber's worker.
    func add(_ fiber: AnyFiber) { fibers.withLock { $0.append(fiber) } }

    /// By the last worker that ends. A fiber keeps its scheduler, so until then this keeps both.
    func report() {
        let late = fibers.withLock { fibers in
            defer { fibers = [] }
            return fibers
        }
        for fiber in late { fiber.reportFailure() }
    }
}
