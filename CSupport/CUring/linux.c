#define _GNU_SOURCE

#include "curing_linux.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local const uint64_t *curing_clock;

int curing_eventfd(void) {
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0) return -errno;
    int error = curing_own(fd);
    if (error < 0) close(fd);
    return error < 0 ? error : fd;
}

int curing_signalfd(const sigset_t *signals) {
    int fd = signalfd(-1, signals, SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void curing_eventfd_signal(int fd) {
    int saved = errno;
    uint64_t one = 1;
    // It can fail only when the counter is full, and then the reader is about to wake anyway.
    ssize_t written = write(fd, &one, sizeof one);
    (void)written;
    errno = saved;
}

int curing_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline) {
    struct timespec limit = {
        .tv_sec = (time_t)(deadline / 1000000000u),
        .tv_nsec = (long)(deadline % 1000000000u),
    };
    // WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, plain WAIT a relative one.
    long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
                          deadline == UINT64_MAX ? NULL : &limit, NULL, FUTEX_BITSET_MATCH_ANY);
    if (result == 0 || errno == EINTR) return 0;
    return -errno;
}

void curing_futex_wake(const uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0);
}

void curing_name_thread(const char *name) {
    char shortened[16];
    strncpy(shortened, name, sizeof shortened - 1);
    shortened[sizeof shortened - 1] = 0;
    pthread_setname_np(pthread_self(), shortened);
}

bool curing_is_main_thread(void) { return getpid() == (pid_t)syscall(SYS_gettid); }

// Exported by libdispatch for run loops that host the main queue (CoreFoundation does).
extern int _dispatch_get_main_queue_handle_4CF(void) __attribute__((weak));
extern void _dispatch_main_queue_callback_4CF(void *_Nullable message) __attribute__((weak));

int curing_main_queue_fd(void) {
    return _dispatch_get_main_queue_handle_4CF ? _dispatch_get_main_queue_handle_4CF() : -1;
}

void curing_main_queue_run(void) {
    if (_dispatch_main_queue_callback_4CF) _dispatch_main_queue_callback_4CF(NULL);
}
