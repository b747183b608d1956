// Operations by number, and how each has ended.

#ifndef OUTCOMES_H
#define OUTCOMES_H

#include "kinds.h"

enum { MOST_OPERATIONS = 40, LONGEST = 60, PENDING = INT32_MAX };

// By `user_data`. Whoever submits one marks it PENDING.
static int32_t results[MOST_OPERATIONS];
static enum kind kind;

#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (condition) break;                                                                  \
        fprintf(stderr, "%s, %s:%d: %s\n", names[kind], __func__, __LINE__, #condition);       \
        exit(1);                                                                               \
    } while (0)

// Takes what has ended. Waits so long for the first, in nanoseconds; not at all for 0, without a limit below that.
static void collect(curing_ring *ring, int64_t timeout) {
    (void)curing_enter(ring, timeout != 0, timeout);
    for (; curing_available(ring); curing_consume(ring, 1)) {
        const curing_cqe *completion = curing_completion(ring, 0);
        results[completion->user_data] = completion->result;
    }
}

// The result of this operation, which ends by itself.
static int32_t await(curing_ring *ring, uint64_t user_data) {
    while (results[user_data] == PENDING) collect(ring, -1);
    return results[user_data];
}

#endif
