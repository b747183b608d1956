import Glibc

/// Handles `signal` once, on this thread. The default action is in force again, and the kernel tells of it with the
/// flags of the handler that it took away. For exit tests.
func useUpHandler(of signal: Int32) {
    var once = sigaction()
    unsafe once.__sigaction_handler.sa_sigaction = { _, _, _ in }
    once.sa_flags = SA_SIGINFO | Int32(bitPattern: UInt32(SA_RESETHAND))
    _ = unsafe sigaction(signal, &once, nil)
    raiseHere(signal)
}

/// Handles `signal` on this thread before it returns. Threads of libdispatch, and those that they start, block it.
func raiseHere(_ signal: Int32) {
    admit(signal)
    raise(signal)
}

/// Unblocks `signal` on this thread.
func admit(_ signal: Int32) {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, signal)
    _ = unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
}
