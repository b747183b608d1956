// The ring: two queues in shared memory and three calls into whoever consumes them.
//
// `setup`, `enter` and `register` are reached through a table, so the kernel behind the queues can
// be the real one or a program: submissions and completions are plain memory in both cases, and
// everything above this header is one code path.
//
// A ring belongs to one thread, except where a comment says otherwise.

#ifndef CURING_H
#define CURING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "curing_abi.h"

#pragma clang assume_nonnull begin

// One submission, as the kernel reads it (struct io_uring_sqe, 64 bytes). Unions are flattened to
// the member that Ringlet's operations use.
typedef struct curing_sqe {
    uint8_t opcode;
    uint8_t flags;
    uint16_t ioprio;
    int32_t fd;
    uint64_t offset;
    uint64_t address;
    uint32_t length;
    uint32_t operation_flags;
    uint64_t user_data;
    uint16_t buffer_index;
    uint16_t personality;
    int32_t file_index;
    uint64_t address3;
    uint64_t padding;
} curing_sqe;

// One completion, as the kernel writes it (struct io_uring_cqe, 16 bytes).
typedef struct curing_cqe {
    uint64_t user_data;
    int32_t result;
    uint32_t flags;
} curing_cqe;

typedef struct curing_ring curing_ring;

// What a ring asks of its kernel. All functions return 0 or more, or a negative errno.
typedef struct curing_kernel {
    const char *name;
    // Creates the queues and fills in the ring's pointers. `flags` are setup flags; the kernel either
    // honours them all or refuses with -EINVAL.
    int (*setup)(curing_ring *ring, uint32_t sq_entries, uint32_t cq_entries, uint32_t flags);
    // Consumes `to_submit` submissions; with GETEVENTS also waits until `min_complete` completions
    // are visible or `timeout` nanoseconds have passed (negative: no limit). Returns the number
    // of submissions consumed.
    int (*enter)(curing_ring *ring, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                 int64_t timeout);
    // io_uring_register(2).
    int (*do_register)(curing_ring *ring, uint32_t opcode, void *_Nullable argument, uint32_t count);
    // The end of what `setup` began. Requests in flight are cancelled by the kernel.
    void (*teardown)(curing_ring *ring);
    // See curing_patience; null for one whose descriptor says everything.
    int64_t (*_Nullable patience)(const curing_ring *ring);
    // This kernel with the ring's `emulated_opcodes` emulated beside it; null where there is none.
    const struct curing_kernel *_Nullable with_emulation;
    // What a kernel that is an object, and not the program's only one of its kind, finds itself by.
    void *_Nullable context;
} curing_kernel;

// The io_uring of the running Linux, through liburing. Single opcodes that it lacks are emulated.
const curing_kernel *curing_io_uring(void);

// A program that reads the same submissions and writes the same completions, for where io_uring
// is refused: by epoll(7), calls that do not wait, and a few threads for files. In what it differs from
// the kernel's is listed in Sources/Ringlet/Ringlet.docc/KernelRequirements.md.
const curing_kernel *curing_emulated(void);

// What a request comes to as system calls that may block: for those on files, and for kernels that carry them out at once.
// Any thread. Returns the result that a completion would have.
int32_t curing_call(const curing_sqe *sqe);

// Says that a descriptor number was closed, or names another file from now on. Emulated rings find that out
// by themselves, only later. Any thread.
void curing_descriptor_changed(int32_t fd);

struct curing_ring {
    // Submission queue. The thread writes entries and the tail; the kernel writes the head and flags.
    uint32_t *_Nullable sq_head;
    uint32_t *_Nullable sq_tail;
    uint32_t *_Nullable sq_flags;
    curing_sqe *_Nullable sqes;
    uint32_t sq_mask;
    uint32_t sq_entries;
    // Entries filled so far; published to *sq_tail right before an enter.
    uint32_t sq_local_tail;
    // How many entries may be pending: sq_entries, or 0 while there is a backlog, so that nothing
    // overtakes it.
    uint32_t sq_limit;
    // Flags that every enter carries (registered ring, no I/O wait accounting).
    uint32_t enter_flags;
    // Completion queue. The kernel writes entries and the tail; the thread writes the head.
    uint32_t *_Nullable cq_head;
    uint32_t *_Nullable cq_tail;
    curing_cqe *_Nullable cqes;
    uint32_t cq_mask;
    uint32_t cq_entries;
    const curing_kernel *_Nullable kernel;
    // What the setup ladder settled on.
    uint32_t setup_flags;
    uint32_t features;
    uint32_t capabilities;
    int32_t fd;
    // Calls of the kernel's `enter`.
    uint64_t enters;
    // Submissions that found no room, in order; almost always empty.
    curing_sqe *_Nullable backlog;
    uint32_t backlog_count;
    uint32_t backlog_capacity;
    // The kernel's own state (for io_uring: liburing's struct io_uring).
    void *_Nullable kernel_state;
    // Opcodes that the kernel lacks and that are emulated beside it, one bit each. Set before `setup`.
    uint64_t emulated_opcodes;
    // The list of all rings of the process, under the lock of fork.c.
    curing_ring *_Nullable next;
    curing_ring *_Nullable previous;
};

// What this ring can do beyond the required minimum.
enum {
    CURING_CAN_CANCEL_BY_FD = 1u << 0, // ASYNC_CANCEL with CANCEL_FD | CANCEL_ALL, 5.19
    CURING_CAN_SKIP_SUCCESS = 1u << 1, // CURING_SQE_CQE_SKIP_SUCCESS, 5.17; not emulated
};

