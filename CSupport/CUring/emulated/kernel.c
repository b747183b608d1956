// A ring without io_uring: the table's functions over two queues in plain memory.

#define _GNU_SOURCE

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>

#include "../include/curing_linux.h"
#include "emulated.h"

// Enters that may be satisfied by completions of their own submissions before the descriptors are
// looked at, so that nobody who waits for one starves.
enum { UNPOLLED_LIMIT = 8 };
enum { LARGEST_SQ = 32768, LARGEST_CQ = 65536 };

static uint32_t power_of_two(uint32_t least, uint32_t most) {
    uint32_t result = 1;
    while (result < least && result < most) result *= 2;
    return result;
}

// MARK: Completions

static uint32_t visible(const engine *engine) {
    return engine->cq_tail - __atomic_load_n(&engine->cq_head, __ATOMIC_ACQUIRE);
}

static void set_flag(engine *engine, uint32_t flag, bool on) {
    __atomic_store_n(&engine->sq_flags, on ? engine->sq_flags | flag : engine->sq_flags & ~flag,
                     __ATOMIC_RELAXED);
}

static void put(engine *engine, curing_cqe completion) {
    engine->ring->cqes[engine->cq_tail & engine->ring->cq_mask] = completion;
    __atomic_store_n(&engine->cq_tail, engine->cq_tail + 1, __ATOMIC_RELEASE);
}

void emulated_post(engine *engine, uint64_t user_data, int32_t result) {
    curing_cqe completion = {.user_data = user_data, .result = result};
    if (engine->overflow_count == 0 && visible(engine) < engine->ring->cq_entries) {
        put(engine, completion);
        return;
    }
    uint32_t last = engine->overflow_first + engine->overflow_count++;
    engine->overflow[last & (engine->overflow_capacity - 1)] = completion;
    set_flag(engine, CURING_SQ_CQ_OVERFLOW, true);
}

static void flush_overflow(engine *engine) {
    if (engine->overflow_count == 0) return;
    while (engine->overflow_count > 0 && visible(engine) < engine->ring->cq_entries) {
        put(engine, engine->overflow[engine->overflow_first++ & (engine->overflow_capacity - 1)]);
        engine->overflow_count--;
    }
    set_flag(engine, CURING_SQ_CQ_OVERFLOW, engine->overflow_count > 0);
}

bool emulated_reserve(engine *engine) {
    uint32_t needed = engine->overflow_count + engine->in_flight + 1;
    if (needed <= engine->overflow_capacity) return true;
    uint32_t capacity = engine->overflow_capacity * 2;
    curing_cqe *larger = malloc(capacity * sizeof *larger);
    if (!larger) return false;
    for (uint32_t i = 0; i < engine->overflow_count; i++) {
        larger[i] = engine->overflow[(engine->overflow_first + i) & (engine->overflow_capacity - 1)];
    }
    free(engine->overflow);
    engine->overflow = larger;
    engine->overflow_first = 0;
    engine->overflow_capacity = capacity;
    return true;
}

// MARK: The table

static void emulated_teardown(curing_ring *ring) {
    engine *engine = ring->kernel_state;
    if (engine->buckets) emulated_threads_abandon(engine);
    while (engine->free_operations) {
        operation *operation = engine->free_operations;
        engine->free_operations = operation->next;
        free(operation);
    }
    emulated_readiness_teardown(engine);
    emulated_threads_release();
    free(engine->buckets);
    free(engine->overflow);
    free(ring->sqes);
    free(ring->cqes);
    free(engine);
    ring->kernel_state = NULL;
}

static int emulated_setup(curing_ring *ring, uint32_t sq_entries, uint32_t cq_entries,
                          uint32_t flags) {
    // What the flags ask for is how this kernel works anyway: completions appear in enter only,
    // and one thread submits.
    (void)flags;
    engine *engine = calloc(1, sizeof *engine);
    if (!engine) return -ENOMEM;
    engine->ring = ring;
    engine->epoll = engine->wake = -1;
    engine->verify_at = engine->later_at = engine->relieve_at = UINT64_MAX;
    engine->bucket_count = 256;
    engine->overflow_capacity = 256;
    engine->buckets = calloc(engine->bucket_count, sizeof *engine->buckets);
    engine->overflow = malloc(engine->overflow_capacity * sizeof *engine->overflow);
    ring->kernel_state = engine;
    ring->sq_entries = power_of_two(sq_entries, LARGEST_SQ);
    ring->cq_entries = power_of_two(cq_entries, LARGEST_CQ);
    ring->sq_mask = ring->sq_entries - 1;
    ring->cq_mask = ring->cq_entries - 1;
    ring->sqes = calloc(ring->sq_entries, sizeof *ring->sqes);
    ring->cqes = calloc(ring->cq_entries, sizeof *ring->cqes);
    ring->sq_head = &engine->sq_head;
    ring->sq_tail = &engine->sq_tail;
    ring->sq_flags = &engine->sq_flags;
    ring->cq_head = &engine->cq_head;
    ring->cq_tail = &engine->cq_tail;
    ring->features = CURING_FEAT_NODROP | CURING_FEAT_FAST_POLL | CURING_FEAT_EXT_ARG;
    emulated_threads_retain();
    bool has_memory = engine->buckets && engine->overflow && ring->sqes && ring->cqes;
    int error = has_memory ? emulated_readiness_setup(engine) : -ENOMEM;
    if (error < 0) {
        emulated_teardown(ring);
        return error;
    }
    ring->fd = engine->epoll;
    return 0;
}

