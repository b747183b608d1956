import Synchronization

/// A SIGINT that cancels the main body of a run instead of ending the process.
final class Interruption: Sendable {
    private let watcher: Watcher
    private let happened: Happened

    private final class Happened: Sendable {
        /// Written by the worker, read after the run.
        let flag = Atomic<Bool>(false)
    }

    /// Takes SIGINT. Nil when the program handles or ignores it, or another run has it.
    init?(cancelling main: some MainBody, on worker: Worker) {
        guard let descriptor = InterruptCalls.take() else { return nil }
        let happened = Happened()
        self.happened = happened
        do {
            watcher = try Watcher(
                .readable, of: descriptor, on: worker, holdsScheduler: false, site: PackedSite(#fileID, #line)
            ) {
                InterruptCalls.acknowledge()
                happened.flag.store(true, ordering: .releasing)
                main.endEarly()
            }
        } catch {
            InterruptCalls.giveBack()
            return nil
        }
        watcher.start()
    }

    var hasHappened: Bool { happened.flag.load(ordering: .acquiring) }

    /// Gives SIGINT back. Once.
    func end() {
        watcher.cancel()
        InterruptCalls.giveBack()
    }
}

/// A run was ended by SIGINT: its main body was cancelled, and has cleaned up.
///
/// Programs usually exit with status 130 then.
public struct InterruptError: Error, Hashable, Sendable, CustomStringConvertible {
    public init() {}

    public var description: String { "interrupted by SIGINT" }
}
