// A ring of the kernel's and an emulated one behind one pair of queues.

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>

#include "../setup.h"
#include "mixed.h"

// MARK: Beginning and end

static void mixed_teardown(curing_ring *ring) {
    mixed *state = ring->kernel_state;
    if (state->emulated.kernel_state) state->emulated.kernel->teardown(&state->emulated);
    if (state->real.kernel_state) state->real.kernel->teardown(&state->real);
    free(state->tallies);
    free(state);
    free(ring->sqes);
    free(ring->cqes);
    ring->kernel_state = NULL;
}

static int set_up_both(mixed *state, uint32_t sq_entries, uint32_t cq_entries, uint32_t flags) {
    curing_ring *real = &state->real, *emulated = &state->emulated;
    real->kernel = curing_io_uring();
    real->setup_flags = flags;
    emulated->kernel = curing_emulated();
    int error = real->kernel->setup(real, sq_entries, cq_entries, flags);
    if (error < 0) return error;
    // Its submission queue is not used: submissions are handed over one by one.
    return emulated->kernel->setup(emulated, 1, real->cq_entries, flags);
}

static void show_queues(curing_ring *ring, mixed *state) {
    ring->sq_entries = state->real.sq_entries;
    ring->cq_entries = state->real.cq_entries;
    ring->sq_mask = ring->sq_entries - 1;
    ring->cq_mask = ring->cq_entries - 1;
    ring->sq_head = &state->sq_head;
    ring->sq_tail = &state->sq_tail;
    ring->sq_flags = &state->sq_flags;
    ring->cq_head = &state->cq_head;
    ring->cq_tail = &state->cq_tail;
    // A success that makes no completion is known by the end of the enter that submits it; here a submission that
    // was taken may still lie in the kernel's queue then.
    ring->features = state->real.features & ~(uint32_t)CURING_FEAT_CQE_SKIP;
    ring->fd = state->real.fd;
}

static int mixed_setup(curing_ring *ring, uint32_t sq_entries, uint32_t cq_entries, uint32_t flags) {
    mixed *state = calloc(1, sizeof *state);
    if (!state) return -ENOMEM;
    state->ring = ring;
    ring->kernel_state = state;
    int error = set_up_both(state, sq_entries, cq_entries, flags);
    if (error == 0) {
        show_queues(ring, state);
        ring->sqes = calloc(ring->sq_entries, sizeof *ring->sqes);
        ring->cqes = calloc(ring->cq_entries, sizeof *ring->cqes);
        if (!ring->sqes || !ring->cqes) error = -ENOMEM;
    }
    if (error < 0) {
        mixed_teardown(ring);
        ring->sqes = NULL;
        ring->cqes = NULL;
    }
    return error;
}

// What the kernel can do by itself is asked here, and what is emulated is not added.
static int mixed_register(curing_ring *ring, uint32_t opcode, void *argument, uint32_t count) {
    mixed *state = ring->kernel_state;
    int error = state->real.kernel->do_register(&state->real, opcode, argument, count);
    bool is_enabled = opcode == IORING_REGISTER_ENABLE_RINGS && error >= 0;
    if (is_enabled && (state->real.setup_flags & CURING_SETUP_SUBMIT_ALL)) {
        curing_register_ring_fd(&state->real);
    }
    return error;
}

// MARK: Enter

// True when there are completions that only another enter shows.
static bool has_unshown(const curing_ring *ring) {
    return curing_available(ring) > 0 || curing_has_overflow(ring);
}

static void tell_owner(mixed *state) {
    uint32_t flags = 0;
    if (has_unshown(&state->real) || has_unshown(&state->emulated)) flags |= CURING_SQ_CQ_OVERFLOW;
    // Completions are copied in enter only, so the owner must come back while there can be any. Such an enter
    // is a call into the kernel only when the kernel has something.
    bool is_busy = state->in_flight > 0 || mixed_engine(state)->in_flight > 0 || curing_pending(&state->real) > 0;
    if (is_busy) flags |= CURING_SQ_TASKRUN;
    __atomic_store_n(&state->sq_flags, flags, __ATOMIC_RELAXED);
}

static uint32_t submit(curing_ring *ring, mixed *state, uint32_t count) {
    uint32_t tail = __atomic_load_n(&state->sq_tail, __ATOMIC_ACQUIRE);
    if (count > tail - state->sq_head) count = tail - state->sq_head;
    uint32_t submitted = 0;
    while (submitted < count &&
           mixed_submit(state, &ring->sqes[(state->sq_head + submitted) & ring->sq_mask])) {
        submitted++;
    }
    __atomic_store_n(&state->sq_head, state->sq_head + submitted, __ATOMIC_RELEASE);
    return submitted;
}

static int mixed_enter(curing_ring *ring, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                       int64_t timeout) {
    mixed *state = ring->kernel_state;
    state->real.enter_flags |= ring->enter_flags;
    uint32_t submitted = to_submit > 0 ? submit(ring, state, to_submit) : 0;
    bool is_short = state->sq_head != state->sq_tail;
    bool waits = (flags & CURING_ENTER_GETEVENTS) && !is_short;
    int error = mixed_wait(state, waits ? min_complete : 0, timeout);
    if (is_short && error == 0) error = -EAGAIN;
    tell_owner(state);
    return submitted > 0 ? (int)submitted : error;
}

static int64_t mixed_patience(const curing_ring *ring) {
    return emulated_patience(mixed_engine(ring->kernel_state));
}

const curing_kernel curing_mixed = {
    .name = "io_uring",
    .setup = mixed_setup,
    .enter = mixed_enter,
    .do_register = mixed_register,
    .teardown = mixed_teardown,
    .patience = mixed_patience,
};
