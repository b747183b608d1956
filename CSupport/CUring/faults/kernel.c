// A ring between the library and another kernel's ring.

#define _GNU_SOURCE

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <unistd.h>

#include "../include/curing_linux.h"
#include "faulty.h"

// How long the inner kernel is waited for while completions are held back.
enum { TICK_NANOSECONDS = 20000 };

static const faulty_kernel *table(const curing_ring *ring) {
    return (const faulty_kernel *)ring->kernel;
}

// MARK: Beginning and end

static void faulty_teardown(curing_ring *ring) {
    faulty *state = ring->kernel_state;
    if (state->inner.kernel_state) state->inner.kernel->teardown(&state->inner);
    free(state->staged);
    free(state->marks);
    free(state);
    free(ring->sqes);
    free(ring->cqes);
    ring->kernel_state = NULL;
}

static void show_queues(curing_ring *ring, faulty *state) {
    ring->sq_entries = state->inner.sq_entries;
    ring->cq_entries = state->inner.cq_entries;
    ring->sq_mask = ring->sq_entries - 1;
    ring->cq_mask = ring->cq_entries - 1;
    ring->sq_head = &state->sq_head;
    ring->sq_tail = &state->sq_tail;
    ring->sq_flags = &state->sq_flags;
    ring->cq_head = &state->cq_head;
    ring->cq_tail = &state->cq_tail;
    ring->features = state->inner.features;
    ring->fd = state->inner.fd;
}

static int faulty_setup(curing_ring *ring, uint32_t sq_entries, uint32_t cq_entries, uint32_t flags) {
    faulty *state = calloc(1, sizeof *state);
    if (!state) return -ENOMEM;
    faulty_join(state, table(ring)->plan);
    state->inner.kernel = table(ring)->inner;
    state->inner.fd = -1;
    state->inner.emulated_opcodes = ring->emulated_opcodes;
    curing_fault fault;
    bool fails = faulty_decide(state, CURING_FAULT_SETUP, CURING_ANY_OPCODE, sq_entries, &fault);
    int error = fails ? fault.value
                      : state->inner.kernel->setup(&state->inner, sq_entries, cq_entries, flags);
    if (error < 0) {
        free(state);
        return error;
    }
    ring->kernel_state = state;
    show_queues(ring, state);
    ring->sqes = calloc(ring->sq_entries, sizeof *ring->sqes);
    ring->cqes = calloc(ring->cq_entries, sizeof *ring->cqes);
    if (!ring->sqes || !ring->cqes) {
        faulty_teardown(ring);
        return -ENOMEM;
    }
    return 0;
}

static int faulty_register(curing_ring *ring, uint32_t opcode, void *argument, uint32_t count) {
    faulty *state = ring->kernel_state;
    curing_fault fault;
    if (opcode == IORING_REGISTER_ENABLE_RINGS) {
        if (faulty_decide(state, CURING_FAULT_LATE_ENABLE, CURING_ANY_OPCODE, 0, &fault)) {
            usleep(fault.amount);
        }
        if (faulty_decide(state, CURING_FAULT_ENABLE, CURING_ANY_OPCODE, 0, &fault)) {
            return fault.value;
        }
    }
    return state->inner.kernel->do_register(&state->inner, opcode, argument, count);
}

// MARK: Submissions

// Errors after which Linux would be asked again.
static bool is_passing(int error) { return error == -EINTR || error == -EAGAIN || error == -EBUSY; }

static bool has_room(const curing_ring *inner) { return curing_pending(inner) < inner->sq_entries; }

// Hands on as many submissions as the inner queue takes. Returns their number.
static uint32_t submit(curing_ring *ring, faulty *state, uint32_t count) {
    state->inner.enter_flags = ring->enter_flags;
    uint32_t submitted = 0;
    while (submitted < count) {
        if (!has_room(&state->inner)) curing_enter(&state->inner, false, -1);
        if (!has_room(&state->inner)) break;
        faulty_submit(state, &ring->sqes[(state->sq_head + submitted) & ring->sq_mask]);
        submitted++;
    }
    __atomic_store_n(&state->sq_head, state->sq_head + submitted, __ATOMIC_RELEASE);
    return submitted;
}

// How many of the submissions this enter takes, and the error that it returns when not all.
static uint32_t taken(faulty *state, uint32_t to_submit, int *error) {
    curing_fault fault;
    if (to_submit == 0) return 0;
    if (state->refusals > 0) {
        state->refusals--;
        return 0;
    }
    if (faulty_decide(state, CURING_FAULT_FULL, CURING_ANY_OPCODE, to_submit, &fault)) {
        state->refusals = fault.amount;
        return 0;
    }
    if (faulty_decide(state, CURING_FAULT_SUBMIT, CURING_ANY_OPCODE, to_submit, &fault)) {
        *error = fault.value;
        return fault.amount;
    }
    return to_submit;
}

// MARK: Completions

