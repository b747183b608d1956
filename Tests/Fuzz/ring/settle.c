// What the rings have completed, and whether it is the same.

#define _GNU_SOURCE

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../CSupport/CUring/include/curing_linux.h"
#include "program.h"

static const uint64_t patience = 10000000000u, until_asked_again = 100000000u, until_believed = 50000000u;
static const char *const names[2] = {"io_uring", "emulated"};

__attribute__((noreturn)) static void differ(const program *program, uint32_t index, const char *what) {
    const submission *at = &program->submissions[index];
    fprintf(stderr, "submission %u (opcode %d, place %d, length %u): %s\n", index, at->opcode, at->place,
            at->length, what);
    for (int side = 0; side < 2; side++) {
        fprintf(stderr, "  %s: %s, %d\n", names[side], at->of[side].is_done ? "completed" : "not completed",
                at->of[side].result);
    }
    abort();
}

uint8_t direction(uint8_t opcode) {
    switch (opcode) {
    case CURING_OP_READ:
    case CURING_OP_RECV:
    case CURING_OP_ACCEPT:
        return POLLIN;
    case CURING_OP_WRITE:
    case CURING_OP_SEND:
    case CURING_OP_CONNECT:
        return POLLOUT;
    default:
        return 0;
    }
}

static bool makes_descriptor(const submission *at) {
    return at->opcode == CURING_OP_ACCEPT || at->opcode == CURING_OP_OPENAT;
}

static void compare(program *program, uint32_t index) {
    submission *at = &program->submissions[index];
    int32_t real = at->of[REAL].result, emulated = at->of[EMULATED].result;
    at->is_over = true;
    if (makes_descriptor(at)) {
        // Of what only one side has made the other cannot know; the places stay alike.
        bool both = real >= 0 && emulated >= 0;
        for (int side = 0; side < 2; side++) {
            int fd = at->of[side].result;
            if (fd >= 0 && !(both && world_keep(&program->worlds[side], fd))) close(fd);
        }
        if (both) return;
    }
    if (!program->is_strict || at->is_vague) return;
    // An error of a socket is told once: to a poll or to another operation of the same step.
    if (at->opcode == CURING_OP_POLL_ADD && real > 0) emulated = (emulated & ~POLLERR) | (real & POLLERR);
    if (real != emulated) differ(program, index, "different results");
    // What a socket is after a refusal depends on whether that came during the call or later.
    if (at->opcode == CURING_OP_CONNECT && real == -ECONNREFUSED) program->is_strict = false;
    bool has_bytes = at->opcode == CURING_OP_READ || at->opcode == CURING_OP_RECV;
    if (has_bytes && real > 0 && memcmp(at->of[REAL].memory, at->of[EMULATED].memory, (size_t)real) != 0) {
        differ(program, index, "different bytes");
    }
}

static void collect(program *program, int side) {
    curing_ring *ring = &rings[side];
    uint32_t available = curing_available(ring);
    for (uint32_t i = 0; i < available; i++) {
        const curing_cqe *completion = curing_completion(ring, i);
        if (completion->user_data == ASKED_AGAIN) continue;
        uint64_t index = completion->user_data - generation;
        if (index >= program->count) {
            fprintf(stderr, "%s: a completion of nothing that was submitted\n", names[side]);
            abort();
        }
        submission *at = &program->submissions[index];
        if (at->of[side].is_done) differ(program, (uint32_t)index, "completed twice");
        at->of[side].is_done = true;
        at->of[side].result = completion->result;
        program->done[side]++;
        if (at->of[!side].is_done) compare(program, (uint32_t)index);
    }
    curing_consume(ring, available);
}

static void enter(program *program, int side, bool wait) {
    int result = curing_enter(&rings[side], wait, 100000);
    bool is_fine = result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY;
    if (!is_fine) {
        fprintf(stderr, "%s: enter: %s\n", names[side], strerror(-result));
        abort();
    }
    collect(program, side);
    curing_submit_backlog(&rings[side]);
}

static bool ends_by_itself(const submission *at) {
    return place_is_file(at->place) || direction(at->opcode) == 0 ? at->opcode != CURING_OP_POLL_ADD : false;
}

// True when there is nothing to wait for: nothing has completed on one side only, and nothing that ends by
// itself is under way.
static bool is_settled(const program *program, bool finally) {
    for (uint32_t i = 0; i < program->count; i++) {
        const submission *at = &program->submissions[i];
        if (at->is_over) continue;
        bool is_even = at->of[REAL].is_done == at->of[EMULATED].is_done;
        if (finally || (program->is_strict && !is_even) || ends_by_itself(at)) return false;
    }
    return !curing_pending(&rings[REAL]) && !curing_pending(&rings[EMULATED]);
}

// True when an operation can go on, so that it ends in a moment: a cancel may or may not be in time for it.
static bool is_ending(const program *program) {
    for (uint32_t i = 0; i < program->count; i++) {
        const submission *at = &program->submissions[i];
        if (at->is_over || direction(at->opcode) == 0) continue;
        for (int side = 0; side < 2; side++) {
            struct pollfd entry = {.fd = program->worlds[side].fds[at->place], .events = direction(at->opcode)};
            if (poll(&entry, 1, 0) > 0) return true;
        }
    }
    return false;
}

// io_uring answers -ENOENT to the cancel of an operation that it is just about to try once more, and when the
// operation then waits after all, nobody has cancelled it. A write to an eventfd does that: it may be written to, as
// poll(2) says, while there is no room for so large a number. (Linux 6.18.)
static void cancel_again(const program *program) {
    for (uint32_t i = 0; i < program->count; i++) {
        for (int side = 0; side < 2; side++) {
            if (program->submissions[i].of[side].is_done) continue;
            curing_fill(curing_next_sqe(&rings[side], 0), CURING_OP_ASYNC_CANCEL, -1, generation + i, 0, 0, 0,
                        ASKED_AGAIN);
        }
    }
}

void settle(program *program, bool finally) {
    uint64_t began = curing_now(), limit = began + patience, next_cancel = began + until_asked_again;
    for (bool wait = false;; wait = true) {
        enter(program, REAL, false);
        enter(program, EMULATED, wait);
        if (is_settled(program, finally)) {
            // There are some that wait all the same: a write to an eventfd that has no room for it.
            bool is_believed = !program->is_strict || curing_now() > began + until_believed;
            if (is_believed || !is_ending(program)) return;
            continue;
        }
        if (finally && curing_now() > next_cancel) {
            cancel_again(program);
            next_cancel += until_asked_again;
        }
        if (curing_now() < limit) continue;
        for (uint32_t i = 0; i < program->count; i++) {
            if (!program->submissions[i].is_over) differ(program, i, "does not end on both sides");
        }
    }
}
