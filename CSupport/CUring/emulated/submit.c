// From a submission to its first attempt, and cancellation.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulated.h"

// MARK: The table of operations in flight

static operation **bucket(const engine *engine, uint64_t user_data) {
    // Fibonacci hashing: the low bits of user_data are an index, the high ones a generation.
    uint32_t hash = (uint32_t)((user_data * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
    return &engine->buckets[hash & (engine->bucket_count - 1)];
}

static void grow_table(engine *engine) {
    uint32_t old_count = engine->bucket_count;
    operation **old = engine->buckets;
    operation **larger = calloc((size_t)old_count * 4, sizeof *larger);
    // Without memory the chains get longer.
    if (!larger) return;
    engine->buckets = larger;
    engine->bucket_count = old_count * 4;
    for (uint32_t i = 0; i < old_count; i++) {
        operation *next;
        for (operation *operation = old[i]; operation; operation = next) {
            next = operation->next_in_bucket;
            struct operation **head = bucket(engine, operation->sqe.user_data);
            operation->next_in_bucket = *head;
            *head = operation;
        }
    }
    free(old);
}

static operation *keep(engine *engine, const operation *attempted) {
    operation *kept = engine->free_operations;
    if (kept) {
        engine->free_operations = kept->next;
    } else {
        kept = malloc(sizeof *kept);
        if (!kept) return NULL;
    }
    *kept = *attempted;
    kept->engine = engine;
    if (engine->in_flight >= engine->bucket_count) grow_table(engine);
    operation **head = bucket(engine, kept->sqe.user_data);
    kept->next_in_bucket = *head;
    *head = kept;
    engine->in_flight++;
    return kept;
}

void emulated_end(engine *engine, operation *ended, int32_t result) {
    operation **link = bucket(engine, ended->sqe.user_data);
    while (*link != ended) link = &(*link)->next_in_bucket;
    *link = ended->next_in_bucket;
    engine->in_flight--;
    emulated_post(engine, ended->sqe.user_data, result);
    ended->next = engine->free_operations;
    engine->free_operations = ended;
}

int32_t emulated_failure(const operation *operation, int32_t error) {
    bool moves_bytes = operation->sqe.opcode != CURING_OP_CONNECT;
    return moves_bytes && operation->progress > 0 ? (int32_t)operation->progress : error;
}

// MARK: Cancellation

// Tries to cancel one operation. Returns 0 or -EALREADY.
static int cancel(engine *engine, operation *found) {
    uint8_t place = __atomic_load_n(&found->place, __ATOMIC_RELAXED);
    if (place == PLACE_WAITING) {
        emulated_unlist(engine, found);
    } else if (place == PLACE_LATER) {
        emulated_unlist_later(engine, found);
    } else if (!emulated_threads_withdraw(found)) {
        return -EALREADY;
    }
    emulated_end(engine, found, emulated_failure(found, -ECANCELED));
    return 0;
}

static int32_t cancel_by_user_data(engine *engine, uint64_t user_data) {
    for (operation *found = *bucket(engine, user_data); found; found = found->next_in_bucket) {
        if (found->sqe.user_data == user_data) return cancel(engine, found);
    }
    return -ENOENT;
}

static int32_t cancel_by_descriptor(engine *engine, int32_t fd) {
    if (fcntl(fd, F_GETFD) < 0) return -errno;
    int32_t count = emulated_cancel_waiting(engine, fd) + emulated_cancel_later(engine, fd);
    if (engine->on_threads == 0) return count;
    for (uint32_t i = 0; i < engine->bucket_count; i++) {
        operation *next;
        for (operation *found = engine->buckets[i]; found; found = next) {
            next = found->next_in_bucket;
            if (found->sqe.fd == fd && cancel(engine, found) == 0) count++;
        }
    }
    return count;
}

int32_t emulated_cancel(engine *engine, const curing_sqe *sqe) {
    switch (sqe->operation_flags) {
    case 0:
        return cancel_by_user_data(engine, sqe->address);
    case CURING_CANCEL_FD | CURING_CANCEL_ALL:
        return cancel_by_descriptor(engine, sqe->fd);
    default:
        return -EINVAL;
    }
}

// MARK: Submission

void emulated_note_drained(descriptor *known, const operation *ended) {
    bool is_short = ended->result > 0 && (uint32_t)ended->result < ended->sqe.length;
    if (ended->events == POLLIN) known->is_drained = is_short;
}

// The result where there is neither a thread nor memory for it. A descriptor is closed here and now: nobody else would,
// and it may be what there are too many of.
static int32_t without_a_thread(const operation *operation, int32_t error) {
    if (operation->sqe.opcode == CURING_OP_CLOSE) return close(operation->sqe.fd) < 0 ? -errno : 0;
    return emulated_failure(operation, error);
}

void emulated_go_on(engine *engine, operation *operation, outcome outcome) {
    int error = 0;
    switch (outcome) {
    case OUTCOME_DONE:
        emulated_end(engine, operation, operation->result);
        return;
    case OUTCOME_LATER:
        emulated_attempt_later(engine, operation);
        return;
    case OUTCOME_WAIT:
        error = emulated_wait(engine, operation);
        // A file, of which a part was not in memory.
        if (error == -EPERM) error = emulated_threads_run(engine, operation);
        break;
    case OUTCOME_BLOCKS:
        error = emulated_threads_run(engine, operation);
        break;
    }
    if (error < 0) emulated_end(engine, operation, without_a_thread(operation, error));
}

static void wait_or_run(engine *engine, const operation *attempted, outcome outcome) {
    operation *kept = keep(engine, attempted);
    if (kept) emulated_go_on(engine, kept, outcome);
    else emulated_post(engine, attempted->sqe.user_data, without_a_thread(attempted, -ENOMEM));
}

// A file's close may have to write out what it holds; a socket's does not wait.
static bool close_blocks(int32_t fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

// Whether it waits where there is nothing to read: not if it asks for nothing, or for what is refused.
static bool waits_for_bytes(const curing_sqe *sqe) {
    bool is_stream = sqe->opcode == CURING_OP_RECV || sqe->offset == 0 || sqe->offset == UINT64_MAX;
    return sqe->opcode != CURING_OP_ACCEPT && sqe->length > 0 && is_stream;
}

static bool must_queue(engine *engine, const curing_sqe *sqe, uint16_t events) {
    descriptor *known = emulated_descriptor(engine, sqe->fd);
    if (!known || sqe->opcode == CURING_OP_POLL_ADD) return false;
    bool is_message = sqe->opcode == CURING_OP_RECV || sqe->opcode == CURING_OP_SEND;
    if (is_message && (sqe->operation_flags & MSG_DONTWAIT)) return false;
    if (events == POLLOUT) return known->writers > 0;
    // Behind those that came earlier; or there is known to be nothing.
    return known->readers > 0 ||
           (known->is_drained && (known->interest & POLLIN) && waits_for_bytes(sqe));
}

void emulated_submit(engine *engine, const curing_sqe *sqe) {
    switch (sqe->opcode) {
    case CURING_OP_ASYNC_CANCEL:
        emulated_post(engine, sqe->user_data, emulated_cancel(engine, sqe));
        return;
    case CURING_OP_CLOSE:
        emulated_forget(engine, sqe->fd);
        curing_descriptor_changed(sqe->fd);
        break;
    }
    operation attempted = {.sqe = *sqe, .events = emulated_events(sqe)};
    if (attempted.events && must_queue(engine, sqe, attempted.events)) {
        wait_or_run(engine, &attempted, OUTCOME_WAIT);
        return;
    }
    outcome outcome = sqe->opcode == CURING_OP_CLOSE && close_blocks(sqe->fd)
                          ? OUTCOME_BLOCKS
                          : emulated_attempt(&attempted);
    if (outcome == OUTCOME_DONE) {
        descriptor *known = emulated_descriptor(engine, sqe->fd);
        if (known) emulated_note_drained(known, &attempted);
        emulated_post(engine, sqe->user_data, attempted.result);
    } else {
        wait_or_run(engine, &attempted, outcome);
    }
}

int32_t curing_call(const curing_sqe *sqe) {
    operation called = {.sqe = *sqe};
    return emulated_run_blocking(&called);
}
