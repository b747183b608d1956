import Foundation
import SystemPackage
import Testing

@testable import Ringlet
import RingletTesting

/// What a command says, the child gets.
@Suite(.timeLimit(.patient)) struct CommandTests {
    // MARK: The program and what it is given

    @Test func `arguments arrive as they are`() async throws {
        let odd = ["", " ", "a b", "*", "$HOME", "'\"", "é"]
        let output = try await Command("printf", arguments: ["[%s]"] + odd).run().text
        #expect(output == odd.map { "[\($0)]" }.joined())
        let shell = try await Command.shell("echo $((6 * 7)) | cat").run().text
        #expect(shell == "42\n")
    }

    @Test func `the environment is inherited, changed, or another one`() async throws {
        let only = try await Command("/usr/bin/env", environment: .only(["A": "b=c", "É": ""])).run().text
        #expect(Set(only.split(separator: "\n")) == ["A=b=c", "É="])
        let none = try await Command("/usr/bin/env", environment: .only([:])).run().text
        #expect(none.isEmpty)
        let inherited = try await Command("/usr/bin/env").run().text
        #expect(inherited.contains("PATH="))
        let changes = Command.Environment.inherited(changing: ["PATH": nil, "ADDED": "x", "HOME": "/nowhere"])
        let changed = try await Command("/usr/bin/env", environment: changes).run().text
        let lines = changed.split(separator: "\n")
        #expect(lines.contains("ADDED=x") && lines.contains("HOME=/nowhere"))
        #expect(!lines.contains { $0.hasPrefix("PATH=") } && lines.filter { $0.hasPrefix("HOME=") }.count == 1)
    }

    @Test func `a child begins in its directory, from which its path counts`() async throws {
        try await withFolder { folder in
            try await writeScript("pwd", to: folder.appending("tool"))
            let output = try await Command("./tool", directory: folder).run().text
            #expect(output == folder.string + "\n")
            await #expect(throws: Errno.noSuchFileOrDirectory) { try await Command("./tool", directory: "/").run() }
        }
    }

    @Test func `a name is looked up in the PATH that the child gets`() async throws {
        try await withFolder { folder in
            try await writeScript("echo found", to: folder.appending("ringlet-tool"))
            try FileManager.default.createDirectory(
                atPath: folder.appending("dark").string, withIntermediateDirectories: false)
            try await writeScript("echo dark", to: folder.appending("dark/ringlet-tool"), permissions: "644")
            let paths = { (path: String) in Command.Environment.inherited(changing: ["PATH": path]) }
            var tool = Command("ringlet-tool", environment: paths(folder.string))
            let found = try await tool.run().text
            // What may not be executed is passed over.
            tool.environment = paths("/nowhere:\(folder)/dark:\(folder)")
            let foundLater = try await tool.run().text
            // A folder that is empty or relative counts from the child's directory.
            (tool.environment, tool.directory) = (paths("dark:"), folder)
            let foundHere = try await tool.run().text
            #expect([found, foundLater, foundHere] == ["found\n", "found\n", "found\n"])
            tool.environment = paths("/nowhere:\(folder)/dark")
            await #expect(throws: Errno.permissionDenied) { try await tool.run() }
            tool.environment = paths("/nowhere")
            await #expect(throws: Errno.noSuchFileOrDirectory) { try await tool.run() }
            // Without one there is what confstr(3) says.
            let standard = try await Command("echo", "x", environment: .only([:])).run().text
            #expect(standard == "x\n")
        }
    }

    // MARK: Errors of the start

    /// Commands that cannot start, and why.
    private static func impossible(in folder: FilePath) -> [(Command, Errno)] {
        [
            (Command("/bin/ringlet-nonesuch"), .noSuchFileOrDirectory),
            (Command("ringlet-nonesuch", input: .pipe, output: .pipe, errorOutput: .pipe), .noSuchFileOrDirectory),
            (Command(""), .noSuchFileOrDirectory),
            (Command("true", directory: "/nowhere"), .noSuchFileOrDirectory),
            (Command("true", directory: "/etc/passwd"), .notDirectory),
            (Command(folder, input: .pipe, output: .pipe), .permissionDenied),
            (Command(folder.appending("text"), output: .pipe), .permissionDenied),
            (Command(folder.appending("nonsense"), output: .pipe), Errno(rawValue: ENOEXEC)),
            (Command("true", String(repeating: "x", count: 3 << 20), input: .pipe), Errno(rawValue: E2BIG)),
            (Command("true", "a\0b"), .invalidArgument),
            (Command("true", environment: .only(["a=b": ""])), .invalidArgument),
            (Command("true", environment: .inherited(changing: ["": "x"])), .invalidArgument),
            (Command("true", environment: .only(["a": "\0"])), .invalidArgument),
            (Command("true", input: .descriptor(FileDescriptor(rawValue: 4711)), output: .pipe), .badFileDescriptor),
        ]
    }

    @Test func `what cannot start is an error, and leaves nothing`() async throws {
        await #expect(processExitsWith: .success) {
            try await withFolder { folder in
                try await writeScript("", to: folder.appending("text"), permissions: "644")
                try await Command("cp", "/dev/null", folder.appending("nonsense").string).run()
                try await Command("chmod", "755", folder.appending("nonsense").string).run()
                // What is made once is made.
                _ = try await Command("true", output: .pipe).run()
                _ = try await Scheduler.run { try Command("true", input: .pipe).run(throwsOnFailure: false) }
                let before = try await settledDescriptors()
                try await Scheduler.run {
                    for (command, error) in Self.impossible(in: folder) {
                        #expect(throws: error, "\(command)") { _ = try command.start() }
                        #expect(throws: error, "\(command)") { try command.withChild { _ in } }
                    }
                }
                for (command, error) in Self.impossible(in: folder) {
                    await #expect(throws: error, "\(command)") { _ = try await command.start() }
                }
                #expect(children().isEmpty)
                try await awaitUntil("nothing is left open") { openDescriptors() <= before }
            }
        }
    }

    @Test func `without a free descriptor there is an error, and nothing is left open`() async throws {
        await #expect(processExitsWith: .success) {
            _ = try await Command("true", output: .pipe).run()
            let before = try await settledDescriptors()
            var limit = rlimit()
            _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let usual = limit.rlim_cur
            limit.rlim_cur = 500
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var fillers: [Int32] = []
            while true {
                let filler = fcntl(0, F_DUPFD_CLOEXEC, 0)
                if filler < 0 { break }
                fillers.append(filler)
            }
            let command = Command("true", input: .pipe, output: .pipe, errorOutput: .pipe)
            for _ in 0..<6 {
                await #expect(throws: Errno.tooManyOpenFiles) { _ = try await command.start() }
                close(fillers.removeLast())
            }
            // Without room for a pidfd there is a thread.
            let status = try await command.start().wait()
            #expect(status == .exited(0), "the status is \(status)")
            for filler in fillers { close(filler) }
            limit.rlim_cur = usual
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            try await awaitUntil("nothing is left open") { openDescriptors() <= before }
        }
    }

    @Test func `a simulation has no children`() throws {
        let error = try Simulation.run { errorThrown { _ = try Command("true").start() } as? Errno }
        #expect(error == .notSupported)
    }

    // MARK: Streams

    @Test func `error output is apart, or merged in the order of writing`() async throws {
        var command = Command.shell("echo one; echo two >&2; echo three")
        let apart = try await command.run()
        #expect(apart.text == "one\nthree\n" && apart.errorText == "two\n")
        command.errorOutput = .merged
        let merged = try await command.run()
        #expect(merged.text == "one\ntwo\nthree\n" && merged.errorOutput.isEmpty)
        (command.output, command.errorOutput) = (.null, .pipe)
        let silent = try await command.run()
        #expect(silent.output.isEmpty && silent.errorText == "two\n")
    }

    @Test func `streams are files of the program, and further descriptors are 3 and more`() async throws {
        try await withFolder { folder in
            let path = folder.appending("out")
            let (reading, writing) = try makePipe()
            let (other, otherWriting) = try makePipe()
            try writing.writeAll(Array("input\n".utf8))
            try otherWriting.writeAll(Array("further\n".utf8))
            try writing.close()
            try otherWriting.close()
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create], permissions: [.ownerReadWrite])
            let command = Command(
                "sh", "-c", "cat; cat <&3; echo error >&4", input: .descriptor(reading), output: .descriptor(file),
                descriptors: [other, file])
            let result = try await command.run()
            for descriptor in [reading, other, file] { try descriptor.close() }
            #expect(result.output.isEmpty && result.errorOutput.isEmpty)
            #expect(try String(contentsOfFile: path.string, encoding: .utf8) == "input\nfurther\nerror\n")
        }
    }

    @Test func `standard streams may trade places, and may be closed here`() async throws {
        await #expect(processExitsWith: .success) {
            let (reading, writing) = try makePipe()
            // Which number a pipe gets is chance: here they are those of the child's own.
            close(0)
            close(1)
            dup2(reading.rawValue, 1)
            dup2(writing.rawValue, 0)
            let command = Command(
                "sh", "-c", "echo through; echo error >&2", input: .descriptor(FileDescriptor(rawValue: 1)),
                output: .descriptor(FileDescriptor(rawValue: 0)), errorOutput: .pipe)
            let result = try await command.run()
            #expect(result.errorText == "error\n")
            var bytes = [UInt8](repeating: 0, count: 8)
            let count = unsafe read(1, &bytes, 8)
            #expect(count == 8 && bytes == Array("through\n".utf8))
            close(0)
            close(1)
            let echo = try await Command("cat").run(input: "hello".utf8)
            #expect(echo.text == "hello")
        }
    }

    @Test func `a child has no descriptors but its own`() async throws {
        // Without close-on-exec: what the program has open like that is not meant for children.
        let leaky = unsafe open("/dev/null", O_RDONLY)
        let high = fcntl(leaky, F_DUPFD, 300)
        defer {
            close(leaky)
            close(high)
        }
        let command = Command("sh", "-c", "ls /proc/$$/fd")
        let seen = try await Scheduler.run { try command.run().text }
        #expect(seen == "0\n1\n2\n")
        var further = command
        further.descriptors = [FileDescriptor(rawValue: leaky)]
        let seenFurther = try await further.run().text
        #expect(seenFurther == "0\n1\n2\n3\n")
    }

    // MARK: Signals and groups

    @Test func `a child blocks and ignores no signal, whatever this process does`() async throws {
        await #expect(processExitsWith: .success) {
            let listener = try SignalListener(for: [.terminate, .hangUp])
            for ignored in [SIGPIPE, SIGHUP, SIGUSR1, SIGINT] { Glibc.signal(ignored, SIG_IGN) }
            let text = try await Scheduler.run { try Command("grep", "^Sig", "/proc/self/status").run().text }
            let masks = text.split(separator: "\n").map { $0.split(separator: "\t") }
            let value = { (name: String) in
                UInt64(masks.first { $0[0] == name }?[1] ?? "", radix: 16).map { $0 & 0x7fff_ffff }
            }
            #expect(value("SigBlk:") == 0 && value("SigIgn:") == 0)
            // They are the process's as before.
            var action = sigaction()
            _ = unsafe sigaction(SIGPIPE, nil, &action)
            #expect(unsafe unsafeBitCast(action.__sigaction_handler, to: Int.self) == 1)
            withExtendedLifetime(listener) {}
        }
    }

    @Test(arguments: [Command.ProcessGroup.inherited, .own, .session])
    func `a child has its group`(group: Command.ProcessGroup) async throws {
        let child = try await Command("sh", "-c", "cat /proc/$$/stat", output: .pipe, group: group).start()
        let output = try await child.communicate().text
        // "17 (sh) S parent group session …"
        let fields = output.split(separator: " ").compactMap { Int32($0) }
        let expected =
            switch group {
            case .inherited: [getpid(), getpgrp(), getsid(0)]
            case .own: [getpid(), child.pid, getsid(0)]
            case .session: [getpid(), child.pid, child.pid]
            }
        #expect(Array(fields[0...3]) == [child.pid] + expected)
    }
}
