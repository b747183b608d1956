/// The scheduler of the process, for tasks of other executors that do I/O with Ringlet.
///
/// A task on the default executor or the `MainActor` may await an operation; it has no worker of its
/// own then. One worker on a thread of its own is started at the first such call and lives as long as the
/// process.
enum BackgroundScheduler {
    private static let scheduler: Scheduler = {
        do {
            return try Scheduler()
        } catch {
            // No call could ever succeed, and none of them may lose its caller.
            fatalError("Ringlet cannot serve a task outside a scheduler: \(error)")
        }
    }()

    static var worker: Worker { scheduler.workers[0] }

    /// For tasks of the library's own.
    static var taskExecutor: any TaskExecutor { scheduler.taskExecutor }
}
