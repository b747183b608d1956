// MARK: - Starting, in both colours

extension Command {
    /// Starts the program in a child process. In a fiber or on a plain thread.
    ///
    /// A thread of a pool waits for the exec meanwhile. Streams whose property is nil are inherited. The child is
    /// reaped as soon as it has ended, whoever still refers to it; dropping the handle closes the pipes, and leaves
    /// the child running. To have it ended, use `withChild`.
    ///
    /// Cancelled in the middle, it ends what it has started, and waits for that.
    ///
    /// - Throws: `Errno`, and then there is no child: `.noSuchFileOrDirectory` for a program, a directory or an
    ///   interpreter that does not exist, `.permissionDenied`, `.invalidArgument` for a string with a byte 0 or a variable
    ///   whose name is empty or has an equals sign, `.argumentListTooLong`, `.badFileDescriptor`, `.tooManyOpenFiles`;
    ///   `.notSupported` in a simulation. `CancellationError`; ``ThreadPoolError``; ``SchedulerError/forkedChild``.
    @available(*, noasync, message: "in a task, await command.start()")
    public func start() throws -> ChildProcess {
        if let fiber = FiberRef.current, fiber.mustNotWait { throw Completion.cancelled(.user).error(.never) }
        let launch = try Launch(self)
        do {
            return try launch.begin().wait("command.start()", deadline: .never)
        } catch {
            launch.child?.end(within: .zero)
            throw error
        }
    }

    /// Starts the program in a child process. In a task; as the form for fibers.
    public func start() async throws -> ChildProcess {
        try Task.checkCancellation()
        let launch = try Launch(self)
        do {
            return try await launch.begin().wait(deadline: .never)
        } catch {
            await launch.child?.end(within: .zero)
            throw error
        }
    }

    /// Starts the program in a child process, which has ended and is reaped when this returns or throws. In a fiber.
    ///
    /// When `body` is over, however, the pipes are closed. A child that still runs gets SIGTERM, and when the grace
    /// period is over SIGKILL, both with its group if it has one of its own. Nothing cuts that short. A body that is
    /// interested in how the child ends by itself waits for it.
    ///
    /// - Parameters:
    ///   - gracePeriod: How long a child that was asked to end may take for it. With zero it is killed at once.
    ///   - body: Is given the child.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, and as `start`.
    @_disfavoredOverload
    @available(*, noasync, message: "in a task, await command.withChild")
    public func withChild<Result>(
        gracePeriod: Duration = .seconds(5), _ body: (ChildProcess) throws -> Result
    ) throws -> Result {
        _ = try FiberRef.require("command.withChild")
        let child = try start()
        defer { child.end(within: gracePeriod) }
        return try body(child)
    }

    /// Starts the program in a child process, which has ended and is reaped when this returns or throws. In a task; as the
    /// form for fibers.
    public func withChild<Result>(
        gracePeriod: Duration = .seconds(5), _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        let child = try await start()
        do {
            let result = try await body(child)
            await child.end(within: gracePeriod)
            return result
        } catch {
            await child.end(within: gracePeriod)
            throw error
        }
    }
}
