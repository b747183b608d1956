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
            guard unsafe sigaddset(&set, signal) == 0 else { throw Errno.invalidArgument }
        }
        let error = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        guard error == 0 else { throw Errno(rawValue: error) }
        let descriptor = unsafe curing_signalfd(&set)
        guard descriptor >= 0 else { throw Errno(rawValue: -descriptor) }
        return descriptor
    }

    /// Bytes of one record; the signal's number is the first 32 bits.
    static let recordSize = 128
}
