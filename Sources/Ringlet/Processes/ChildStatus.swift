/// How a child process ended.
public enum ChildStatus: Hashable, Sendable, CustomStringConvertible {
    /// It ended by itself, with this code of exit(3): 0 for success, at most 255.
    case exited(Int32)
    /// A signal ended it.
    case killed(by: UnixSignal)
    /// It has ended, and nobody knows how: something else in this process has asked the kernel before, which answers
    /// once, as waitpid(2) for -1 does; or SIGCHLD is ignored, and the kernel keeps nothing.
    case unknown

    /// True for the exit code 0, and for nothing else.
    public var isSuccess: Bool { self == .exited(0) }

    /// The exit code; nil when there is none.
    public var exitCode: Int32? {
        if case .exited(let code) = self { code } else { nil }
    }

    public var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .killed(let signal): "signal \(signal.rawValue)"
        case .unknown: "a status that somebody else has taken"
        }
    }
}