// A version whose setup flags, and what follows from them, are not exceeded. 0 means no ceiling.
typedef enum curing_mask {
    CURING_MASK_NONE = 0,
    CURING_MASK_5_15 = 515,
    CURING_MASK_5_19 = 519,
    CURING_MASK_6_1 = 601,
} curing_mask;

// A ceiling on what the library uses of io_uring, to imitate another kernel; all 0 means none.
typedef struct curing_ceiling {
    curing_mask version;
    uint64_t lacking; // opcodes that are taken away, one bit each
} curing_ceiling;

// Why a ring could not be made.
typedef struct curing_refusal {
    int32_t error;           // negative errno of the last attempt
    uint32_t sq_entries;     // size of the last attempt
    int32_t missing_opcode;  // an opcode that the kernel lacks and that cannot be emulated, or -1
    uint32_t missing_features;
} curing_refusal;

// Makes a ring by the setup ladder: {SINGLE_ISSUER, DEFER_TASKRUN, ...}, then COOP_TASKRUN, then
// bare; on ENOMEM the sizes are halved down to 32/256, since the queues are charged against
// RLIMIT_MEMLOCK of the user. Where io_uring lacks opcodes the ring is another one, with those emulated beside it
// (`emulated_opcodes`). The ring is disabled where the kernel can do so: the thread that will
// own it calls `curing_enable`. Any thread. Returns 0 or a negative errno with the cause in `refusal`.
int curing_create(curing_ring *ring, const curing_kernel *kernel, uint32_t sq_entries,
                  uint32_t cq_entries, curing_ceiling ceiling, curing_refusal *refusal);

// Makes the calling thread the owner. Returns 0 or a negative errno.
int curing_enable(curing_ring *ring);

void curing_destroy(curing_ring *ring);

// ---------------------------------------------------------------------------------------------
// The hot part. Inlined into Swift.

// Submissions filled but not yet consumed by the kernel. Counted by the kernel's head, not by what
// enter returned: a short submit leaves the rest in the queue.
static inline uint32_t curing_pending(const curing_ring *ring) {
    return ring->sq_local_tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
}

// For curing_next_sqe, when the queue is full: lets the kernel consume it, or gives a place in the
// backlog. Ends the process when there is no memory for that.
curing_sqe *curing_next_sqe_slowly(curing_ring *ring);

// Moves the backlog into the queue, as far as there is room.
void curing_submit_backlog(curing_ring *ring);

// The next submission to fill. `reserved` places are left free for those that pass 0: cancels.
static inline curing_sqe *curing_next_sqe(curing_ring *ring, uint32_t reserved) {
    if (__builtin_expect(curing_pending(ring) + reserved >= ring->sq_limit, 0)) {
        return curing_next_sqe_slowly(ring);
    }
    return &ring->sqes[ring->sq_local_tail++ & ring->sq_mask];
}

static inline void curing_fill(curing_sqe *sqe, uint8_t opcode, int32_t fd, uint64_t address,
                               uint32_t length, uint64_t offset, uint32_t operation_flags,
                               uint64_t user_data) {
    // The fields that are not written here are zero since the ring was made: nobody writes them at all.
    sqe->opcode = opcode;
    sqe->flags = 0;
    sqe->ioprio = 0;
    sqe->fd = fd;
    sqe->offset = offset;
    sqe->address = address;
    sqe->length = length;
    sqe->operation_flags = operation_flags;
    sqe->user_data = user_data;
}

// True when completions wait in the kernel because the queue was full.
static inline bool curing_has_overflow(const curing_ring *ring) {
    return (__atomic_load_n(ring->sq_flags, __ATOMIC_RELAXED) & CURING_SQ_CQ_OVERFLOW) != 0;
}

// Completions that are visible.
static inline uint32_t curing_available(const curing_ring *ring) {
    return __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) - *ring->cq_head;
}

// The completion `index` places after the head.
static inline const curing_cqe *curing_completion(const curing_ring *ring, uint32_t index) {
    return &ring->cqes[(*ring->cq_head + index) & ring->cq_mask];
}

static inline void curing_consume(curing_ring *ring, uint32_t count) {
    __atomic_store_n(ring->cq_head, *ring->cq_head + count, __ATOMIC_RELEASE);
}

// True when the kernel holds completions that only an enter makes visible: deferred task work, or
// entries that did not fit.
static inline bool curing_needs_enter(const curing_ring *ring) {
    return (__atomic_load_n(ring->sq_flags, __ATOMIC_RELAXED) &
            (CURING_SQ_TASKRUN | CURING_SQ_CQ_OVERFLOW)) != 0;
}

// Submits all that is pending and, with `wait`, sleeps until a completion is visible or `timeout`
// nanoseconds have passed (negative: no limit). Without `wait` it only collects what is ready: a wait
// with a zero timeout would arm a timer and cost fifty times as much.
static inline int curing_enter(curing_ring *ring, bool wait, int64_t timeout) {
    uint32_t pending = curing_pending(ring);
    __atomic_store_n(ring->sq_tail, ring->sq_local_tail, __ATOMIC_RELEASE);
    ring->enters++;
    return ring->kernel->enter(ring, pending, wait ? 1 : 0, CURING_ENTER_GETEVENTS,
                               wait ? timeout : -1);
}

// How long, in nanoseconds, the ring may be left without an enter while its descriptor is not readable; negative: for ever.
static inline int64_t curing_patience(const curing_ring *ring) {
    return ring->kernel->patience ? ring->kernel->patience(ring) : -1;
}

#pragma clang assume_nonnull end

#endif
