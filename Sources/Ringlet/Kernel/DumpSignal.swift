import CUring
import Glibc
import SystemPackage
import Synchronization

/// Signals at which all schedulers of the process are printed.
///
/// The handler writes to an eventfd and does nothing else; a thread that waits for it makes the dump. Both are of the
/// process, and stay. A handler that was installed before is called as well.
enum DumpSignal {
    private struct State {
        var signals: Set<Int32> = []
        var hasThread = false
    }

    private static let installed = Mutex(State())

    /// From now on `signal` prints what `dump` returns on stderr. The first call decides which `dump` that is.
    static func install(_ signal: Int32, dump: @escaping @Sendable () -> String) throws(Errno) {
        let error: Int32 = installed.withLock { installed in
            if installed.signals.contains(signal) { return 0 }
            let descriptor = curing_dump_descriptor()
            if descriptor < 0 { return descriptor }
            // First, so that a signal whose thread cannot be had does what it did before.
            if !installed.hasThread {
                do throws(Errno) {
                    try WorkerThread.start(named: "ringlet-dump") { serve(descriptor, dump) }
                } catch {
                    return -error.rawValue
                }
                installed.hasThread = true
            }
            let error = curing_install_dump_signal(signal)
            if error == 0 { installed.signals.insert(signal) }
            return error
        }
        if error < 0 { throw Errno(rawValue: -error) }
    }

    private static func serve(_ descriptor: Int32, _ dump: () -> String) {
        var count: UInt64 = 0
        while true {
            let read = unsafe Glibc.read(descriptor, &count, 8)
            if read == 8 {
                StandardError.say(dump())
            } else if errno != EINTR {
                return
            }
        }
    }
}
