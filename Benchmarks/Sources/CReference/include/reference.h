// What the library's figures stand beside. All durations are nanoseconds of CPU time, with what the
// kernel did included, unless a comment says otherwise.

#ifndef REFERENCE_H
#define REFERENCE_H

#include <stdint.h>

// CPU time of the process. Nothing here waits for anybody but itself, so this is what the clock on
// the wall would show, less the time for which other programs had the processor.
uint64_t reference_cpu(void);

// CLOCK_MONOTONIC, for what is shorter than a system call.
uint64_t reference_now(void);

// Allocations of the calling thread since it began, from every library of the process.
uint64_t reference_allocations(void);

// Bytes that malloc(3) has given out and not got back.
uint64_t reference_heap_bytes(void);

// Resumes a bare coroutine `count` times, which suspends at once: twice as many one-way switches.
uint64_t reference_bare_switch(uint64_t count);

// Takes `count` random nodes out of a list of `held` and appends them again: what removing a timer
// costs in memory accesses alone. Nanoseconds of CLOCK_MONOTONIC.
typedef struct reference_list reference_list;
reference_list *reference_list_create(uint32_t held);
void reference_list_destroy(reference_list *list);
uint64_t reference_list_relink(reference_list *list, const uint32_t *victims, uint32_t count);

// One ring, one entry at a time: submit, wait, reap. Negated errno on failure.
int64_t reference_ring_nop(uint64_t count);
int64_t reference_ring_null_write(uint64_t count);

// Two parties in one event loop over one ring. Each sends 64 bytes and receives 64 bytes back, so a
// round trip has four operations. Negated errno on failure.
int64_t reference_ring_pipe(uint64_t count);
int64_t reference_ring_tcp(uint64_t count);

// Two threads that wake each other in turn, `count` times there and back, and sleep in between. Nanoseconds of
// CLOCK_MONOTONIC; negated errno on failure.
int64_t reference_eventfd_handoff(uint64_t count);
int64_t reference_futex_handoff(uint64_t count);

#endif
