// Between setup.c and the kernels.

#ifndef CURING_SETUP_H
#define CURING_SETUP_H

#include "curing.h"

void curing_register_ring_fd(curing_ring *ring);

// The io_uring of the running Linux beside an emulated ring for `emulated_opcodes`.
extern const curing_kernel curing_mixed;

// fork.c. Between the two a ring is cut off in the child of a fork. Any thread.
void curing_remember(curing_ring *ring);
void curing_forget(curing_ring *ring);

#endif
