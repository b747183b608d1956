import Synchronization

/// The body of a run: a fiber or a task.
protocol MainBody<Success>: WaitSource {
    associatedtype Success

    func begin()
    var isFinished: Bool { get }

    /// As ``WaitQueue/add(_:)``: for the end.
    func queue(_ node: WaitNode) -> Bool

    /// Cancels it. Any thread.
    func endEarly()

    /// After the end.
    func finalValue() throws -> Success
}

extension Fiber: MainBody {
    func begin() { start() }
    func queue(_ node: WaitNode) -> Bool { end.add(node) }
    func finalValue() throws -> Success { try join() }
}

/// An `async` main body and its outcome.
final class MainTask<Success>: MainBody, @unchecked Sendable {
    private let end = WaitQueue()
    private let worker: Worker
    // Written by the task, then announced by `end`.
    private var result: Result<Success, any Error>?
    private var body: (() async throws -> Success)?

    /// Written once, by `begin`.
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(on worker: Worker, _ body: sending @escaping () async throws -> Success) {
        self.worker = worker
        self.body = body
    }

    func begin() {
        // Under the lock: a cancel that comes at once finds the task.
        task.withLock { task in
            task = Task(name: "main", executorPreference: worker) {
                let body = self.body!
                self.body = nil
                do {
                    self.result = .success(try await body())
                } catch {
                    self.result = .failure(error)
                }
                self.end.complete()
            }
        }
    }

    var isFinished: Bool { end.isComplete }
    func withdraw(_ node: WaitNode) -> Bool { end.withdraw(node) }
    func waitDescription(of node: WaitNode) -> WaitDescription { WaitDescription("the end of the main task") }
    func queue(_ node: WaitNode) -> Bool { end.add(node) }
    func endEarly() { task.withLock { $0 }?.cancel() }
    func finalValue() throws -> Success { try result!.get() }
}
