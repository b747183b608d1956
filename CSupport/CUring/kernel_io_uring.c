// The real kernel behind the seam. liburing maps, unmaps and registers; the queues are then used
// directly, because its helpers are inline in a header that may be older than the kernel.

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "curing.h"
#include "curing_linux.h"
#include "setup.h"

_Static_assert(sizeof(curing_sqe) == sizeof(struct io_uring_sqe), "submissions are 64 bytes");
_Static_assert(sizeof(curing_cqe) == sizeof(struct io_uring_cqe), "completions are 16 bytes");
_Static_assert(offsetof(curing_sqe, user_data) == offsetof(struct io_uring_sqe, user_data), "");
_Static_assert(offsetof(curing_sqe, operation_flags) == offsetof(struct io_uring_sqe, rw_flags), "");

static int real_setup(curing_ring *ring, uint32_t sq_entries, uint32_t cq_entries, uint32_t flags) {
    struct io_uring *real = calloc(1, sizeof *real);
    if (!real) return -ENOMEM;
    struct io_uring_params parameters = {
        .flags = flags | CURING_SETUP_CQSIZE | CURING_SETUP_CLAMP,
        .cq_entries = cq_entries,
    };
    int error = io_uring_queue_init_params(sq_entries, real, &parameters);
    if (error < 0) {
        free(real);
        return error;
    }
    // A child must not share the queues: it would submit in its parent's name.
    error = io_uring_ring_dontfork(real);
    if (error == 0) error = curing_own(real->ring_fd);
    if (error < 0) {
        io_uring_queue_exit(real);
        free(real);
        return error;
    }
    ring->kernel_state = real;
    ring->fd = real->ring_fd;
    ring->features = parameters.features;
    ring->sq_head = real->sq.khead;
    ring->sq_tail = real->sq.ktail;
    ring->sq_flags = real->sq.kflags;
    ring->sqes = (curing_sqe *)real->sq.sqes;
    ring->sq_entries = parameters.sq_entries;
    ring->sq_mask = parameters.sq_entries - 1;
    ring->sq_local_tail = *real->sq.ktail;
    ring->cq_head = real->cq.khead;
    ring->cq_tail = real->cq.ktail;
    ring->cqes = (curing_cqe *)real->cq.cqes;
    ring->cq_entries = parameters.cq_entries;
    ring->cq_mask = parameters.cq_entries - 1;
    return 0;
}

static int real_enter(curing_ring *ring, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                      int64_t timeout) {
    const struct io_uring *real = ring->kernel_state;
    struct __kernel_timespec span;
    struct io_uring_getevents_arg argument = {.sigmask_sz = _NSIG / 8};
    void *extra = NULL;
    size_t extra_size = _NSIG / 8;
    flags |= ring->enter_flags;
    if (timeout >= 0) {
        span.tv_sec = timeout / 1000000000;
        span.tv_nsec = timeout % 1000000000;
        argument.ts = (uint64_t)(uintptr_t)&span;
        extra = &argument;
        extra_size = sizeof argument;
        flags |= CURING_ENTER_EXT_ARG;
    }
    long result = syscall(__NR_io_uring_enter, real->enter_ring_fd, to_submit, min_complete, flags,
                          extra, extra_size);
    return result < 0 ? -errno : (int)result;
}

static int real_register(curing_ring *ring, uint32_t opcode, void *argument, uint32_t count) {
    long result = syscall(__NR_io_uring_register, ring->fd, opcode, argument, count);
    return result < 0 ? -errno : (int)result;
}

static void real_teardown(curing_ring *ring) {
    struct io_uring *real = ring->kernel_state;
    curing_disown(ring->fd);
    io_uring_queue_exit(real);
    free(real);
    ring->kernel_state = NULL;
}

static const curing_kernel io_uring_kernel = {
    .name = "io_uring",
    .setup = real_setup,
    .enter = real_enter,
    .do_register = real_register,
    .teardown = real_teardown,
    .with_emulation = &curing_mixed,
};

const curing_kernel *curing_io_uring(void) { return &io_uring_kernel; }

// Registering the ring's own descriptor saves the look-up in the file table at each enter. It is
// kept per thread by the kernel, so it happens on the owner's thread. Best effort.
void curing_register_ring_fd(curing_ring *ring) {
    struct io_uring *real = ring->kernel_state;
    if (ring->kernel == &io_uring_kernel && io_uring_register_ring_fd(real) == 1) {
        ring->enter_flags |= CURING_ENTER_REGISTERED_RING;
    }
}
