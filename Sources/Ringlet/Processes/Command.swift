public import SystemPackage

/// A program to run in a child process: which, with what, and where its input and output go.
///
///     let log = try await Command("git", "log", "-1", directory: "/src").run().text
///
///     try await Command("sort", input: .pipe, output: .pipe).withChild { sort in
///         try await sort.input.write(lines)
///         try await sort.input.close()
///         let sorted = try await sort.output.readToEnd()
///     }
///
/// A value, which may be kept, changed and used any number of times, on any thread. `run` collects the output and returns
/// when the child has ended; `withChild` gives its body the child, and ends it; `start` leaves everything to the
/// program. Each has a form for fibers and one for tasks.
///
/// Nothing goes through a shell, so nothing needs quotes; ``shell(_:)`` is one. The child begins with no signal
/// blocked and the default action for each, in the program's group unless ``group`` says otherwise, and has no
/// descriptors but those that the command names.
public struct Command: Sendable, Hashable {
    /// The program. With a slash it is a path, relative to ``directory``; a name without one is looked up in the PATH of
    /// the environment that the child gets.
    public var executable: FilePath
    /// What the program is given, beside its own name.
    public var arguments: [String]
    /// The environment variables that the child gets.
    public var environment: Environment
    /// The directory in which the child begins; nil for that of this process.
    public var directory: FilePath?
    /// Where standard input comes from. Nil lets the call decide: for `run` it is what `run` is given, otherwise it is
    /// inherited.
    public var input: Stream?
    /// Where standard output goes. Nil lets the call decide: `run` collects it, otherwise it is inherited.
    public var output: Stream?
    /// Where error output goes. Nil lets the call decide, as for ``output``.
    public var errorOutput: ErrorStream?
    /// Further descriptors, which become 3, 4 and so on in the child. They belong to the caller, and stay open until the
    /// child has started.
    public var descriptors: [FileDescriptor]
    /// Of which process group the child is.
    public var group: ProcessGroup

    /// A command whose arguments are an array; the parameters are as the properties of the same names.
    public init(
        _ executable: FilePath, arguments: [String], environment: Environment = .inherited,
        directory: FilePath? = nil, input: Stream? = nil, output: Stream? = nil, errorOutput: ErrorStream? = nil,
        descriptors: [FileDescriptor] = [], group: ProcessGroup = .inherited
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.input = input
        self.output = output
        self.errorOutput = errorOutput
        self.descriptors = descriptors
        self.group = group
    }

    /// A command whose arguments stand one after the other; the parameters are as the properties of the same names.
    public init(
        _ executable: FilePath, _ arguments: String..., environment: Environment = .inherited,
        directory: FilePath? = nil, input: Stream? = nil, output: Stream? = nil, errorOutput: ErrorStream? = nil,
        descriptors: [FileDescriptor] = [], group: ProcessGroup = .inherited
    ) {
        self.init(
            executable, arguments: arguments, environment: environment, directory: directory, input: input,
            output: output, errorOutput: errorOutput, descriptors: descriptors, group: group)
    }

    /// What `/bin/sh` makes of `text`. Nothing that comes from elsewhere belongs into it: hand that over in the
    /// environment, or as arguments of another command.
    public static func shell(_ text: String) -> Command {
        Command("/bin/sh", "-c", text)
    }

    // MARK: Parts

    /// Where a standard stream of a child comes from or goes to.
    public enum Stream: Sendable, Hashable {
        /// To where this process's own goes.
        case inherited
        /// `/dev/null`: an empty input, an output that nobody sees.
        case null
        /// A pipe, whose other end is ``ChildProcess/input``, ``ChildProcess/output`` or ``ChildProcess/errorOutput``.
        case pipe
        /// This file, which belongs to the caller and stays open until the child has started.
        case descriptor(FileDescriptor)
    }

    /// Where the error output of a child goes.
    public enum ErrorStream: Sendable, Hashable {
        /// To where standard output goes, with it in the order in which the child writes.
        case merged
        /// As ``Command/Stream/inherited``.
        case inherited
        /// As ``Command/Stream/null``.
        case null
        /// As ``Command/Stream/pipe``.
        case pipe
        /// As ``Command/Stream/descriptor(_:)``.
        case descriptor(FileDescriptor)
    }

    /// Of which process group a child is.
    public enum ProcessGroup: Sendable, Hashable {
        /// Of that of this process: a Control-C in the terminal is meant for both.
        case inherited
        /// Of its own, which what it starts itself belongs to as well, and which can be sent signals as a whole.
        case own
        /// Of its own in a session of its own, without a terminal.
        case session
    }

    /// The environment variables of a child.
    public struct Environment: Sendable, Hashable {
        /// Nil removes one.
        let changes: [String: String?]
        let isInherited: Bool

        /// Those of this process at the time of the start.
        public static let inherited = inherited(changing: [:])

        /// Those of this process at the time of the start, but for some.
        ///
        /// - Parameter changes: What to set, and with nil, what to remove.
        public static func inherited(changing changes: [String: String?]) -> Environment {
            Environment(changes: changes, isInherited: true)
        }

        /// These and no others.
        public static func only(_ variables: [String: String]) -> Environment {
            Environment(changes: variables.mapValues { $0 }, isInherited: false)
        }
    }
}
