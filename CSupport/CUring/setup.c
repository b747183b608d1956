// The setup ladder: the best ring this kernel gives within the locked memory that is left.

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "curing.h"
#include "setup.h"

enum { SMALLEST_SQ = 32, SMALLEST_CQ = 256 };

static const uint32_t required_features =
    CURING_FEAT_NODROP | CURING_FEAT_FAST_POLL | CURING_FEAT_EXT_ARG;

static const uint8_t required_opcodes[] = {
    CURING_OP_NOP,    CURING_OP_FSYNC,  CURING_OP_POLL_ADD, CURING_OP_ACCEPT, CURING_OP_ASYNC_CANCEL,
    CURING_OP_CONNECT, CURING_OP_OPENAT, CURING_OP_CLOSE,   CURING_OP_STATX,  CURING_OP_READ,
    CURING_OP_WRITE,  CURING_OP_SEND,   CURING_OP_RECV,     CURING_OP_SHUTDOWN,
};

// Best first. DEFER_TASKRUN runs completions inside our own enter instead of interrupting the
// thread; it pays because submit and wait are one call.
static const uint32_t rungs[] = {
    CURING_SETUP_R_DISABLED | CURING_SETUP_SUBMIT_ALL | CURING_SETUP_SINGLE_ISSUER |
        CURING_SETUP_DEFER_TASKRUN | CURING_SETUP_TASKRUN_FLAG,
    CURING_SETUP_R_DISABLED | CURING_SETUP_SUBMIT_ALL | CURING_SETUP_COOP_TASKRUN |
        CURING_SETUP_TASKRUN_FLAG,
    0,
};

static uint32_t flags_above(curing_mask version) {
    switch (version) {
    case CURING_MASK_5_15:
        return CURING_SETUP_SUBMIT_ALL | CURING_SETUP_COOP_TASKRUN | CURING_SETUP_TASKRUN_FLAG |
               CURING_SETUP_SINGLE_ISSUER | CURING_SETUP_DEFER_TASKRUN;
    case CURING_MASK_5_19:
        return CURING_SETUP_SINGLE_ISSUER | CURING_SETUP_DEFER_TASKRUN;
    default:
        return 0;
    }
}

// Without these the kernel's ring and an emulated one cannot be beside each other.
static const uint64_t irreplaceable_opcodes = UINT64_C(1) << CURING_OP_ASYNC_CANCEL | UINT64_C(1) << CURING_OP_POLL_ADD;

// Which of the opcodes the kernel lacks, one bit each. Returns 0 or a negative errno.
static int probe(curing_ring *ring, uint64_t *missing) {
    enum { OPERATIONS = 64 };
    struct io_uring_probe *table =
        calloc(1, sizeof *table + OPERATIONS * sizeof(struct io_uring_probe_op));
    if (!table) return -ENOMEM;
    int error = ring->kernel->do_register(ring, IORING_REGISTER_PROBE, table, OPERATIONS);
    *missing = 0;
    for (size_t i = 0; i < sizeof required_opcodes && error >= 0; i++) {
        uint8_t opcode = required_opcodes[i];
        if (opcode > table->last_op || !(table->ops[opcode].flags & IO_URING_OP_SUPPORTED)) {
            *missing |= UINT64_C(1) << opcode;
        }
    }
    free(table);
    return error < 0 ? error : 0;
}

static int try_sizes(curing_ring *ring, uint32_t sq, uint32_t cq, uint32_t flags,
                     curing_refusal *refusal) {
    for (;;) {
        refusal->sq_entries = sq;
        int error = ring->kernel->setup(ring, sq, cq, flags);
        if (error != -ENOMEM || sq <= SMALLEST_SQ) return error;
        sq /= 2;
        cq = cq / 2 < SMALLEST_CQ ? SMALLEST_CQ : cq / 2;
    }
}

