#include "reference.h"

#include <time.h>

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t reference_cpu(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

uint64_t reference_now(void) { return read_clock(CLOCK_MONOTONIC); }
