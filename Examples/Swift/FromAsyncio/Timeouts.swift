import Ringlet

func showTimeouts() throws {
    let notes = Notes()
    try Scheduler.run {
        do {
            try await withDeadline(.after(.milliseconds(1))) { scope in
                try await waitForEver()
            }
        } catch is TimeoutError {
            notes.add("timed out")
        }

        try await withDeadline(.after(.seconds(30))) { scope in
            try scope.reschedule(to: .after(.seconds(60)))
            _ = try await fetch(2)
            expect(!scope.hasExpired && scope.deadline > .now, "it was moved")
        }

        // Cut short without an error: nil.
        let scope = CancelScope(deadline: .after(.milliseconds(1)))
        let value = try await scope.run { _ in
            try await waitForEver()
            return 1
        }
        expect(value == nil && scope.isCancelled, "a silent timeout")

        // Every wait takes a deadline of its own.
        let never = Fiber { try Fiber.sleep(until: .never) }
        do {
            try await never.join(deadline: .after(.milliseconds(1)))
        } catch is TimeoutError {
            expect(!never.isFinished, "the fiber goes on")
        }
        never.cancel()

        // wait_for: cancels at the deadline, waits for the clean-up, and a value that comes of it wins.
        let stubborn = try await withDeadline(.after(.milliseconds(1))) { _ in
            do { try await waitForEver() } catch {}
            return "its value"
        }
        expect(stubborn == "its value", "who swallows it has the last word")
    }
    expect(notes.all == ["timed out"], "an error at the boundary")
}
