import Ringlet
import SystemPackage

func showProcesses() throws {
    let notes = Notes()
    try Scheduler.run {
        // create_subprocess_exec and communicate, in one.
        let sorted = try await Command("sort").run(input: "b\na\n".utf8).text
        expect(sorted == "a\nb\n", "a program, its input and its output")
        do {
            try await Command.shell("echo no such luck >&2; exit 3").run()
        } catch let error as CommandError {
            notes.add("\(error)")
        }

        let cat = Command("cat", input: .pipe, output: .pipe)
        try await cat.withChild { child in
            try await child.input.write(Buffer(copying: "hello".utf8))
            try await child.input.close()
            let bytes = try await child.output.readToEnd()
            let status = try await child.wait()
            expect(bytes == Array("hello".utf8) && status.isSuccess, "its pipes and its end")
        }

        let child = try await Command("sleep", "1000").start()
        do {
            try await child.wait(deadline: .after(.milliseconds(5)))
        } catch is TimeoutError {
            try child.terminate()  // false if it has ended meanwhile
        }
        let status = try await child.wait()
        expect(status == .killed(by: .terminate), "a wait that ends early leaves the child alone")
    }
    expect(notes.all == ["'/bin/sh' ended with exit code 3: no such luck"], "a failure is an error")
}
