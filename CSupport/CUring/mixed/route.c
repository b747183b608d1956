// Which of the two rings gets a submission.

#include <errno.h>
#include <stdlib.h>

#include "mixed.h"

static bool is_emulated(const mixed *state, uint8_t opcode) {
    return opcode < 64 && (state->ring->emulated_opcodes >> opcode & 1);
}

static void forward(mixed *state, const curing_sqe *sqe) {
    curing_ring *real = &state->real;
    real->sqes[real->sq_local_tail++ & real->sq_mask] = *sqe;
    state->in_flight++;
}

// MARK: Cancellation

static void remember(mixed *state, uint64_t user_data, int32_t count) {
    if (state->tally_count == state->tally_capacity) {
        uint32_t capacity = state->tally_capacity ? state->tally_capacity * 2 : 8;
        tally *larger = realloc(state->tallies, capacity * sizeof *larger);
        // Without memory the number is the kernel's alone.
        if (!larger) return;
        state->tallies = larger;
        state->tally_capacity = capacity;
    }
    state->tallies[state->tally_count++] = (tally){.user_data = user_data, .count = count};
}

int32_t mixed_result(mixed *state, const curing_cqe *completion) {
    for (uint32_t i = 0; i < state->tally_count; i++) {
        tally found = state->tallies[i];
        if (found.user_data != completion->user_data) continue;
        state->tallies[i] = state->tallies[--state->tally_count];
        return completion->result >= 0 ? completion->result + found.count : found.count;
    }
    return completion->result;
}

// True when nothing is left for the kernel to do: the operation was found here.
static bool cancel_emulated(mixed *state, const curing_sqe *sqe) {
    int32_t result = emulated_cancel(mixed_engine(state), sqe);
    if (sqe->operation_flags == 0) {
        if (result == -ENOENT) return false;
        emulated_post(mixed_engine(state), sqe->user_data, result);
        return true;
    }
    if (result > 0) remember(state, sqe->user_data, result);
    return false;
}

// MARK: Submissions

// An emulated operation is attempted at once, and must not overtake what came before it and still lies in the
// kernel's queue: on the same descriptor, and anything when it is a close.
static bool would_overtake(const curing_ring *real, const curing_sqe *sqe) {
    uint32_t pending = curing_pending(real);
    if (sqe->opcode == CURING_OP_CLOSE) return pending > 0;
    for (uint32_t i = 1; i <= pending; i++) {
        if (real->sqes[(real->sq_local_tail - i) & real->sq_mask].fd == sqe->fd) return true;
    }
    return false;
}

static bool submit_pending(curing_ring *real) {
    if (curing_pending(real) > 0) curing_enter(real, false, -1);
    return curing_pending(real) == 0;
}

bool mixed_submit(mixed *state, const curing_sqe *sqe) {
    engine *engine = mixed_engine(state);
    if (!emulated_reserve(engine)) return false;
    if (is_emulated(state, sqe->opcode)) {
        if (would_overtake(&state->real, sqe) && !submit_pending(&state->real)) return false;
        emulated_submit(engine, sqe);
        return true;
    }
    if (!mixed_has_room(&state->real)) curing_enter(&state->real, false, -1);
    if (!mixed_has_room(&state->real)) return false;
    switch (sqe->opcode) {
    case CURING_OP_ASYNC_CANCEL:
        if (cancel_emulated(state, sqe)) return true;
        break;
    case CURING_OP_CLOSE:
        // What waits there on the emulated side does not keep the file open.
        emulated_forget(engine, sqe->fd);
        curing_descriptor_changed(sqe->fd);
        break;
    }
    forward(state, sqe);
    return true;
}
