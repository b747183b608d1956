// What is submitted while the queue is full. It keeps its order, and nothing is refused or lost.

#include <stdio.h>
#include <stdlib.h>

#include "curing.h"

curing_sqe *curing_next_sqe_slowly(curing_ring *ring) {
    if (ring->backlog_count == 0) {
        // Errors show again at the next enter, which looks at them; completions stay where they are.
        curing_enter(ring, false, -1);
        if (curing_pending(ring) < ring->sq_entries) {
            return &ring->sqes[ring->sq_local_tail++ & ring->sq_mask];
        }
    }
    if (ring->backlog_count == ring->backlog_capacity) {
        uint32_t capacity = ring->backlog_capacity ? ring->backlog_capacity * 2 : 64;
        curing_sqe *larger = realloc(ring->backlog, capacity * sizeof *larger);
        if (!larger) {
            fputs("ringlet: no memory to keep submissions that the kernel does not take\n", stderr);
            abort();
        }
        ring->backlog = larger;
        ring->backlog_capacity = capacity;
    }
    ring->sq_limit = 0;
    curing_sqe *sqe = &ring->backlog[ring->backlog_count++];
    // As the queue's own entries are, whose other fields nobody writes.
    *sqe = (curing_sqe){0};
    return sqe;
}

void curing_submit_backlog(curing_ring *ring) {
    uint32_t moved = 0;
    while (moved < ring->backlog_count && curing_pending(ring) < ring->sq_entries) {
        ring->sqes[ring->sq_local_tail++ & ring->sq_mask] = ring->backlog[moved++];
    }
    ring->backlog_count -= moved;
    for (uint32_t i = 0; i < ring->backlog_count; i++) ring->backlog[i] = ring->backlog[i + moved];
    if (ring->backlog_count == 0) ring->sq_limit = ring->sq_entries;
}
