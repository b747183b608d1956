import Foundation
@_spi(Testing) import Ringlet
import Synchronization

/// Ends the process, with a dump of who waits on what, when a round does not end.
final class StressWatchdog: Sendable {
    /// A round takes less than a second; a machine may be busy.
    private static let patience = Duration.seconds(180)

    private struct State {
        var scheduler: Scheduler?
        var name = ""
        var limit = Deadline.never
    }

    private let state = Mutex(State())

    init() {
        Thread.detachNewThread { [self] in
            while true {
                Thread.sleep(forTimeInterval: 0.2)
                let state = state.withLock { $0 }
                guard state.limit.hasPassed else { continue }
                print("\(state.name) does not end")
                print(state.scheduler.map { "\($0.snapshot())" } ?? "its scheduler does not begin or end")
                flushOutput()
                exit(1)
            }
        }
    }

    /// A round begins; `name` is what to print.
    func begin(_ name: String) {
        state.withLock { $0 = State(name: name, limit: .after(Self.patience)) }
    }

    func watch(_ scheduler: Scheduler?) { state.withLock { $0.scheduler = scheduler } }

    func end() { state.withLock { $0 = State() } }
}
