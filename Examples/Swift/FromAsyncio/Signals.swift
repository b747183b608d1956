import Glibc
import Ringlet

func showSignals() throws {
    let signals = try SignalListener(for: [.user1, .hangUp])
    let first = try Scheduler.run {
        kill(getpid(), SIGUSR1)
        return try await signals.next(deadline: .after(.seconds(60)))
    }

    expect(first == .user1, "a task waits for signals")
}
