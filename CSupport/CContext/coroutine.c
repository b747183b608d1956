// What is rare about how control moves between coroutines.

#include "cctx_coroutine.h"

static _Atomic(cctx_coroutine_stopped) has_stopped;

void cctx_coroutine_on_stop(cctx_coroutine_stopped function) { has_stopped = function; }

cctx_raw *cctx_coroutine_has_stopped(cctx_raw *coroutine, cctx_outside *outside) {
    return has_stopped(coroutine, outside);
}

void cctx_coroutine_carry_on(cctx_raw *stopped) {
    cctx_raw_thread *thread = &cctx_this_raw_thread;
    cctx_outside outside = {NULL, NULL};
    for (cctx_raw *next; (next = cctx_coroutine_next(stopped, &outside)); stopped = next) cctx_coroutine_resume(next);
    thread->current = outside.current;
    thread->carrier = outside.carrier;
}

void cctx_coroutine_stopped_holding(cctx_raw *coroutine) {
    cctx_thread *thread = &cctx_this_thread;
    cctx *context = &coroutine->context;
    context->state = context->finished ? cctx_ended : cctx_suspended;
    cctx_exchange_exception_globals(thread->exception_globals, context);
    if (*thread->access_head != 0) thread->exit_exclusivity((char *)context->exclusivity);
    cctx_raw_exchange(cctx_this_raw_thread.locals_slot, &coroutine->locals);
    cctx_raw_exchange(cctx_this_host_thread.task_slot, &coroutine->task);
}
