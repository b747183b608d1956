// A signal that asks for a dump. The handler only says so; who is told makes the dump on a thread of its own, because
// hardly anything may be called in a handler.

#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "curing_linux.h"

// Written before the first handler is installed.
static int descriptor = -1;
// The child of a fork has the same eventfd, and no thread that makes dumps.
static pid_t owner;

enum { signals = 65 };
static struct sigaction previous[signals];

static void on_signal(int number, siginfo_t *info, void *machine) {
    if (getpid() == owner) curing_eventfd_signal(descriptor);
    const struct sigaction *before = &previous[number];
    // Whatever the flags say: those of a handler that the kernel has taken away (SA_RESETHAND) stay.
    if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN) return;
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(number, info, machine);
    } else {
        before->sa_handler(number);
    }
}

int curing_dump_descriptor(void) {
    if (descriptor < 0) {
        descriptor = curing_eventfd();
        owner = getpid();
    }
    return descriptor;
}

int curing_install_dump_signal(int number) {
    if (number <= 0 || number >= signals) return -EINVAL;
    if (sigaction(number, NULL, &previous[number]) != 0) return -errno;
    struct sigaction action = {.sa_flags = SA_ONSTACK | SA_SIGINFO | SA_RESTART};
    action.sa_sigaction = on_signal;
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL) == 0 ? 0 : -errno;
}
