// The kinds of rings that answer the same.

#ifndef KINDS_H
#define KINDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curing.h"

// The kernel's, the emulated one, the kernel's without the opcode in question, and without most.
enum kind { REAL, EMULATED, WITHOUT_IT, WITHOUT_MOST, KINDS };
static const char *const names[] = {"io_uring", "emulated", "io_uring without it", "io_uring without most"};

// Ends the program with 77 where there is none of the kind.
static curing_ring make(enum kind kind, uint8_t opcode) {
    uint64_t needed = UINT64_C(1) << CURING_OP_ASYNC_CANCEL | UINT64_C(1) << CURING_OP_POLL_ADD;
    uint64_t lacking = kind == WITHOUT_IT ? UINT64_C(1) << opcode : kind == WITHOUT_MOST ? UINT64_MAX : 0;
    curing_ceiling ceiling = {.lacking = lacking & ~needed};
    curing_ring ring;
    curing_refusal refusal;
    const curing_kernel *kernel = kind == EMULATED ? curing_emulated() : curing_io_uring();
    int error = curing_create(&ring, kernel, 8, 16, ceiling, &refusal);
    if (error == 0) error = curing_enable(&ring);
    if (error != 0) {
        fprintf(stderr, "%s is refused here: %s\n", names[kind], strerror(-error));
        exit(77);
    }
    return ring;
}

#endif
