// How control moves between coroutines, without what is rare.
//
// A transfer between two coroutines goes through the code outside: the first suspends, and the loop
// that has resumed it resumes the second.

#ifndef CCTX_COROUTINE_H
#define CCTX_COROUTINE_H

#include "cctx_raw.h"

#pragma clang assume_nonnull begin

// The coroutine that ran on a thread, and the fiber it ran in, when another one was resumed.
typedef struct cctx_outside {
    cctx_raw *_Nullable current;
    cctx_fiber *_Nullable carrier;
} cctx_outside;

// What is called when a coroutine has stopped that has ended, or that waits for something, or that
// nobody can switch to again. It returns who is to be resumed next, or NULL for the code outside.
typedef cctx_raw *_Nullable (*cctx_coroutine_stopped)(cctx_raw *coroutine, cctx_outside *outside);

// Sets it, before a thread's first coroutine is resumed, and always to the same function. Any
// thread.
void cctx_coroutine_on_stop(cctx_coroutine_stopped function);

cctx_raw *_Nullable cctx_coroutine_has_stopped(cctx_raw *coroutine, cctx_outside *outside);

// The coroutine whose strand this code is part of.
CCTX_INLINE cctx_raw *_Nullable cctx_coroutine_running(void) {
    cctx_raw_thread *thread = &cctx_this_raw_thread;
    return thread->carrier == cctx_this_host_thread.running ? thread->current : NULL;
}

// Makes the value at `place` that is sent, and whoever is to run next (NULL: the code outside),
// known to the loop below.
CCTX_INLINE void cctx_coroutine_send(cctx_raw *_Nullable target, void *_Nullable place) {
    cctx_raw_thread *thread = &cctx_this_raw_thread;
    thread->target = target;
    thread->mail = place;
}

// Resumes a coroutine until it stops.
CCTX_INLINE void cctx_coroutine_resume(cctx_raw *next) {
    cctx_raw_thread *thread = &cctx_this_raw_thread;
    cctx_raw_head *head = cctx_raw_head_of(next->owner);
    thread->current = next;
    thread->carrier = cctx_this_host_thread.running;
    head->state = cctx_raw_running;
    if (__builtin_expect(head->shares_locals, 0)) cctx_raw_share(next);
    cctx_raw_resume(next);
}

// True when a coroutine that has just stopped is in a switch of its own, and somebody can switch to
// it again. One that has ended, or waits for something, is still called running.
CCTX_INLINE bool cctx_coroutine_has_switched(const cctx_raw *stopped) {
    const cctx_raw_head *head = cctx_raw_head_of(stopped->owner);
    return head->state == cctx_raw_suspended && head->handle;
}

// Who is next when a coroutine has stopped; NULL for the code outside.
CCTX_INLINE cctx_raw *_Nullable cctx_coroutine_next(cctx_raw *stopped, cctx_outside *outside) {
    if (__builtin_expect(!cctx_coroutine_has_switched(stopped), 0)) {
        return cctx_coroutine_has_stopped(stopped, outside);
    }
    cctx_raw *next = cctx_this_raw_thread.target;
    cctx_this_raw_thread.target = NULL;
    return next;
}

// Runs one coroutine, and whoever it and its successors switch to, until control comes back to the
// code outside.
CCTX_INLINE void cctx_coroutine_carry(cctx_raw *first) {
    cctx_raw_thread *thread = &cctx_this_raw_thread;
    cctx_outside outside = {thread->current, thread->carrier};
    cctx_raw *next = first;
    do {
        cctx_coroutine_resume(next);
        next = cctx_coroutine_next(next, &outside);
    } while (next);
    thread->current = outside.current;
    thread->carrier = outside.carrier;
}

// The same from outside all coroutines, where the first has been resumed already and has stopped.
void cctx_coroutine_carry_on(cctx_raw *stopped);

// For a coroutine that was resumed as cctx_coroutine_begin_bare says and holds something now that
// it has stopped.
void cctx_coroutine_stopped_holding(cctx_raw *coroutine);

// What a flow of control has on its thread, beside errno: an access in flight, an exception, a
// task, a task-local.
CCTX_INLINE uintptr_t cctx_coroutine_held_by_thread(void) {
    const cctx_thread *thread = &cctx_this_thread;
    const uintptr_t *globals = thread->exception_globals;
    return *thread->access_head | globals[0] | globals[1] | (uintptr_t)*cctx_this_host_thread.task_slot |
           (uintptr_t)*cctx_this_raw_thread.locals_slot;
}

CCTX_INLINE uintptr_t cctx_coroutine_held(const cctx_raw *raw) {
    const cctx *context = &raw->context;
    return context->exclusivity[0] | context->exclusivity[1] | context->exception_globals[0] |
           context->exception_globals[1] | (uintptr_t)raw->task | (uintptr_t)raw->locals;
}

// True when neither the code outside all coroutines nor a coroutine that is to be resumed from
// there has any of it. Only on a thread that needs no care.
CCTX_INLINE bool cctx_coroutine_is_bare(const cctx_raw *raw) {
    uint8_t state = raw->context.state;
    bool holds_nothing = state == cctx_suspended_bare || (state == cctx_suspended && cctx_coroutine_held(raw) == 0);
    return holds_nothing && cctx_coroutine_held_by_thread() == 0;
}

// Before and after the switch to one of which that holds: only errno travels. The second returns
// whether it still holds; otherwise cctx_coroutine_stopped_holding is to be called.
CCTX_INLINE void cctx_coroutine_begin_bare(cctx_raw *raw) {
    cctx_this_raw_thread.current = raw;
    raw->fiber = cctx_this_raw_thread.carrier = cctx_this_host_thread.running;
    cctx_raw_head_of(raw->owner)->state = cctx_raw_running;
    cctx_begin_running(&cctx_this_thread, &raw->context);
    cctx_exchange_errno(&cctx_this_thread, &raw->context);
}
CCTX_INLINE bool cctx_coroutine_end_bare(cctx_raw *raw) {
    cctx_exchange_errno(&cctx_this_thread, &raw->context);
    cctx_this_thread.current = raw->context.resumer;
    bool is_bare = cctx_coroutine_held_by_thread() == 0 && !raw->context.finished;
    raw->context.state = is_bare ? cctx_suspended_bare : cctx_suspended;
    return is_bare;
}

#pragma clang assume_nonnull end

#endif
