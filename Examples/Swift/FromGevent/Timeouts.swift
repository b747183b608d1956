import Ringlet

func showTimeouts() throws {
    try Scheduler.run {
        do {
            try withDeadline(.after(.milliseconds(1))) { _ in try waitForEver() }
            expect(false, "it is cut short")
        } catch let error as TimeoutError {
            expect(error.deadline < .now, "which one it was")
        }

        // Silent: swallows only itself.
        let scope = CancelScope(deadline: .after(.milliseconds(1)))
        let value = try scope.run { _ in
            try waitForEver()
            return 1
        }
        expect(value ?? 7 == 7, "with_timeout with a default value")

        // Every wait takes a deadline.
        let event = Event()
        do { try event.wait(deadline: .after(.milliseconds(1))) } catch is TimeoutError {}
    }
}
