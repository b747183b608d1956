// A kernel that fails on purpose: a wrapper around another one, for tests.
//
// It is reached through the same table, so nothing above the seam knows of it, and a ring that is made
// without it does not pay for it. What it does is what Linux may do: a fault that no kernel could
// produce would test a promise that nobody gives.

#ifndef CURING_FAULTS_H
#define CURING_FAULTS_H

#include "curing.h"

#pragma clang assume_nonnull begin

// What can go wrong. An occasion is what the fault can befall: a setup, an enter, a submission.
typedef enum curing_fault_kind {
    // io_uring_setup(2) fails with `value`.
    CURING_FAULT_SETUP,
    // Enabling the ring on its thread fails with `value`.
    CURING_FAULT_ENABLE,
    // Enabling takes `amount` microseconds longer.
    CURING_FAULT_LATE_ENABLE,
    // Enter does nothing and fails with `value`.
    CURING_FAULT_ENTER,
    // Enter consumes the first `amount` submissions of more, and does not wait. It returns their number, or
    // `value` when that is not 0.
    CURING_FAULT_SUBMIT,
    // Enter takes no submissions, and the `amount` enters after it that have any take none either: the queue fills up.
    CURING_FAULT_FULL,
    // The completion queue has room for `amount` entries until the next enter, and the kernel keeps the rest.
    CURING_FAULT_OVERFLOW,
    // The completions of an enter come in reverse order.
    CURING_FAULT_REORDER,
    // A request is not carried out and ends with `value`.
    CURING_FAULT_RESULT,
    // A receive, or a read at an offset, is asked for `amount` bytes at most; a send, or a write at an offset,
    // is given so many.
    CURING_FAULT_SHORT_READ,
    CURING_FAULT_SHORT_WRITE,
    // A request's completion comes `amount` enters later.
    CURING_FAULT_HOLD,
    // A request's completion comes twice, the second time `amount` enters after the first.
    CURING_FAULT_REPEAT,
    // A request is cancelled `amount` enters after its submission, if it has not ended by then, although
    // nobody above the seam has asked for it.
    CURING_FAULT_CANCEL_EARLY,
    // A request that ends with -ECANCELED says so `amount` enters later, long after the answer to its cancel. Of any
    // opcode.
    CURING_FAULT_CANCEL_LATE,
    CURING_FAULT_KINDS,
} curing_fault_kind;

enum { CURING_ANY_OPCODE = 255, CURING_ANY_RING = -1 };

// One entry of a script: lets `skip` of its occasions pass, then uses `times` of them.
typedef struct curing_fault {
    curing_fault_kind kind;
    uint8_t opcode; // of requests; CURING_ANY_OPCODE for every one
    int32_t ring;   // in the order in which setups were tried, from 0; CURING_ANY_RING for every one
    uint32_t skip;
    uint32_t times;
    int32_t value; // a negative errno
    uint32_t amount;
} curing_fault;

// What is to go wrong in the rings that share it, and what has. All functions: any thread.
typedef struct curing_faults curing_faults;

// A plan without faults, or null when there is no memory. A request of which `spared` is not 0 in
// `user_data & spared` meets no fault of its own. None may have UINT64_MAX for its user_data.
curing_faults *_Nullable curing_faults_create(uint64_t spared);

// No ring may use it any more.
void curing_faults_destroy(curing_faults *faults);

// From now on, `per_mille` of the occasions of this kind meet a fault with values of the ring's own
// choice, by a generator that starts at `seed` plus the ring's number.
void curing_faults_set_rate(curing_faults *faults, uint64_t seed, curing_fault_kind kind,
                            uint32_t per_mille);

// Adds an entry to the script.
void curing_faults_add(curing_faults *faults, const curing_fault *fault);

// How many faults of this kind have happened; of CURING_FAULT_CANCEL_EARLY, how many requests were meant to meet one.
uint64_t curing_faults_count(curing_faults *faults, curing_fault_kind kind);

// How many requests with this opcode have ended with `error`, a negative errno, by CURING_FAULT_RESULT or
// CURING_FAULT_CANCEL_EARLY.
uint64_t curing_faults_failures(curing_faults *faults, uint8_t opcode, int32_t error);

// The table for `curing_create`: `kernel` with the faults before it. Besides io_uring and the emulated ring a plan
// can be before one other kernel.
const curing_kernel *curing_faults_before(curing_faults *faults, const curing_kernel *kernel);

#pragma clang assume_nonnull end

#endif
