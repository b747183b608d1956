import SystemPackage

/// What a command throws that has run, where `Errno` would say too little.
public enum CommandError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The program did not succeed.
    case failed(program: String, ChildOutput)
    /// It wrote more than it may.
    case outputTooLong(limit: Int)

    public var description: String {
        switch self {
        case .failed(let program, let output):
            "'\(program)' ended with \(output.status)" + Self.remark(output.errorText)
        case .outputTooLong(let limit): "a child process wrote more than \(limit) bytes"
        }
    }

    /// The last line of the error output.
    private static func remark(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).last.map { ": " + $0.prefix(200) } ?? ""
    }
}

// MARK: - Running to the end, in both colours

extension Command {
    /// Runs the program in a child process to its end, and returns what it wrote. In a fiber.
    ///
    /// Output and error output are collected unless the command says where they go, and merged ones are the output.
    /// When this is cancelled, or fails, the child is ended as by `withChild`; none is left.
    ///
    /// - Parameters:
    ///   - input: What the child reads, such as `"text".utf8`. Traps when there is something and the command says that
    ///     its input comes from elsewhere.
    ///   - limit: How many bytes each output may have.
    ///   - throwsOnFailure: False to have the result of a program that does not succeed returned as well.
    ///   - gracePeriod: As for `withChild`.
    ///   - deadline: When to give up.
    /// - Throws: ``CommandError/failed(program:_:)`` unless the exit code is 0; ``CommandError/outputTooLong(limit:)``;
    ///   `CancellationError`; ``TimeoutError``; and as `start`.
    @discardableResult
    @available(*, noasync, message: "in a task, await command.run()")
    public func run(
        input: some Collection<UInt8> = [], limit: Int = .max, throwsOnFailure: Bool = true,
        gracePeriod: Duration = .seconds(5), deadline: Deadline = .never
    ) throws -> ChildOutput {
        let result = try collecting(input).withChild(gracePeriod: gracePeriod) { child in
            try child.communicate(input, limit: limit, deadline: deadline)
        }
        return try checked(result, throwsOnFailure)
    }

    /// Runs the program in a child process to its end, and returns what it wrote. In a task; as the form for fibers.
    @discardableResult
    public func run(
        input: some Collection<UInt8> = [], limit: Int = .max, throwsOnFailure: Bool = true,
        gracePeriod: Duration = .seconds(5), deadline: Deadline = .never
    ) async throws -> ChildOutput {
        let result = try await collecting(input).withChild(gracePeriod: gracePeriod) { child in
            try await child.communicate(input, limit: limit, deadline: deadline)
        }
        return try checked(result, throwsOnFailure)
    }

    /// With pipes for what the command leaves open.
    private func collecting(_ bytes: some Collection<UInt8>) -> Command {
        var command = self
        command.input = input ?? (bytes.isEmpty ? .null : .pipe)
        command.output = output ?? .pipe
        command.errorOutput = errorOutput ?? .pipe
        return command
    }

    private func checked(_ result: ChildOutput, _ throwsOnFailure: Bool) throws -> ChildOutput {
        if throwsOnFailure && !result.status.isSuccess {
            throw CommandError.failed(program: executable.string, result)
        }
        return result
    }
}
