// Assumptions about descriptor numbers, and when they are looked at again.
//
// A registration in the epoll set may be gone, and its number another file's, without a word. Waits that rely on an
// earlier registration are listed here, and it is made again when no event has confirmed it for ten milliseconds. A
// wait that rests on a wrong assumption is late by twice that at most, and not lost.

#include <poll.h>
#include <stdlib.h>

#include "../include/curing_linux.h"
#include "emulated.h"

static const uint64_t verify_after = 10000000;

bool emulated_verify_later(engine *engine, int32_t fd) {
    descriptor *known = &engine->descriptors[fd];
    if (known->is_unverified) return true;
    if (engine->unverified_count == engine->unverified_capacity) {
        uint32_t capacity = engine->unverified_capacity ? engine->unverified_capacity * 2 : 64;
        int32_t *larger = realloc(engine->unverified, capacity * sizeof *larger);
        if (!larger) return false;
        engine->unverified = larger;
        engine->unverified_capacity = capacity;
    }
    if (engine->unverified_count == 0) engine->verify_at = curing_now() + verify_after;
    engine->unverified[engine->unverified_count++] = fd;
    known->is_unverified = true;
    known->had_event = false;
    return true;
}

// Registers anew what has had no event since the last time. What had one is asked again next time. If the
// registration was gone the number is another file's, of which nobody knows yet that it would have to wait.
bool emulated_verify(engine *engine) {
    uint32_t number = engine->unverified_count, in_flight = engine->in_flight;
    engine->unverified_count = 0;
    for (uint32_t i = 0; i < number; i++) {
        int32_t fd = engine->unverified[i];
        descriptor *known = &engine->descriptors[fd];
        if (known->had_event) {
            known->had_event = false;
            engine->unverified[engine->unverified_count++] = fd;
            continue;
        }
        known->is_unverified = false;
        if (!known->first) continue;
        int error = emulated_set_interest(engine, fd, emulated_wanted_events(known));
        if (error < 0) emulated_registration_failed(engine, fd, error);
        if (error > 0) emulated_attempt_waiting(engine, fd, POLLERR);
    }
    engine->verify_at = engine->unverified_count > 0 ? curing_now() + verify_after : UINT64_MAX;
    return engine->in_flight < in_flight;
}
