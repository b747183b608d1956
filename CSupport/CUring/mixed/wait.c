// One enter that waits for both rings.
//
// The kernel's enter is the one that sleeps; an event of the emulated side ends it through the bridge. What is
// completed at submission, as an emulated receive mostly is, needs neither.

#include <errno.h>
#include <poll.h>

#include "../include/curing_linux.h"
#include "mixed.h"

// MARK: The bridge

// Submits for the bridge; false when there is no room in the kernel's queue now.
static bool submit_own(curing_ring *real, uint8_t opcode, int32_t fd, uint64_t address, uint32_t flags,
                       uint64_t user_data) {
    if (!mixed_has_room(real)) return false;
    curing_sqe *sqe = &real->sqes[real->sq_local_tail++ & real->sq_mask];
    *sqe = (curing_sqe){0};
    curing_fill(sqe, opcode, fd, address, 0, 0, flags, user_data);
    return true;
}

// Makes sure that an event of the emulated side would be seen. False when it would not, for now.
static bool raise_bridge(mixed *state) {
    const engine *engine = mixed_engine(state);
    // A set is renewed because of an event, so the bridge has mostly ended by then.
    if (state->bridge == BRIDGE_UP && state->bridged != engine->epoll) {
        bool is_asked = submit_own(&state->real, CURING_OP_ASYNC_CANCEL, -1, bridge_data, 0, bridge_cancel_data);
        if (is_asked) state->bridge = BRIDGE_LEAVING;
    } else if (state->bridge == BRIDGE_DOWN && engine->in_flight > 0) {
        bool is_up = submit_own(&state->real, CURING_OP_POLL_ADD, engine->epoll, 0, POLLIN, bridge_data);
        if (is_up) state->bridge = BRIDGE_UP;
        state->bridged = engine->epoll;
    }
    // One that leaves wakes the enter when it is gone.
    return engine->in_flight == 0 || state->bridge != BRIDGE_DOWN;
}

// MARK: Completions

static bool concerns_bridge(mixed *state, const curing_cqe *completion) {
    if (completion->user_data == bridge_cancel_data) return true;
    if (completion->user_data != bridge_data) return false;
    state->bridge = BRIDGE_DOWN;
    state->has_events = true;
    return true;
}

static void copy(mixed *state, curing_ring *from) {
    bool is_real = from == &state->real;
    while (curing_available(from) > 0 && mixed_visible(state) < state->ring->cq_entries) {
        curing_cqe completion = *curing_completion(from, 0);
        curing_consume(from, 1);
        if (is_real) {
            if (concerns_bridge(state, &completion)) continue;
            completion.result = mixed_result(state, &completion);
            state->in_flight--;
        }
        state->ring->cqes[state->cq_tail & state->ring->cq_mask] = completion;
        __atomic_store_n(&state->cq_tail, state->cq_tail + 1, __ATOMIC_RELEASE);
    }
}

static void copy_both(mixed *state) {
    copy(state, state->is_emulated_first ? &state->emulated : &state->real);
    copy(state, state->is_emulated_first ? &state->real : &state->emulated);
    state->is_emulated_first = !state->is_emulated_first;
}

// Looks at the emulated side's descriptors, and for completions that it keeps, when there is a reason to.
static void collect(mixed *state) {
    bool has_reason = state->has_events || curing_has_overflow(&state->emulated) ||
                      emulated_patience(mixed_engine(state)) == 0;
    if (!has_reason) return;
    state->has_events = false;
    curing_enter(&state->emulated, false, -1);
}

// MARK: Waiting

static int64_t shorter(int64_t one, int64_t other) {
    return one < 0 ? other : other < 0 || one < other ? one : other;
}

int mixed_wait(mixed *state, uint32_t least, int64_t timeout) {
    curing_ring *real = &state->real;
    uint64_t limit = timeout < 0 ? UINT64_MAX : curing_now() + (uint64_t)timeout;
    if (least > state->ring->cq_entries) least = state->ring->cq_entries;
    for (;;) {
        copy_both(state);
        bool is_bridged = raise_bridge(state);
        bool is_satisfied = mixed_visible(state) >= least;
        bool sleeps = !is_satisfied && is_bridged && !state->has_events;
        int error = 0;
        if (sleeps || curing_pending(real) > 0 || curing_needs_enter(real)) {
            int64_t rest = -1;
            if (limit != UINT64_MAX) {
                uint64_t now = curing_now();
                rest = limit > now ? (int64_t)(limit - now) : 0;
                if (rest == 0) sleeps = false;
            }
            error = curing_enter(real, sleeps, shorter(rest, emulated_patience(mixed_engine(state))));
        }
        copy(state, real);
        collect(state);
        copy_both(state);
        if (mixed_visible(state) >= least) return 0;
        if (error < 0 && error != -ETIME) return error;
        if (limit != UINT64_MAX && curing_now() >= limit) return -ETIME;
    }
}
