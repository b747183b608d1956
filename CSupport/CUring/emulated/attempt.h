// What the attempts at opcodes share.

#ifndef CURING_ATTEMPT_H
#define CURING_ATTEMPT_H

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include "emulated.h"

static inline int32_t result_of(long returned) { return returned < 0 ? -errno : (int32_t)returned; }

static inline void *memory(const operation *operation) {
    return (void *)(uintptr_t)(operation->sqe.address + operation->progress);
}

static inline size_t length(const operation *operation) {
    return operation->sqe.length - operation->progress;
}

static inline outcome done(operation *operation, int32_t result) {
    operation->result = result;
    return OUTCOME_DONE;
}

static inline bool is_ready(int32_t fd, short events) {
    struct pollfd entry = {.fd = fd, .events = events};
    return poll(&entry, 1, 0) > 0;
}

// sockets.c

outcome emulated_attempt_message(operation *operation);
outcome emulated_attempt_accept(operation *operation);
outcome emulated_attempt_connect(operation *operation);
// connect(2), which may wait. Returns the result.
int32_t emulated_connect(const operation *operation);
// For calls that have no flag for it: a file that its owner left blocking is made non-blocking for the length of the
// call. The second gets what the first has returned.
int emulated_begin_without_waiting(int32_t fd);
void emulated_end_without_waiting(int32_t fd, int flags);

#endif
