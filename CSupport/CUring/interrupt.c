// SIGINT, for a run that wants to end in order.
//
// A handler and not a signalfd(2), which needs the signal blocked in every thread, also in those that
// exist already. It is taken only where the default action was in force, and by one run at a time. The kernel brings
// the default action back as the handler begins (SA_RESETHAND), so the second signal ends the process.

#define _GNU_SOURCE

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "curing_linux.h"

// Made once and never closed: a handler may be about to write to it. Written under the lock, read by the handler.
static _Atomic int interrupts = -1;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_taken;

static void interrupted(int number) {
    int fd = atomic_load(&interrupts);
    if (curing_forked) raise(number);
    else curing_eventfd_signal(fd);
}

// The flags do not count: those of a handler that the kernel has taken away (SA_RESETHAND) stay beside SIG_DFL.
static bool is_disposition(void (*handler)(int)) {
    struct sigaction now;
    return sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == handler;
}

static int take(void) {
    if (is_taken || !is_disposition(SIG_DFL)) return -EBUSY;
    int fd = atomic_load(&interrupts);
    if (fd < 0) {
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0) return -errno;
        int error = curing_own(fd);
        if (error < 0) {
            close(fd);
            return error;
        }
        atomic_store(&interrupts, fd);
    }
    // Of a signal that came too late for the run before.
    curing_acknowledge_interrupt();
    struct sigaction ours = {.sa_handler = interrupted, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigemptyset(&ours.sa_mask);
    if (sigaction(SIGINT, &ours, NULL) < 0) return -errno;
    is_taken = true;
    return fd;
}

int curing_take_interrupt(void) {
    pthread_mutex_lock(&lock);
    int result = take();
    pthread_mutex_unlock(&lock);
    return result;
}

void curing_give_interrupt(void) {
    pthread_mutex_lock(&lock);
    is_taken = false;
    // Another handler has been installed meanwhile, or the default action is back: then it stays.
    if (is_disposition(interrupted)) signal(SIGINT, SIG_DFL);
    pthread_mutex_unlock(&lock);
}

void curing_acknowledge_interrupt(void) {
    uint64_t count;
    ssize_t taken = read(atomic_load(&interrupts), &count, sizeof count);
    (void)taken;
}
