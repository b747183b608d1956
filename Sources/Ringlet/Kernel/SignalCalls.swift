import CUring
import Glibc
import SystemPackage

/// signalfd(2) and the mask that goes with it.
enum SignalCalls {
    /// Blocks `signals` in the calling thread and gives a descriptor that is readable when one of them
    /// is pending.
    static func open(_ signals: [Int32]) throws(Errno) -> Int32 {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals {
            // The kernel would leave these two out without a word (signalfd(2)).
            guard signal != SIGKILL, signal != SIGSTOP, unsafe sigaddset(&set, signal) == 0 else {
                throw Errno.invalidArgument
            }
        }
        let error = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        guard error == 0 else { throw Errno(rawValue: error) }
        let descriptor = unsafe curing_signalfd(&set)
        guard descriptor >= 0 else { throw Errno(rawValue: -descriptor) }
        return descriptor
    }

    /// Makes `call` with every signal blocked in this thread, so that a thread that it starts blocks them: signals are
    /// for the program's own threads. Not those that a fault raises where it happens; blocked, they would end the
    /// process without a word of the handler.
    static func whileBlocked<Result>(_ call: () -> Result) -> Result {
        var set = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&set)
        for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT] { unsafe sigdelset(&set, fault) }
        unsafe pthread_sigmask(SIG_SETMASK, &set, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        return call()
    }

    /// Bytes of one record; the signal's number is the first 32 bits.
    static let recordSize = 128
}
