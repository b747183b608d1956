import Glibc
import Ringlet

func showThreads() throws {
    let notes = Notes()
    let pool = try ThreadPool(name: "decoders", limit: 2)
    try Scheduler.run {
        let value = try await ThreadPool.shared.run { blockingCall() }
        expect(value == 42, "to_thread")
        let job = pool.spawn { blockingCall() }
        let same = try await job.join()
        expect(same == 42, "run_in_executor")

        // A waiter that is cancelled leaves the thread to itself.
        let impatient = Task {
            try await pool.run(abandonOnCancel: true) { while notes.all.isEmpty { usleep(1000) } }
        }
        _ = try await fetch(1)
        impatient.cancel()
        do { try await impatient.value } catch is CancellationError { notes.add("left") }
        try pool.resize(to: 4)
        _ = await pool.shutdown(deadline: .after(.seconds(300)))

        let addresses = try await SocketAddress.resolve(host: "localhost", port: 80)
        expect(!addresses.isEmpty, "name look-up")
    }
    expect(notes.all == ["left"], "cancelling ends the wait")
    try showForeignThreads()
}

private func blockingCall() -> Int {
    usleep(1000)
    return 42
}

private func showForeignThreads() throws {
    let scheduler = try Scheduler()
    // On any thread:
    let fiber = scheduler.spawn {
        try Fiber.await { try await fetch(1) }
    }
    let value = try fiber.join(deadline: .after(.seconds(300)))  // blocks this thread
    scheduler.shutdown()
    expect(value == 1, "run_coroutine_threadsafe")
}
