import Ringlet
import SystemPackage

func showChildren() throws {
    let notes = Notes()
    try Scheduler.run {
        // check_output
        let greeting = try Command("echo", "hello").run().text
        expect(greeting == "hello\n", "its output")
        // call
        let code = try Command("false").run(throwsOnFailure: false).status.exitCode
        expect(code == 1, "its exit code")
        // check_output(timeout=)
        do {
            try Command("sleep", "1000").run(deadline: .after(.milliseconds(5)))
        } catch is TimeoutError {
            notes.add("ended and reaped")
        }

        // Popen, rawlink and waitpid: any number of fibers wait for the same end.
        let child = try Command("cat", input: .pipe).start()
        child.onEnd { notes.add("\($0.status!)") }
        let waiter = Fiber { try child.wait() }
        try child.input.close()
        let statuses = [try waiter.join(), try child.wait()]
        expect(statuses == [.exited(0), .exited(0)], "all are told the same")
        while notes.all.count < 2 { try Fiber.yield() }

        // waitpid(-1), of those that are meant.
        let children = try ["1000", "0"].map { try Command("sleep", $0).start() }
        let first = try wait(for: children, until: .firstCompleted).done.first
        expect(first === children[1], "the first that ends")
        try children[0].kill()
    }
    expect(notes.all == ["ended and reaped", "exit code 0"], "a deadline, and a call at the end")
}
