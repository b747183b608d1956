import Glibc
import Synchronization

/// Is told of an error that nobody can catch: it ended a coroutine that was unwound because nobody
/// referred to it any more.
public typealias UnseenErrorHandler = @Sendable (_ error: any Error, _ coroutine: String) -> Void

extension AnyCoroutine {
    private static let handler = Mutex<UnseenErrorHandler?>(nil)

    /// Installs who is told of errors that nobody can catch, each once, on the thread of the
    /// coroutine; nil is a line on stderr. For the process. Any thread.
    ///
    /// - Returns: The one that was installed before.
    @discardableResult
    public static func setUnseenErrorHandler(_ new: UnseenErrorHandler?) -> UnseenErrorHandler? {
        handler.withLock { handler in
            defer { handler = new }
            return handler
        }
    }

    /// Tells whoever wants to know. False: nobody does.
    static func tellUnseen(_ error: any Error, of coroutine: String) -> Bool {
        guard let handler = handler.withLock({ $0 }) else { return false }
        handler(error, coroutine)
        return true
    }
}