static uint32_t visible(const faulty *state) {
    return state->cq_tail - __atomic_load_n(&state->cq_head, __ATOMIC_ACQUIRE);
}

// Shows what is due, as long as fewer than `room` are visible. True when some of it is left.
static bool show(curing_ring *ring, faulty *state, uint32_t room, bool reversed) {
    uint32_t kept = 0;
    bool is_full = false;
    if (reversed) {
        for (uint32_t low = 0, high = state->staged_count; low + 1 < high; low++) {
            staged last = state->staged[--high];
            state->staged[high] = state->staged[low];
            state->staged[low] = last;
        }
    }
    for (uint32_t i = 0; i < state->staged_count; i++) {
        staged next = state->staged[i];
        bool is_due = next.due <= state->clock;
        if (is_due && visible(state) < room) {
            ring->cqes[state->cq_tail & ring->cq_mask] = next.completion;
            __atomic_store_n(&state->cq_tail, state->cq_tail + 1, __ATOMIC_RELEASE);
        } else {
            is_full |= is_due;
            state->staged[kept++] = next;
        }
    }
    state->staged_count = kept;
    return is_full;
}

// Returns 0 or a negative errno.
static int wait_for_completions(curing_ring *ring, faulty *state, uint32_t least, int64_t timeout) {
    curing_fault fault;
    uint32_t room = ring->cq_entries;
    if (faulty_decide(state, CURING_FAULT_OVERFLOW, CURING_ANY_OPCODE, 0, &fault)) room = fault.amount;
    bool reversed = faulty_decide(state, CURING_FAULT_REORDER, CURING_ANY_OPCODE, 0, &fault);
    uint64_t limit = timeout < 0 ? UINT64_MAX : curing_now() + (uint64_t)timeout;
    int error = curing_enter(&state->inner, false, -1);
    for (;;) {
        state->clock++;
        faulty_cancel(state);
        faulty_collect(state);
        bool is_full = show(ring, state, room, reversed);
        // Completions are collected in enter only, so the owner must come back while there can be any. One flag
        // at a time: whoever overlooks the other is found out.
        uint32_t flags = is_full                                      ? CURING_SQ_CQ_OVERFLOW
                         : state->in_flight + state->staged_count > 0 ? CURING_SQ_TASKRUN
                                                                      : 0;
        __atomic_store_n(&state->sq_flags, flags, __ATOMIC_RELAXED);
        if (visible(state) >= least) return 0;
        if (error < 0 && error != -ETIME) return error;
        int64_t rest = -1;
        if (limit != UINT64_MAX) {
            uint64_t now = curing_now();
            if (now >= limit) return -ETIME;
            rest = (int64_t)(limit - now);
        }
        bool is_holding = state->staged_count > 0 || state->cancels_due > 0;
        if (is_holding && (rest < 0 || rest > TICK_NANOSECONDS)) rest = TICK_NANOSECONDS;
        error = curing_enter(&state->inner, true, rest);
        if (error > 0) error = 0;
    }
}

static int faulty_enter(curing_ring *ring, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                        int64_t timeout) {
    faulty *state = ring->kernel_state;
    curing_fault fault;
    if (faulty_decide(state, CURING_FAULT_ENTER, CURING_ANY_OPCODE, 0, &fault)) return fault.value;
    int error = 0;
    uint32_t submitted = submit(ring, state, taken(state, to_submit, &error));
    if (submitted < to_submit) {
        // Linux does not wait either when it has not taken everything.
        int inner_error = curing_enter(&state->inner, false, -1);
        if (inner_error < 0 && !is_passing(inner_error)) return inner_error;
        if (error == 0) error = submitted > 0 ? (int)submitted : -EAGAIN;
        return error;
    }
    if (flags & CURING_ENTER_GETEVENTS) {
        error = wait_for_completions(ring, state, min_complete, timeout);
    } else {
        error = curing_enter(&state->inner, false, -1);
    }
    return submitted > 0 && (error >= 0 || is_passing(error) || error == -ETIME) ? (int)submitted
           : error > 0                                                           ? 0
                                                                                 : error;
}

// What is held back here is not in the inner kernel's descriptor.
static int64_t faulty_patience(const curing_ring *ring) {
    const faulty *state = ring->kernel_state;
    int64_t patience = curing_patience(&state->inner);
    return patience >= 0 && patience < TICK_NANOSECONDS ? patience : TICK_NANOSECONDS;
}

void faulty_fill(faulty_kernel *kernel, curing_faults *plan, const curing_kernel *inner,
                 const faulty_kernel *with_emulation) {
    *kernel = (faulty_kernel){
        .table = {.name = inner->name,
                  .setup = faulty_setup,
                  .enter = faulty_enter,
                  .do_register = faulty_register,
                  .teardown = faulty_teardown,
                  .patience = faulty_patience,
                  .with_emulation = with_emulation ? &with_emulation->table : NULL},
        .inner = inner,
        .plan = plan,
    };
}
