// Child processes. posix_spawn(3) is a vfork(2) with a stack of its own: the calling thread stops until the exec, other
// threads go on, and no handler of pthread_atfork(3) runs.

#define _GNU_SOURCE

#include "curing_children.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "curing.h"

const char *const *curing_environment(void) { return (const char *const *)environ; }

// MARK: Starting

static int set_streams(posix_spawn_file_actions_t *actions, const curing_spawn *spawn) {
    int error = 0;
    for (int32_t fd = 0; fd < spawn->count && !error; fd++) {
        int32_t source = spawn->descriptors[fd];
        switch (source) {
        case CURING_STREAM_INHERITED:
            break;
        case CURING_STREAM_NULL:
            error = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
            break;
        case CURING_STREAM_MERGED:
            error = posix_spawn_file_actions_adddup2(actions, 1, fd);
            break;
        default:
            error = posix_spawn_file_actions_adddup2(actions, source, fd);
        }
    }
    // Everything of the library's own is close-on-exec; what the program has open need not be.
    if (!error) error = posix_spawn_file_actions_addclosefrom_np(actions, spawn->count);
    if (!error && spawn->directory) error = posix_spawn_file_actions_addchdir_np(actions, spawn->directory);
    return error;
}

static int set_attributes(posix_spawnattr_t *attributes, int32_t group) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (group == CURING_GROUP_OWN) flags |= POSIX_SPAWN_SETPGROUP;
    if (group == CURING_GROUP_SESSION) flags |= POSIX_SPAWN_SETSID;
    int error = posix_spawnattr_setflags(attributes, flags);
    if (!error) error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error) error = posix_spawnattr_setsigdefault(attributes, &all);
    if (!error) error = posix_spawnattr_setpgroup(attributes, 0);
    return error;
}

int32_t curing_spawn_child(const curing_spawn *spawn) {
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return -error;
    posix_spawnattr_t attributes;
    error = posix_spawnattr_init(&attributes);
    pid_t pid = 0;
    if (!error) {
        error = set_streams(&actions, spawn);
        if (!error) error = set_attributes(&attributes, spawn->group);
        char *const *environment = spawn->environment ? (char *const *)spawn->environment : environ;
        if (!error) {
            error = posix_spawn(&pid, spawn->path, &actions, &attributes, (char *const *)spawn->arguments,
                                environment);
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error ? -error : pid;
}

// MARK: Watching

int32_t curing_pidfd_open(int32_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return -errno;
    curing_descriptor_changed(fd);
    return fd;
}

int32_t curing_pidfd_signal(int32_t pidfd, int32_t signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int32_t curing_wait_child(curing_wait *wait) {
    bool has_pidfd = wait->pidfd >= 0;
    int options = WEXITED | (wait->blocks ? 0 : WNOHANG) | (wait->keeps ? WNOWAIT : 0);
    siginfo_t info;
    int result;
    do {
        memset(&info, 0, sizeof info);
        result = waitid(has_pidfd ? P_PIDFD : P_PID, (id_t)(has_pidfd ? wait->pidfd : wait->pid),
                        &info, options);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    if (info.si_pid == 0) return 0;
    wait->end = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 1;
}

// MARK: Pipes

int32_t curing_duplicate(int32_t fd, int32_t least) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, least);
    if (copy < 0) return -errno;
    curing_descriptor_changed(copy);
    return copy;
}

int32_t curing_pipe(int32_t ends[2]) {
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    for (int i = 0; i < 2; i++) {
        curing_descriptor_changed(ends[i]);
        if (ends[i] > 2) continue;
        int32_t copy = curing_duplicate(ends[i], 3);
        if (copy < 0) {
            close(ends[0]);
            close(ends[1]);
            return copy;
        }
        close(ends[i]);
        ends[i] = copy;
    }
    return 0;
}

int32_t curing_set_nonblocking(int32_t fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int64_t curing_write_pipe(int32_t fd, uintptr_t address, size_t count) {
    // A write has no flag for it before 6.18. The signal is this thread's, so it can be blocked, and taken back.
    sigset_t broken, before, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    sigpending(&pending);
    ssize_t written = write(fd, (const void *)address, count);
    int64_t result = written < 0 ? -errno : written;
    if (result == -EPIPE && !sigismember(&pending, SIGPIPE)) {
        struct timespec at_once = {0};
        while (sigtimedwait(&broken, NULL, &at_once) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}
