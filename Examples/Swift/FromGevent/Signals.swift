import Glibc
import Ringlet

func showSignals() throws {
    let signals = try SignalListener(for: [.user1])
    let first = try Scheduler.run {
        let handler = Fiber { try signals.next(deadline: .after(.seconds(60))) }
        kill(getpid(), SIGUSR1)
        return try handler.join()
    }

    expect(first == .user1, "a fiber waits for signals")
}
