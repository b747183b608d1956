/// An error that nobody can catch any more: of a callback, or of a fiber, coroutine or generator whose end nobody saw; or
/// one that the program reports.
public struct UnseenError: Sendable, CustomStringConvertible {
    /// What ended with it, or was cut short.
    public enum Origin: Hashable, Sendable {
        /// A call by ``Scheduler/soon(fileID:line:_:)`` and its relatives.
        case callback
        /// A call by ``Scheduler/onReadable(_:holdsScheduler:fileID:line:_:)`` or its relative; the watch goes on, unless its
        /// descriptor was closed.
        case watcher
        /// A fiber that nobody joined after its failure, or that failed while its scheduler shut down.
        case fiber
        /// A coroutine that was unwound because nobody referred to it any more.
        case coroutine
        /// A generator that was closed for the same reason, and threw in its clean-up.
        case generator
        /// The program itself, by ``Scheduler/reportUnseen(_:source:fileID:line:)``.
        case report
    }

    /// The error, as it was thrown.
    public let error: any Error

    /// What ended with it.
    public let origin: Origin

    /// Who it was: the description of a fiber, and where it was spawned, or of a coroutine; for a callback the kind and the
    /// place of the call that asked for it; of a report what it says.
    public let source: String

    public var description: String { "\(source) ended with an error that nobody saw: \(error)" }
}

/// Is told of errors that nobody can catch any more.
///
/// Called on the thread where the error came up, or where the last reference to its fiber or coroutine went away: it must
/// not wait, and should be quick. One that throws is taken to have failed: the error that it was told of and its own become
/// lines on stderr.
public typealias UnseenErrorHandler = @Sendable (UnseenError) throws -> Void
