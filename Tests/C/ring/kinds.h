// The kinds of rings that answer the same.

#ifndef KINDS_H
#define KINDS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curing.h"

// The kernel's, the emulated one, the kernel's without the opcode in question, and without most.
enum kind { REAL, EMULATED, WITHOUT_IT, WITHOUT_MOST, KINDS };
static const char *const names[] = {"io_uring", "emulated", "io_uring without it", "io_uring without most"};

static int make_or_refuse(enum kind kind, uint8_t opcode, curing_ring *ring) {
    uint64_t needed = UINT64_C(1) << CURING_OP_ASYNC_CANCEL | UINT64_C(1) << CURING_OP_POLL_ADD;
    uint64_t lacking = kind == WITHOUT_IT ? UINT64_C(1) << opcode : kind == WITHOUT_MOST ? UINT64_MAX : 0;
    curing_ceiling ceiling = {.lacking = lacking & ~needed};
    curing_refusal refusal;
    const curing_kernel *kernel = kind == EMULATED ? curing_emulated() : curing_io_uring();
    int error = curing_create(ring, kernel, 8, 16, ceiling, &refusal);
    return error == 0 ? curing_enable(ring) : error;
}

// A ring of a kind that there is.
static curing_ring make(enum kind kind, uint8_t opcode) {
    curing_ring ring;
    int error = make_or_refuse(kind, opcode, &ring);
    if (error != 0) {
        fprintf(stderr, "no ring of the kind %s: %s\n", names[kind], strerror(-error));
        exit(1);
    }
    return ring;
}

// Where io_uring is refused the emulated ring is the one that runs, so it is tried there all the same.
static bool is_refused(enum kind kind) {
    static bool was_asked[KINDS], is_refused[KINDS];
    if (kind == EMULATED || was_asked[kind]) return is_refused[kind];
    was_asked[kind] = true;
    curing_ring ring;
    int error = make_or_refuse(kind, CURING_OP_NOP, &ring);
    is_refused[kind] = error != 0;
    if (error == 0) curing_destroy(&ring);
    else fprintf(stderr, "%s is refused here: %s\n", names[kind], strerror(-error));
    return is_refused[kind];
}

// The first kind from this one on that there is.
static enum kind kind_from(enum kind kind) {
    while (kind < KINDS && is_refused(kind)) kind++;
    return kind;
}

#endif
