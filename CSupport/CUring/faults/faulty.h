// The kernel with faults, inside: what its files share.
//
//     plan.c         what is to go wrong: the script, the rates, and the counts
//     kernel.c       the table's four functions: a ring between the library and another kernel's ring
//     requests.c     what befalls single requests, on the way down and on the way up
//
// The library's queues are plain memory here. An enter takes submissions from them, changes some, and
// passes them to the inner ring; completions of the inner ring are staged, and shown when they are due. Time is
// counted in enters, of the library and of the wrapper while it waits, so that a script is exact.

#ifndef CURING_FAULTY_H
#define CURING_FAULTY_H

#include "../include/curing_faults.h"

// The table by which a ring finds its plan: ring->kernel points to it.
typedef struct faulty_kernel {
    curing_kernel table; // first, so that the one is the other
    const curing_kernel *inner;
    curing_faults *plan;
} faulty_kernel;

// A completion that the library has not seen.
typedef struct staged {
    curing_cqe completion;
    uint64_t due;
} staged;

// Whether a request is to be cancelled by nobody.
typedef enum cancellation { CANCEL_NEVER, CANCEL_DUE, CANCEL_ASKED } cancellation;

// A request in flight whose completion is held or repeated, or not shown when it is a success; or that is to be
// cancelled.
typedef struct mark {
    uint64_t user_data;
    uint32_t hold, repeat;
    // The least that a success which is not shown has done; 0 when every completion is shown.
    uint32_t hidden_from;
    uint8_t opcode;
    cancellation cancellation;
    uint64_t cancelled_at;
} mark;

typedef struct faulty {
    curing_faults *plan;
    // In the order of setup.
    int32_t number;
    uint64_t random;
    curing_ring inner;
    uint64_t clock;
    // Requests that the inner kernel has.
    uint32_t in_flight;
    // In order of arrival.
    staged *staged;
    uint32_t staged_count, staged_capacity;
    mark *marks;
    uint32_t mark_count, mark_capacity;
    // Marks with CANCEL_DUE.
    uint32_t cancels_due;
    // Enters that will take no submissions.
    uint32_t refusals;
    // The words of the library's queues.
    uint32_t sq_head, sq_tail, sq_flags, cq_head, cq_tail;
} faulty;

// kernel.c

// Makes the table for a plan's rings over `inner`.
void faulty_fill(faulty_kernel *kernel, curing_faults *plan, const curing_kernel *inner,
                 const faulty_kernel *with_emulation);

// plan.c

// Whether a fault of this kind happens now, and its values. `limit` is how much there is of what `amount`
// takes a part of; a scripted amount that is no smaller does not apply.
bool faulty_decide(faulty *state, curing_fault_kind kind, uint8_t opcode, uint32_t limit,
                   curing_fault *fault);
// Whether a request meets no fault of its own.
bool faulty_spares(const faulty *state, uint64_t user_data);
// Counts a request that has ended with `error` because of a fault.
void faulty_failed(curing_faults *plan, uint8_t opcode, int32_t error);
// Counts the ring; gives it its number and its generator.
void faulty_join(faulty *state, curing_faults *plan);
// Room for one more element; ends the process when there is no memory.
void *faulty_grow(void *array, uint32_t count, uint32_t *capacity, size_t size);

// requests.c

// Takes one submission: to the inner queue, which has room, or straight to an end.
void faulty_submit(faulty *state, const curing_sqe *sqe);
// Stages all visible completions of the inner ring.
void faulty_collect(faulty *state);
// Cancels the requests whose time has come, as far as the inner queue has room.
void faulty_cancel(faulty *state);

#endif
