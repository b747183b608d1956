// What no event tells of, and when it is looked at.
//
// A connect to a UNIX listener whose backlog is full waits for room in it, and nothing reports that. A thread in
// connect(2) would be told, but no cancel and no deadline reaches it there. So it is attempted again and again, after
// pauses that double from one millisecond to sixteen.

#include <errno.h>
#include <stdlib.h>

#include "../include/curing_linux.h"
#include "emulated.h"

static const uint64_t first_pause = 1000000, longest_pause = 16000000;

void emulated_attempt_later(engine *engine, operation *operation) {
    operation->place = PLACE_LATER;
    operation->next = NULL;
    operation->previous = engine->last_later;
    if (engine->last_later) engine->last_later->next = operation;
    else engine->first_later = operation;
    engine->last_later = operation;
    engine->later_pause = first_pause;
    uint64_t at = curing_now() + first_pause;
    if (at < engine->later_at) engine->later_at = at;
}

void emulated_unlist_later(engine *engine, operation *operation) {
    if (operation->previous) operation->previous->next = operation->next;
    else engine->first_later = operation->next;
    if (operation->next) operation->next->previous = operation->previous;
    else engine->last_later = operation->previous;
    if (!engine->first_later) engine->later_at = UINT64_MAX;
}

int32_t emulated_cancel_later(engine *engine, int32_t fd) {
    int32_t ended = 0;
    operation *next;
    for (operation *found = engine->first_later; found; found = next) {
        next = found->next;
        if (found->sqe.fd != fd) continue;
        emulated_unlist_later(engine, found);
        emulated_end(engine, found, -ECANCELED);
        ended++;
    }
    return ended;
}

static void attempt_again(engine *engine) {
    engine->later_at = curing_now() + engine->later_pause;
    if (engine->later_pause < longest_pause) engine->later_pause *= 2;
    operation *next;
    for (operation *again = engine->first_later; again; again = next) {
        next = again->next;
        outcome outcome = emulated_attempt(again);
        if (outcome == OUTCOME_LATER) continue;
        emulated_unlist_later(engine, again);
        emulated_go_on(engine, again, outcome);
    }
}

int64_t emulated_patience(const engine *engine) {
    uint64_t at = engine->verify_at < engine->later_at ? engine->verify_at : engine->later_at;
    if (engine->relieve_at < at) at = engine->relieve_at;
    // What nobody waits for can be wrong for as long as it likes.
    if (at == UINT64_MAX || engine->in_flight == 0) return -1;
    uint64_t now = curing_now();
    return now < at ? (int64_t)(at - now) : 0;
}

bool emulated_look(engine *engine) {
    uint64_t now = curing_now();
    uint32_t in_flight = engine->in_flight;
    if (engine->verify_at <= now) emulated_verify(engine);
    if (engine->later_at <= now) attempt_again(engine);
    if (engine->relieve_at <= now) emulated_threads_relieve(engine);
    return engine->in_flight < in_flight;
}
