import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// All of a child's input and output at once, and programs that run to their end.
@Suite(.timeLimit(.patient)) struct CommunicateTests {
    private static let cat = Command("cat", input: .pipe, output: .pipe)

    @Test func `much goes both ways while both pipes are full`() async throws {
        try await Scheduler.run {
            let result = try Self.cat.start().communicate(muchInput)
            #expect(result.status.isSuccess && result.output == muchInput && result.errorOutput.isEmpty)
        }
    }

    @Test(arguments: [true, false])
    func `much goes both ways in a task`(onWorker: Bool) async throws {
        let body = { @Sendable () async throws in
            let result = try await Self.cat.start().communicate(muchInput)
            #expect(result.status.isSuccess && result.output == muchInput)
        }
        if onWorker { try await Scheduler.run { try await body() } } else { try await body() }
    }

    @Test func `what was written before counts, and the pipe may be closed already`() async throws {
        let inFiber = try await Scheduler.run {
            let child = try Self.cat.start()
            try child.input.write(Buffer(copying: [1, 2]))
            let result = try child.communicate([3])
            let again = errorThrown { _ = try child.communicate([4]) }
            #expect(again as? Errno == .badFileDescriptor)
            return result
        }
        #expect(inFiber.output == [1, 2, 3])
        let child = try await Self.cat.start()
        try await child.input.write(Buffer(copying: [1, 2]))
        try await child.input.close()
        let inTask = try await child.communicate()
        #expect(inTask.output == [1, 2])
        await #expect(throws: Errno.badFileDescriptor) { try await child.communicate([4]) }
    }

    @Test func `much comes from both outputs at once`() async throws {
        let both = Command(
            "sh", "-c", "head -c 1000000 /dev/zero & head -c 1000000 /dev/zero >&2; wait", output: .pipe,
            errorOutput: .pipe)
        let inFiber = try await Scheduler.run { try both.start().communicate() }
        let inTask = try await both.start().communicate()
        for result in [inFiber, inTask] {
            #expect(result.output.count == 1_000_000 && result.errorOutput.count == 1_000_000)
        }
    }

    @Test func `a child that does not read to the end is no error`() async throws {
        await #expect(processExitsWith: .success) {
            Glibc.signal(SIGPIPE, SIG_DFL)
            let deaf = Command("true", input: .pipe)
            let hasty = Command("head", "-c", "1")
            try await Scheduler.run {
                let result = try deaf.start().communicate(muchInput)
                #expect(result.status.isSuccess)
                let first = try hasty.run(input: muchInput)
                #expect(first.output == [muchInput[0]])
            }
            let result = try await deaf.start().communicate(muchInput)
            #expect(result.status.isSuccess)
            let first = try await hasty.run(input: muchInput)
            #expect(first.output == [muchInput[0]])
        }
    }

    @Test func `a deadline ends the call, and the child goes on`() async throws {
        try await Scheduler.run {
            try Command("sleep", "100000", input: .pipe, output: .pipe).withChild { child in
                let deadline = Deadline.after(.milliseconds(5))
                #expect(throws: TimeoutError(deadline: deadline)) {
                    try child.communicate(muchInput, deadline: deadline)
                }
                #expect(child.status == nil)
            }
        }
        try await Command("sleep", "100000", input: .pipe, output: .pipe).withChild { child in
            let deadline = Deadline.after(.milliseconds(5))
            await #expect(throws: TimeoutError(deadline: deadline)) {
                try await child.communicate(muchInput, deadline: deadline)
            }
            #expect(child.status == nil)
        }
    }

    // MARK: Running

    @Test func `a program runs, and its output is the result`() async throws {
        let sorted = try await Scheduler.run { try Command("sort").run(input: "b\na\n".utf8) }
        #expect(sorted == ChildOutput(status: .exited(0), output: Array("a\nb\n".utf8), errorOutput: []))
        let inTask = try await Command("sort").run(input: Array("d\nc\n".utf8))
        #expect(inTask.text == "c\nd\n")
        // Nothing is read of what this process would be given.
        let empty = try await Command("cat").run()
        #expect(empty.output.isEmpty)
    }

    @Test func `a program that fails is an error with all that it wrote`() async throws {
        let failing = Command.shell("echo out; echo first >&2; echo no such luck >&2; exit 3")
        let output = ChildOutput(
            status: .exited(3), output: Array("out\n".utf8), errorOutput: Array("first\nno such luck\n".utf8))
        let error = CommandError.failed(program: "/bin/sh", output)
        #expect("\(error)" == "'/bin/sh' ended with exit code 3: no such luck")
        try await Scheduler.run {
            #expect(throws: error) { try failing.run() }
            let result = try failing.run(throwsOnFailure: false)
            #expect(result == output)
        }
        await #expect(throws: error) { try await failing.run() }
        let result = try await failing.run(throwsOnFailure: false)
        #expect(result == output)
    }

    @Test func `a program that is not wanted any more is ended`() async throws {
        await #expect(processExitsWith: .success) {
            let (endless, sleeper) = (Command("yes"), Command("sleep", "100000"))
            try await Scheduler.run {
                #expect(throws: CommandError.outputTooLong(limit: 100_000)) { try endless.run(limit: 100_000) }
                let deadline = Deadline.after(.milliseconds(10))
                #expect(throws: TimeoutError(deadline: deadline)) { try sleeper.run(deadline: deadline) }
                #expect(throws: TimeoutError.self) {
                    try withDeadline(.after(.milliseconds(10))) { _ in try sleeper.run() }
                }
                let fiber = Fiber { try sleeper.run() }
                let isAsleep = Fiber {
                    while !children().values.contains("S") { try Fiber.sleep(for: .milliseconds(5)) }
                }
                try isAsleep.join(deadline: .after(patience))
                fiber.cancel()
                #expect(throws: CancellationError.self) { _ = try fiber.join() }
                #expect(children().isEmpty)
            }
            await #expect(throws: CommandError.outputTooLong(limit: 100_000)) { try await endless.run(limit: 100_000) }
            let task = Task { try await sleeper.run() }
            try await awaitUntil("it runs") { children().values.contains("S") }
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            #expect(children().isEmpty)
        }
    }

    @Test func `a limit is the most that there may be`() async throws {
        let ten = Command("printf", "0123456789")
        let all = try await ten.run(limit: 10).text
        #expect(all == "0123456789")
        await #expect(throws: CommandError.outputTooLong(limit: 9)) { try await ten.run(limit: 9) }
    }

    @Test func `input for a child without a pipe is named`() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = try await Command("cat", input: .null).run(input: [1])
        }
        try expectReport(result, says: "make its Command with input: .pipe")
    }
}
