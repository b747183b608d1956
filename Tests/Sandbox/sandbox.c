/*
 * Runs a command where the machine is less kind: without io_uring, with little locked memory, with few
 * descriptors, as another user.
 *
 *     sandbox [--io-uring EPERM|ENOSYS|EACCES|kill] [--locked-memory BYTES] [--descriptors N]
 *             [--user ID] COMMAND [ARGUMENT...]
 */

#define _GNU_SOURCE

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what)
{
    fprintf(stderr, "sandbox: %s: %s\n", what, strerror(errno));
    exit(126);
}

/* The three calls of io_uring have adjacent numbers, the same on every architecture. */
static void refuse_io_uring(unsigned action)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_io_uring_setup, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_io_uring_register, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("no new privileges");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) fail("seccomp");
}

static unsigned action_named(const char *name)
{
    if (!strcmp(name, "kill")) return SECCOMP_RET_KILL_PROCESS;
    if (!strcmp(name, "EPERM")) return SECCOMP_RET_ERRNO | EPERM;
    if (!strcmp(name, "ENOSYS")) return SECCOMP_RET_ERRNO | ENOSYS;
    if (!strcmp(name, "EACCES")) return SECCOMP_RET_ERRNO | EACCES;
    errno = EINVAL;
    fail(name);
    return 0;
}

static void limit(int resource, const char *value)
{
    rlim_t number = strcmp(value, "unlimited") ? strtoul(value, NULL, 10) : RLIM_INFINITY;
    struct rlimit both = {number, number};
    if (setrlimit(resource, &both) < 0) fail("limit");
}

int main(int count, char **arguments)
{
    const char *io_uring = NULL, *user = NULL;
    int at = 1;
    for (; at + 1 < count && !strncmp(arguments[at], "--", 2); at += 2) {
        const char *name = arguments[at] + 2, *value = arguments[at + 1];
        if (!strcmp(name, "io-uring")) io_uring = value;
        else if (!strcmp(name, "user")) user = value;
        else if (!strcmp(name, "locked-memory")) limit(RLIMIT_MEMLOCK, value);
        else if (!strcmp(name, "descriptors")) limit(RLIMIT_NOFILE, value);
        else {
            errno = EINVAL;
            fail(name);
        }
    }
    if (at >= count) {
        errno = EINVAL;
        fail("no command");
    }
    if (user && (setgid((gid_t)atoi(user)) < 0 || setuid((uid_t)atoi(user)) < 0)) fail("user");
    if (io_uring) refuse_io_uring(action_named(io_uring));
    execvp(arguments[at], arguments + at);
    fail(arguments[at]);
}
