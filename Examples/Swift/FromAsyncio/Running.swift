import Glibc
import Ringlet
import SystemPackage

func showRunning() throws {
    let answer = try Scheduler.run {
        let first = try await fetch(1)
        return first + 41
    }
    expect(answer == 42, "run returns the value")

    let sum = try SchedulerRunner.with { runner in
        let first = try runner.run { try await fetch(1) }
        return try runner.run { try await fetch(2) } + first
    }
    expect(sum == 3, "a runner runs several bodies")
    try showRefusals()
    try showLeftovers()
    try showStop()
    // A shell lets what it starts in the background ignore Control-C, and then so does a scheduler.
    signal(SIGINT, SIG_DFL)
    try showInterrupt()
}

private func showRefusals() throws {
    let nested = try Scheduler.run { () async throws -> Bool in
        do {
            _ = try await Scheduler.run { try await fetch(1) }
        } catch SchedulerError.nestedRun {
            return true
        }
        return false
    }
    expect(nested, "a run inside a run is refused")

    let runner = SchedulerRunner()
    _ = try runner.run { try await fetch(1) }
    try runner.close()
    do {
        _ = try runner.run { try await fetch(1) }
        expect(false, "a closed runner refuses")
    } catch SchedulerError.closed {}
}

private func showLeftovers() throws {
    let notes = Notes()
    try Scheduler.run {
        Task(executorPreference: Scheduler.current?.taskExecutor) {
            do { try await waitForEver() } catch { notes.add("the leftover was cancelled") }
        }
        Fiber { throw Refused() }
        Scheduler.current?.setUnseenErrorHandler { unseen in notes.add("nobody saw: \(unseen.error)") }
        _ = try await fetch(1)
    }
    expect(notes.all.contains { $0.hasPrefix("nobody saw: Refused") }, "errors that nobody sees are reported")
}

private func showStop() throws {
    do {
        try Scheduler.run {
            Scheduler.current?.later(.milliseconds(1)) { Scheduler.current?.stop() }
            try await waitForEver()
        }
        expect(false, "a stopped run throws")
    } catch SchedulerError.stopped {
        // The body was cancelled and has ended.
    }
}

private func showInterrupt() throws {
    let notes = Notes()
    do {
        try Scheduler.run(SchedulerOptions(cancelsOnInterrupt: true)) {
            defer { notes.add("cleaned up") }
            pressControlC()
            try await waitForEver()
        }
    } catch is InterruptError {
        notes.add("interrupted")
    }
    expect(notes.all == ["cleaned up", "interrupted"], "the first SIGINT cancels the main body")
}

private func pressControlC() {
    Scheduler.current?.later(.milliseconds(1)) { kill(getpid(), SIGINT) }
}

func showEmbedding() throws {
    let notes = Notes()
    let guest = try GuestScheduler()
    let fiber = guest.scheduler.spawn {
        try Fiber.sleep(for: .milliseconds(1))
        notes.add("from the guest")
    }
    // The host's loop: here one round of poll(2) after the other.
    while !fiber.isFinished {
        var watched = pollfd(fd: guest.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        unsafe poll(&watched, 1, -1)
        guest.runOnce()
    }
    guest.close()
    expect(notes.all == ["from the guest"], "a host drives the scheduler")
}
