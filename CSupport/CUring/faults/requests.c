// What befalls single requests.

#include <errno.h>

#include "faulty.h"

static void stage(faulty *state, curing_cqe completion, uint32_t later) {
    state->staged = faulty_grow(state->staged, state->staged_count, &state->staged_capacity,
                                sizeof *state->staged);
    state->staged[state->staged_count++] =
        (staged){.completion = completion, .due = state->clock + later};
}

// MARK: Down

// Signal and event descriptors have records that cannot be read in part, and no position.
static bool has_position(const curing_sqe *sqe) { return sqe->offset != UINT64_MAX; }

static void shorten(faulty *state, curing_sqe *sqe) {
    curing_fault_kind kind;
    switch (sqe->opcode) {
    case CURING_OP_READ:
        if (!has_position(sqe)) return;
        kind = CURING_FAULT_SHORT_READ;
        break;
    case CURING_OP_WRITE:
        if (!has_position(sqe)) return;
        kind = CURING_FAULT_SHORT_WRITE;
        break;
    case CURING_OP_RECV:
        kind = CURING_FAULT_SHORT_READ;
        break;
    case CURING_OP_SEND:
        kind = CURING_FAULT_SHORT_WRITE;
        break;
    default:
        return;
    }
    curing_fault fault;
    if (faulty_decide(state, kind, sqe->opcode, sqe->length, &fault)) sqe->length = fault.amount;
}

// A send that makes no completion when it succeeds. One that it makes cannot be late or come twice: what has not
// come by the end of the enter is taken for a success.
static bool hides_success(const curing_sqe *sqe) {
    return sqe->opcode == CURING_OP_SEND && (sqe->flags & CURING_SQE_CQE_SKIP_SUCCESS);
}

static void mark_request(faulty *state, const curing_sqe *sqe) {
    curing_fault fault;
    mark made = {.user_data = sqe->user_data, .opcode = sqe->opcode};
    if (hides_success(sqe)) {
        made.hidden_from = sqe->length;
    } else {
        if (faulty_decide(state, CURING_FAULT_HOLD, sqe->opcode, 0, &fault)) made.hold = fault.amount;
        if (faulty_decide(state, CURING_FAULT_REPEAT, sqe->opcode, 0, &fault)) made.repeat = fault.amount;
        if (faulty_decide(state, CURING_FAULT_CANCEL_EARLY, sqe->opcode, 0, &fault)) {
            made.cancellation = CANCEL_DUE;
            made.cancelled_at = state->clock + fault.amount;
            state->cancels_due++;
        }
    }
    if (made.hold == 0 && made.repeat == 0 && made.hidden_from == 0 && made.cancellation == CANCEL_NEVER) {
        return;
    }
    state->marks =
        faulty_grow(state->marks, state->mark_count, &state->mark_capacity, sizeof *state->marks);
    state->marks[state->mark_count++] = made;
}

static void pass_on(faulty *state, const curing_sqe *sqe) {
    curing_ring *inner = &state->inner;
    inner->sqes[inner->sq_local_tail++ & inner->sq_mask] = *sqe;
    state->in_flight++;
}

void faulty_submit(faulty *state, const curing_sqe *sqe) {
    curing_sqe changed = *sqe;
    if (!faulty_spares(state, sqe->user_data)) {
        curing_fault fault;
        if (faulty_decide(state, CURING_FAULT_RESULT, sqe->opcode, 0, &fault)) {
            stage(state, (curing_cqe){.user_data = sqe->user_data, .result = fault.value}, 0);
            return;
        }
        shorten(state, &changed);
        mark_request(state, sqe);
        // Hidden here, where it is known whether the send was made shorter.
        if (hides_success(sqe)) changed.flags &= (uint8_t)~CURING_SQE_CQE_SKIP_SUCCESS;
    }
    pass_on(state, &changed);
}

// The answer to a cancel that nobody above has asked for.
static const uint64_t own_cancel = UINT64_MAX;

void faulty_cancel(faulty *state) {
    for (uint32_t i = 0; i < state->mark_count && state->cancels_due > 0; i++) {
        mark *due = &state->marks[i];
        if (due->cancellation != CANCEL_DUE || due->cancelled_at > state->clock) continue;
        if (curing_pending(&state->inner) >= state->inner.sq_entries) return;
        curing_sqe cancel = {.opcode = CURING_OP_ASYNC_CANCEL, .fd = -1, .address = due->user_data};
        cancel.user_data = own_cancel;
        pass_on(state, &cancel);
        due->cancellation = CANCEL_ASKED;
        state->cancels_due--;
    }
}

// MARK: Up

static mark take_mark(faulty *state, uint64_t user_data) {
    for (uint32_t i = 0; i < state->mark_count; i++) {
        mark found = state->marks[i];
        if (found.user_data != user_data) continue;
        state->marks[i] = state->marks[--state->mark_count];
        if (found.cancellation == CANCEL_DUE) state->cancels_due--;
        return found;
    }
    return (mark){0};
}

// Enters until the completion is shown.
static uint32_t hold(faulty *state, const curing_cqe *completion, const mark *found) {
    curing_fault fault;
    bool is_cancelled = completion->result == -ECANCELED && !faulty_spares(state, completion->user_data);
    if (is_cancelled && found->cancellation == CANCEL_ASKED) {
        faulty_failed(state->plan, found->opcode, -ECANCELED);
    }
    if (is_cancelled && found->hidden_from == 0 &&
        faulty_decide(state, CURING_FAULT_CANCEL_LATE, CURING_ANY_OPCODE, 0, &fault)) {
        return found->hold + fault.amount;
    }
    return found->hold;
}

void faulty_collect(faulty *state) {
    uint32_t count;
    while ((count = curing_available(&state->inner)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            curing_cqe completion = *curing_completion(&state->inner, i);
            if (completion.user_data == own_cancel) continue;
            mark found = take_mark(state, completion.user_data);
            if (found.hidden_from > 0 && completion.result >= (int32_t)found.hidden_from) continue;
            uint32_t later = hold(state, &completion, &found);
            stage(state, completion, later);
            if (found.repeat > 0) stage(state, completion, later + found.repeat);
        }
        curing_consume(&state->inner, count);
        state->in_flight -= count;
    }
}
