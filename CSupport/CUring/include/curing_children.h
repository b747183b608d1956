// Child processes: posix_spawn(3) with what Swift's Glibc module does not show of it, pidfd_open(2), waitid(2), and the
// pipes between.

#ifndef CURING_CHILDREN_H
#define CURING_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// What becomes of a child's descriptor when it is not another descriptor of the parent.
enum {
    CURING_STREAM_INHERITED = -1,
    CURING_STREAM_NULL = -2,
    // What the child's descriptor 1 is by then.
    CURING_STREAM_MERGED = -3,
};

enum { CURING_GROUP_INHERITED, CURING_GROUP_OWN, CURING_GROUP_SESSION };

typedef struct curing_spawn {
    const char *path;
    // Both end with a null pointer.
    const char *_Nullable const *_Nonnull arguments;
    // Null for the environment of this process.
    const char *_Nullable const *_Nullable environment;
    // In which the child runs, and from which a relative `path` counts; null for that of this process.
    const char *_Nullable directory;
    // What the child's descriptors from 0 on are: one of the above, or a descriptor that is not less than `count`. It
    // gets no others.
    const int32_t *descriptors;
    int32_t count;
    int32_t group;
} curing_spawn;

// Starts a child, with no signal blocked and the default action for each. Returns its number, or a negative errno when
// there is none: also that of the exec. The calling thread waits for the exec. Any thread.
int32_t curing_spawn_child(const curing_spawn *spawn);

// A close-on-exec descriptor that is readable once the process has ended (5.3), or a negative errno.
int32_t curing_pidfd_open(int32_t pid);

// pidfd_send_signal(2) (5.1). Returns 0 or a negative errno, -ESRCH for a process that was reaped.
int32_t curing_pidfd_signal(int32_t pidfd, int32_t signal);

typedef struct curing_wait {
    // Not -1: the child is this descriptor's (5.4). Otherwise the one with the number.
    int32_t pidfd;
    int32_t pid;
    // Waits for the end.
    bool blocks;
    // Leaves the child to be waited for again.
    bool keeps;
    // How it ended: a code of exit(3), or a signal's number, negated.
    int32_t end;
} curing_wait;

// Returns 1 when the child has ended, 0 when it has not, or a negative errno: -ECHILD for what is no child any more.
int32_t curing_wait_child(curing_wait *wait);

// A close-on-exec pipe whose two ends are not less than 3, so that none becomes a child's standard stream by chance: the
// end to read from, then the one to write to. Returns 0 or a negative errno.
int32_t curing_pipe(int32_t ends[_Nonnull 2]);

// A close-on-exec duplicate that is not less than `least`, or a negative errno.
int32_t curing_duplicate(int32_t fd, int32_t least);

// Makes writes to what `fd` names fail with EAGAIN instead of waiting. Returns 0 or a negative errno.
int32_t curing_set_nonblocking(int32_t fd);

// write(2) that raises no SIGPIPE. Returns a count or a negative errno. Any thread.
int64_t curing_write_pipe(int32_t fd, uintptr_t address, size_t count);

// environ(7).
const char *_Nullable const *_Nullable curing_environment(void);

#pragma clang assume_nonnull end

#endif
