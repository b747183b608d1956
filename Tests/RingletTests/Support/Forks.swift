import Glibc
import Testing

/// fork(2), which Swift hides because hardly anything may be called in the child of a process with threads.
/// That is what is tested here, in exit tests. A child that hangs is ended by SIGALRM. What it throws is kept from the
/// testing library, which looks up types under locks that other threads may have held at the fork.
func fork() -> pid_t {
    typealias Fork = @convention(c) () -> pid_t
    stopErrorNotes()
    let child = unsafe unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)()
    if child == 0 {
        admit(SIGALRM)
        alarm(30)
    }
    return child
}

func wait(for child: pid_t) -> ExitStatus {
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7f == 0 ? .exitCode(status >> 8 & 0xff) : .signal(status & 0x7f)
}

/// How a child ended that exits with the result of `body`.
func inChild(_ body: () throws -> Int32) -> ExitStatus {
    let child = fork()
    if child == 0 {
        do { _exit(try body()) } catch { _exit(99) }
    }
    return wait(for: child)
}