static uint32_t submit(engine *engine, uint32_t count) {
    uint32_t tail = __atomic_load_n(&engine->sq_tail, __ATOMIC_ACQUIRE);
    uint32_t head = engine->sq_head;
    if (count > tail - head) count = tail - head;
    uint32_t submitted = 0;
    while (submitted < count && emulated_reserve(engine)) {
        emulated_submit(engine, &engine->ring->sqes[(head + submitted) & engine->ring->sq_mask]);
        submitted++;
    }
    __atomic_store_n(&engine->sq_head, head + submitted, __ATOMIC_RELEASE);
    return submitted;
}

static int await_completions(engine *engine, uint32_t least, int64_t timeout) {
    uint64_t limit = timeout < 0 ? UINT64_MAX : curing_now() + (uint64_t)timeout;
    if (least > engine->ring->cq_entries) least = engine->ring->cq_entries;
    for (;;) {
        bool is_satisfied = visible(engine) >= least;
        if (is_satisfied && least > 0 && engine->unpolled < UNPOLLED_LIMIT) {
            engine->unpolled++;
            return 0;
        }
        engine->unpolled = 0;
        int64_t rest = -1;
        if (is_satisfied) {
            if (engine->in_flight == 0) return 0;
            rest = 0;
        } else if (limit != UINT64_MAX) {
            uint64_t now = curing_now();
            if (now >= limit) return -ETIME;
            rest = (int64_t)(limit - now);
        }
        int error = emulated_collect(engine, rest);
        flush_overflow(engine);
        if (error < 0 && !is_satisfied && visible(engine) < least) return error;
        if (is_satisfied) return 0;
    }
}

static int emulated_enter(curing_ring *ring, uint32_t to_submit, uint32_t min_complete,
                          uint32_t flags, int64_t timeout) {
    engine *engine = ring->kernel_state;
    flush_overflow(engine);
    uint32_t submitted = to_submit > 0 ? submit(engine, to_submit) : 0;
    int error = submitted < to_submit && *ring->sq_tail != *ring->sq_head ? -EAGAIN : 0;
    if (error == 0 && (flags & CURING_ENTER_GETEVENTS)) {
        error = await_completions(engine, min_complete, timeout);
    }
    // Readiness is learned in enter only, so as long as there is something to wait for the owner has
    // to come back even when it never sleeps.
    set_flag(engine, CURING_SQ_TASKRUN, engine->in_flight > 0);
    return submitted > 0 ? (int)submitted : error;
}

static int probe(struct io_uring_probe *table, uint32_t count) {
    static const uint8_t opcodes[] = {
        CURING_OP_NOP,     CURING_OP_FSYNC,  CURING_OP_POLL_ADD, CURING_OP_ACCEPT,
        CURING_OP_CONNECT, CURING_OP_OPENAT, CURING_OP_CLOSE,    CURING_OP_STATX,
        CURING_OP_READ,    CURING_OP_WRITE,  CURING_OP_SEND,     CURING_OP_RECV,
        CURING_OP_SHUTDOWN, CURING_OP_ASYNC_CANCEL,
    };
    for (size_t i = 0; i < sizeof opcodes; i++) {
        if (opcodes[i] >= count) continue;
        table->ops[opcodes[i]] = (struct io_uring_probe_op){
            .op = opcodes[i],
            .flags = IO_URING_OP_SUPPORTED,
        };
        if (opcodes[i] > table->last_op) table->last_op = opcodes[i];
    }
    return 0;
}

static int emulated_register(curing_ring *ring, uint32_t opcode, void *argument, uint32_t count) {
    (void)ring;
    switch (opcode) {
    case IORING_REGISTER_ENABLE_RINGS:
        return 0;
    case IORING_REGISTER_PROBE:
        return probe(argument, count);
    default:
        return -EINVAL;
    }
}

static int64_t patience(const curing_ring *ring) { return emulated_patience(ring->kernel_state); }

static const curing_kernel emulated_kernel = {
    .name = "emulated",
    .setup = emulated_setup,
    .enter = emulated_enter,
    .do_register = emulated_register,
    .teardown = emulated_teardown,
    .patience = patience,
};

const curing_kernel *curing_emulated(void) { return &emulated_kernel; }
