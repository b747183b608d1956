import Glibc
import SystemPackage
import Testing

@testable import Ringlet

/// Signals are sent to the worker's own thread, which blocks them all: the process has other threads that do not.
@Suite(.timeLimit(.patient)) struct SignalListenerTests {
    /// Made on a thread that ends, since its signals stay blocked.
    private static func listener(_ signals: UnixSignal...) async throws -> SignalListener {
        try await onThread { try SignalListener(for: signals) }
    }

    @Test func `a fiber is given signals, and a wait that ends early loses none`() async throws {
        let listener = try await Self.listener(.user1, .user2)
        try await Scheduler.run {
            raise(SIGUSR1)
            let first = try listener.next()
            #expect(first == .user1)
            // One that waits already.
            let waiter = Fiber { try listener.next() }
            try Fiber.sleep(for: .milliseconds(1))
            raise(SIGUSR2)
            let second = try waiter.join()
            #expect(second == .user2)

            #expect(throws: TimeoutError.self) { _ = try listener.next(deadline: .after(.milliseconds(1))) }
            let cancelled = Fiber { try listener.next() }
            try Fiber.yield()
            cancelled.cancel()
            #expect(throws: CancellationError.self) { _ = try cancelled.join() }
            // Two kinds at once, and one of them twice.
            for signal in [SIGUSR2, SIGUSR1, SIGUSR2] { raise(signal) }
            let both = try Set([listener.next(), listener.next()])
            #expect(both == [.user1, .user2])
            #expect(throws: TimeoutError.self) { _ = try listener.next(deadline: .after(.milliseconds(1))) }
        }
    }

    @Test func `a task is given signals`() async throws {
        let listener = try await Self.listener(.user1)
        try await Scheduler.run { () async throws in
            raise(SIGUSR1)
            #expect(try await listener.next() == .user1)
            await #expect(throws: TimeoutError.self) {
                _ = try await listener.next(deadline: .after(.milliseconds(1)))
            }
            async let waiting = listener.next()
            try await Scheduler.sleep(for: .milliseconds(1))
            raise(SIGUSR1)
            #expect(try await waiting == .user1)
        }
    }

    @Test func `of two listeners one gets a signal`() async throws {
        let listeners = try await [Self.listener(.user1), Self.listener(.user1)]
        try await Scheduler.run {
            let got = Counter()
            let waiters = listeners.map { listener in
                Fiber {
                    let signal = try listener.next()
                    #expect(signal == .user1)
                    got.add()
                }
            }
            try Fiber.sleep(for: .milliseconds(1))
            raise(SIGUSR1)
            _ = try wait(for: waiters, until: .firstCompleted)
            #expect(got.value == 1)
            raise(SIGUSR1)
            for waiter in waiters { try waiter.join() }
        }
    }

    @Test func `what is no signal, and what cannot be blocked, is refused`() async throws {
        for signal in [UnixSignal.kill, .stop, UnixSignal(rawValue: 0), UnixSignal(rawValue: 1000)] {
            await #expect(throws: Errno.invalidArgument) { _ = try await Self.listener(.user1, signal) }
        }
    }
}
