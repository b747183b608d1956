// Between setup.c and the kernels.

#ifndef CURING_SETUP_H
#define CURING_SETUP_H

#include "curing.h"

void curing_register_ring_fd(curing_ring *ring);

// fork.c. Between the two a ring is cut off in the child of a fork. Any thread.
void curing_remember(curing_ring *ring);
void curing_forget(curing_ring *ring);

#endif
