// io_uring with some opcodes emulated, inside: what its files share.
//
//     kernel.c       the table's four functions, the queues
//     route.c        which of the two rings gets a submission; cancellation, which may concern both
//     wait.c         one enter that waits for both
//
// Behind the library's ring are two: one of the kernel's, and an emulated one for the opcodes that the kernel
// lacks. Submissions are taken in order and handed to one of them. Completions of both are copied into
// a queue in plain memory, because none but the kernel may write to its own. While the emulated ring has
// operations in flight, a POLL_ADD on its epoll set waits in the kernel's: the bridge.

#ifndef CURING_MIXED_H
#define CURING_MIXED_H

#include "../emulated/emulated.h"

// In user_data: no submission of the library's has these.
static const uint64_t bridge_data = UINT64_MAX, bridge_cancel_data = UINT64_MAX - 1;

typedef enum bridge {
    BRIDGE_DOWN,    // there is none
    BRIDGE_UP,      // it waits, or its submission is pending
    BRIDGE_LEAVING, // it is on a set that has been replaced, and was asked to end
} bridge;

// How much a cancel by descriptor has ended on the emulated side, to be added to what the kernel says.
typedef struct tally {
    uint64_t user_data;
    int32_t count;
} tally;

typedef struct mixed {
    curing_ring *ring;
    curing_ring real, emulated;
    // Requests that the kernel has or is about to get, without the bridge.
    uint32_t in_flight;
    bridge bridge;
    // The epoll set that it is on.
    int32_t bridged;
    // The bridge has ended: there are events to collect.
    bool has_events;
    // Whose completions are copied first, in turns: neither keeps the other out of a full queue.
    bool is_emulated_first;
    tally *tallies;
    uint32_t tally_count, tally_capacity;
    // The words of the library's queues.
    uint32_t sq_head, sq_tail, sq_flags, cq_head, cq_tail;
} mixed;

static inline engine *mixed_engine(const mixed *state) { return state->emulated.kernel_state; }

static inline bool mixed_has_room(const curing_ring *ring) {
    return curing_pending(ring) < ring->sq_entries;
}

static inline uint32_t mixed_visible(const mixed *state) {
    return state->cq_tail - __atomic_load_n(&state->cq_head, __ATOMIC_ACQUIRE);
}

// route.c

// Hands one submission on. False when there is no room for it now.
bool mixed_submit(mixed *state, const curing_sqe *sqe);
// What the kernel's answer to a request comes to with the emulated side's.
int32_t mixed_result(mixed *state, const curing_cqe *completion);

// wait.c

// Waits until `least` completions are visible, at most for `timeout` nanoseconds (negative: no limit). Submits
// what is pending. Returns 0 or a negative errno.
int mixed_wait(mixed *state, uint32_t least, int64_t timeout);

#endif
