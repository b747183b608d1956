// Between setup.c and the kernels.

#ifndef CURING_SETUP_H
#define CURING_SETUP_H

#include "curing.h"

void curing_register_ring_fd(curing_ring *ring);

#endif