// By the ladder, the best ring of this kernel.
static int climb(curing_ring *ring, const curing_kernel *kernel, uint64_t emulated_opcodes,
                 uint32_t sq_entries, uint32_t cq_entries, curing_mask version, curing_refusal *refusal) {
    memset(ring, 0, sizeof *ring);
    ring->kernel = kernel;
    ring->emulated_opcodes = emulated_opcodes;
    ring->fd = -1;
    int error = -EINVAL;
    for (size_t i = 0; i < sizeof rungs / sizeof *rungs && error == -EINVAL; i++) {
        if (rungs[i] & flags_above(version)) continue;
        error = try_sizes(ring, sq_entries, cq_entries, rungs[i], refusal);
        if (error == 0) ring->setup_flags = rungs[i];
    }
    return error;
}

// What a ring lacks beyond what is emulated beside it. Returns 0, or a negative errno when it cannot be used so.
static int find_missing(curing_ring *ring, bool can_emulate, uint64_t *missing, curing_refusal *refusal) {
    refusal->missing_features = required_features & ~ring->features;
    int error = refusal->missing_features ? -EOPNOTSUPP : probe(ring, missing);
    if (error < 0) return error;
    *missing &= ~ring->emulated_opcodes;
    uint64_t fatal = *missing & (can_emulate ? irreplaceable_opcodes : UINT64_MAX);
    if (fatal == 0) return 0;
    refusal->missing_opcode = __builtin_ctzll(fatal);
    return -EOPNOTSUPP;
}

// A ring with all opcodes, the kernel's own or emulated.
static int make(curing_ring *ring, const curing_kernel *kernel, uint32_t sq_entries, uint32_t cq_entries,
                curing_ceiling ceiling, curing_refusal *refusal) {
    bool can_emulate = kernel->with_emulation != NULL;
    uint64_t lacking = can_emulate ? ceiling.lacking : 0;
    if (lacking & irreplaceable_opcodes) {
        refusal->missing_opcode = __builtin_ctzll(lacking & irreplaceable_opcodes);
        return -EOPNOTSUPP;
    }
    for (;;) {
        const curing_kernel *complete = lacking ? kernel->with_emulation : kernel;
        int error = climb(ring, complete, lacking, sq_entries, cq_entries, ceiling.version, refusal);
        if (error < 0) return error;
        uint64_t missing = 0;
        error = find_missing(ring, can_emulate, &missing, refusal);
        if (error == 0 && missing == 0) return 0;
        curing_destroy(ring);
        if (error < 0) return error;
        lacking |= missing;
    }
}

int curing_create(curing_ring *ring, const curing_kernel *kernel, uint32_t sq_entries,
                  uint32_t cq_entries, curing_ceiling ceiling, curing_refusal *refusal) {
    *refusal = (curing_refusal){.missing_opcode = -1};
    int error = make(ring, kernel, sq_entries, cq_entries, ceiling, refusal);
    if (error < 0) {
        refusal->error = error;
        return error;
    }
    curing_remember(ring);
    ring->sq_limit = ring->sq_entries;
    // There is no probe for behaviours: COOP_TASKRUN arrived with 5.19, and so did cancel by fd.
    if (ring->setup_flags & (CURING_SETUP_COOP_TASKRUN | CURING_SETUP_SINGLE_ISSUER)) {
        ring->capabilities |= CURING_CAN_CANCEL_BY_FD;
    }
    if (ceiling.version != CURING_MASK_5_15 && (ring->features & CURING_FEAT_CQE_SKIP)) {
        ring->capabilities |= CURING_CAN_SKIP_SUCCESS;
    }
    // Without this flag a loop that sleeps in enter is shown as waiting for a disk.
    if (ceiling.version == CURING_MASK_NONE && (ring->features & CURING_FEAT_NO_IOWAIT)) {
        ring->enter_flags |= CURING_ENTER_NO_IOWAIT;
    }
    return 0;
}

int curing_enable(curing_ring *ring) {
    if (ring->setup_flags & CURING_SETUP_R_DISABLED) {
        int error = ring->kernel->do_register(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
        if (error < 0) return error;
    }
    // Reached with 5.18; SUBMIT_ALL is of the same version and stands for it.
    if (ring->setup_flags & CURING_SETUP_SUBMIT_ALL) curing_register_ring_fd(ring);
    return 0;
}

void curing_destroy(curing_ring *ring) {
    curing_forget(ring);
    free(ring->backlog);
    if (ring->kernel_state) ring->kernel->teardown(ring);
}
