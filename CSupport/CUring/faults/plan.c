// What is to go wrong, and what has.

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "faulty.h"

enum { OPCODES = 64, ERRORS = 134 };

struct curing_faults {
    faulty_kernel over_io_uring, over_mixed, over_emulated;
    // Over a kernel that is an object: the first that was asked for.
    faulty_kernel over_other;
    uint64_t spared;
    // The rest under the lock.
    pthread_mutex_t lock;
    curing_fault *script;
    uint32_t script_count, script_capacity;
    uint64_t seed;
    uint32_t rates[CURING_FAULT_KINDS];
    int32_t rings;
    uint64_t counts[CURING_FAULT_KINDS];
    uint32_t failures[OPCODES][ERRORS];
};

void *faulty_grow(void *array, uint32_t count, uint32_t *capacity, size_t size) {
    if (count < *capacity) return array;
    *capacity = *capacity ? *capacity * 2 : 16;
    void *larger = realloc(array, *capacity * size);
    if (!larger) {
        fputs("ringlet: no memory for the faults of a test\n", stderr);
        abort();
    }
    return larger;
}

// SplitMix64 (Steele, Lea and Flood, 2014).
static uint32_t random_below(faulty *state, uint32_t limit) {
    uint64_t word = state->random += UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((word ^ word >> 31) >> 32) % limit;
}

// MARK: Chance

// What a server may meet on a bad day, by opcode; false where it meets nothing.
static bool random_result(faulty *state, uint8_t opcode, int32_t *value) {
    static const int32_t descriptors[] = {-EMFILE, -ENFILE, -ENOMEM, -ECANCELED};
    static const int32_t buffers[] = {-ENOBUFS, -ENOMEM, -ENOBUFS, -ECANCELED};
    switch (opcode) {
    case CURING_OP_ACCEPT:
    case CURING_OP_OPENAT:
        *value = descriptors[random_below(state, 4)];
        return true;
    case CURING_OP_RECV:
    case CURING_OP_SEND:
        *value = buffers[random_below(state, 4)];
        return true;
    default:
        return false;
    }
}

// What may be cancelled in the middle: a connection that was, or a file, is in a state that its owner cannot know.
static bool waits(uint8_t opcode) {
    return opcode == CURING_OP_ACCEPT || opcode == CURING_OP_RECV || opcode == CURING_OP_SEND;
}

static bool random_values(faulty *state, uint32_t limit, curing_fault *fault) {
    static const int32_t enter_errors[] = {-EINTR, -EAGAIN, -EBUSY};
    switch (fault->kind) {
    case CURING_FAULT_SETUP:
        // The smallest size is left alone: a ring comes of it in the end.
        fault->value = -ENOMEM;
        return limit > 32;
    case CURING_FAULT_ENABLE:
        return false;
    case CURING_FAULT_LATE_ENABLE:
        fault->amount = random_below(state, 5000);
        return true;
    case CURING_FAULT_ENTER:
        fault->value = enter_errors[random_below(state, 3)];
        return true;
    case CURING_FAULT_RESULT:
        return random_result(state, fault->opcode, &fault->value);
    case CURING_FAULT_SUBMIT:
        fault->amount = random_below(state, limit);
        return true;
    case CURING_FAULT_FULL:
        fault->amount = random_below(state, 40);
        return true;
    case CURING_FAULT_SHORT_READ:
    case CURING_FAULT_SHORT_WRITE:
        if (limit < 2) return false;
        fault->amount = 1 + random_below(state, limit - 1);
        return true;
    case CURING_FAULT_OVERFLOW:
        fault->amount = 1 + random_below(state, 4);
        return true;
    case CURING_FAULT_CANCEL_EARLY:
        fault->amount = random_below(state, 20);
        return waits(fault->opcode);
    case CURING_FAULT_HOLD:
    case CURING_FAULT_REPEAT:
    case CURING_FAULT_CANCEL_LATE:
        fault->amount = 1 + random_below(state, 20);
        return true;
    case CURING_FAULT_REORDER:
    case CURING_FAULT_KINDS:
        break;
    }
    return true;
}

// MARK: Script

static bool takes_part(curing_fault_kind kind) {
    return kind == CURING_FAULT_SUBMIT || kind == CURING_FAULT_SHORT_READ ||
           kind == CURING_FAULT_SHORT_WRITE;
}

