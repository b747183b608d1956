import SystemPackage

/// How a child ended, and what it wrote to the pipes that it had.
public struct ChildOutput: Sendable, Hashable {
    /// How it ended.
    public var status: ChildStatus
    /// What it wrote to its standard output; empty when that was no pipe.
    public var output: [UInt8]
    /// What it wrote as errors; empty when that was no pipe.
    public var errorOutput: [UInt8]

    /// The output as text; what is not UTF-8 becomes U+FFFD.
    public var text: String { String(decoding: output, as: UTF8.self) }

    /// The error output as text; what is not UTF-8 becomes U+FFFD.
    public var errorText: String { String(decoding: errorOutput, as: UTF8.self) }
}

// MARK: - All input and output at once, in both colours

extension ChildProcess {
    /// Writes `input` and closes the pipe, reads all output, and waits for the end. In a fiber.
    ///
    /// Writing and reading go on at the same time, so that neither waits for the other with a full pipe. A child that does
    /// not read to the end is no error. Pipes that the child does not have are left out. The end of an output comes
    /// when nobody has it open any more: not before a process that the child has left behind with it has ended, too.
    ///
    /// When it throws, the child goes on, and part of its input and output is lost.
    ///
    /// - Parameters:
    ///   - input: What the child reads, such as `"text".utf8`. Traps when there is something and the child's input is
    ///     no pipe.
    ///   - limit: How many bytes each output may have.
    ///   - deadline: When to give up.
    /// - Throws: ``CommandError/outputTooLong(limit:)``; `CancellationError`; ``TimeoutError``; `Errno.badFileDescriptor`
    ///   when an output is closed, or the input although there is something to write.
    @available(*, noasync, message: "in a task, await child.communicate()")
    public func communicate(
        _ input: some Collection<UInt8> = [], limit: Int = .max, deadline: Deadline = .never
    ) throws -> ChildOutput {
        _ = try FiberRef.require("child.communicate()")
        let bytes = checked(input)
        let (output, errorOutput): ([UInt8], [UInt8])
        do {
            let bodies: [@Sendable () throws -> [UInt8]] = [
                {
                    try self.feed(bytes, deadline)
                    return []
                },
                { try self.pipes.output?.readToEnd(limit: limit, deadline: deadline) ?? [] },
                { try self.pipes.errorOutput?.readToEnd(limit: limit, deadline: deadline) ?? [] },
            ]
            let parts = try gather(bodies)
            (output, errorOutput) = (parts[1], parts[2])
        } catch let error as GroupError {
            throw error.errors[0]
        }
        return ChildOutput(status: try wait(deadline: deadline), output: output, errorOutput: errorOutput)
    }

    /// Writes `input` and closes the pipe, reads all output, and waits for the end. In a task; as the form for fibers.
    public func communicate(
        _ input: some Collection<UInt8> = [], limit: Int = .max, deadline: Deadline = .never
    ) async throws -> ChildOutput {
        let bytes = checked(input)
        async let fed: Void = feed(bytes, deadline)
        async let errors = pipes.errorOutput?.readToEnd(limit: limit, deadline: deadline)
        let output = try await pipes.output?.readToEnd(limit: limit, deadline: deadline)
        let errorOutput = try await errors
        try await fed
        return ChildOutput(
            status: try await wait(deadline: deadline), output: output ?? [], errorOutput: errorOutput ?? [])
    }

    private func checked(_ input: some Collection<UInt8>) -> [UInt8] {
        precondition(
            input.isEmpty || pipes.input != nil,
            "the child's input is no pipe, so it is given nothing; make its Command with input: .pipe")
        return [UInt8](input)
    }

    private static let chunk = 64 * 1024

    private func feed(_ bytes: [UInt8], _ deadline: Deadline) throws {
        guard let pipe = pipes.input else { return }
        do {
            for start in stride(from: 0, to: bytes.count, by: Self.chunk) {
                let end = min(start + Self.chunk, bytes.count)
                try pipe.write(Buffer(copying: bytes[start..<end]), deadline: deadline)
            }
        } catch Errno.brokenPipe {}
        // It may be closed already, after all that there was to write.
        try? pipe.close()
    }

    private func feed(_ bytes: [UInt8], _ deadline: Deadline) async throws {
        guard let pipe = pipes.input else { return }
        do {
            for start in stride(from: 0, to: bytes.count, by: Self.chunk) {
                let end = min(start + Self.chunk, bytes.count)
                try await pipe.write(Buffer(copying: bytes[start..<end]), deadline: deadline)
            }
        } catch Errno.brokenPipe {}
        try? await pipe.close()
    }
}