// Every entry counts its own occasions, also those that another one uses.
static bool scripted(curing_faults *plan, const faulty *state, curing_fault_kind kind, uint8_t opcode,
                     uint32_t limit, curing_fault *fault) {
    bool is_due = false;
    for (uint32_t i = 0; i < plan->script_count; i++) {
        curing_fault *entry = &plan->script[i];
        if (entry->kind != kind) continue;
        if (entry->opcode != CURING_ANY_OPCODE && entry->opcode != opcode) continue;
        if (entry->ring != CURING_ANY_RING && entry->ring != state->number) continue;
        if (takes_part(kind) && entry->amount >= limit) continue;
        if (entry->skip > 0) {
            entry->skip--;
        } else if (entry->times > 0 && !is_due) {
            entry->times--;
            *fault = *entry;
            is_due = true;
        }
    }
    return is_due;
}

static void count_failure(curing_faults *plan, uint8_t opcode, int32_t error) {
    if (opcode < OPCODES && -error < ERRORS) plan->failures[opcode][-error]++;
}

bool faulty_decide(faulty *state, curing_fault_kind kind, uint8_t opcode, uint32_t limit,
                   curing_fault *fault) {
    curing_faults *plan = state->plan;
    *fault = (curing_fault){.kind = kind, .opcode = opcode};
    pthread_mutex_lock(&plan->lock);
    bool is_due = scripted(plan, state, kind, opcode, limit, fault);
    if (!is_due && plan->rates[kind] > 0 && random_below(state, 1000) < plan->rates[kind]) {
        is_due = random_values(state, limit, fault);
    }
    if (is_due) {
        plan->counts[kind]++;
        if (kind == CURING_FAULT_RESULT) count_failure(plan, opcode, fault->value);
    }
    pthread_mutex_unlock(&plan->lock);
    return is_due;
}

void faulty_failed(curing_faults *plan, uint8_t opcode, int32_t error) {
    pthread_mutex_lock(&plan->lock);
    count_failure(plan, opcode, error);
    pthread_mutex_unlock(&plan->lock);
}

void faulty_join(faulty *state, curing_faults *plan) {
    state->plan = plan;
    pthread_mutex_lock(&plan->lock);
    state->number = plan->rings++;
    state->random = plan->seed + (uint64_t)state->number;
    pthread_mutex_unlock(&plan->lock);
}

bool faulty_spares(const faulty *state, uint64_t user_data) {
    return (user_data & state->plan->spared) != 0;
}

// MARK: For tests

curing_faults *curing_faults_create(uint64_t spared) {
    curing_faults *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    plan->spared = spared;
    pthread_mutex_init(&plan->lock, NULL);
    faulty_fill(&plan->over_mixed, plan, curing_io_uring()->with_emulation, NULL);
    faulty_fill(&plan->over_io_uring, plan, curing_io_uring(), &plan->over_mixed);
    faulty_fill(&plan->over_emulated, plan, curing_emulated(), NULL);
    return plan;
}

void curing_faults_destroy(curing_faults *plan) {
    pthread_mutex_destroy(&plan->lock);
    free(plan->script);
    free(plan);
}

void curing_faults_set_rate(curing_faults *plan, uint64_t seed, curing_fault_kind kind,
                            uint32_t per_mille) {
    pthread_mutex_lock(&plan->lock);
    plan->seed = seed;
    plan->rates[kind] = per_mille;
    pthread_mutex_unlock(&plan->lock);
}

void curing_faults_add(curing_faults *plan, const curing_fault *fault) {
    pthread_mutex_lock(&plan->lock);
    plan->script =
        faulty_grow(plan->script, plan->script_count, &plan->script_capacity, sizeof *plan->script);
    plan->script[plan->script_count++] = *fault;
    pthread_mutex_unlock(&plan->lock);
}

uint64_t curing_faults_count(curing_faults *plan, curing_fault_kind kind) {
    pthread_mutex_lock(&plan->lock);
    uint64_t count = plan->counts[kind];
    pthread_mutex_unlock(&plan->lock);
    return count;
}

uint64_t curing_faults_failures(curing_faults *plan, uint8_t opcode, int32_t error) {
    if (opcode >= OPCODES || error >= 0 || -error >= ERRORS) return 0;
    pthread_mutex_lock(&plan->lock);
    uint64_t count = plan->failures[opcode][-error];
    pthread_mutex_unlock(&plan->lock);
    return count;
}

const curing_kernel *curing_faults_before(curing_faults *plan, const curing_kernel *kernel) {
    if (kernel == curing_emulated()) return &plan->over_emulated.table;
    if (kernel == curing_io_uring()) return &plan->over_io_uring.table;
    pthread_mutex_lock(&plan->lock);
    if (!plan->over_other.inner) faulty_fill(&plan->over_other, plan, kernel, NULL);
    pthread_mutex_unlock(&plan->lock);
    return &plan->over_other.table;
}
