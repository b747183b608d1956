// ringlet_coroutine_switch, where nothing is rare; what is, Swift does. The switch of the stacks is
// part of the function, in both directions, so that its return is predicted (cctx_switch.h,
// coroutine_switch_x86_64.S).

#include "ringletc.h"

#include "cctx_coroutine.h"

#include <stdatomic.h>

#if defined(__x86_64__)
#define SWITCH __attribute__((visibility("hidden"))) int32_t ringletc_coroutine_switch
SWITCH(ringlet_coroutine *coroutine, void *value, void **result);
#else
#define SWITCH int32_t ringlet_coroutine_switch
#endif

// How Swift's `UnsafeMutableRawPointer??` lies in memory: what a coroutine of pointers sends.
typedef struct letter {
    void *value;
    bool is_taken;
} letter;

// The Swift type of what travels, by which coroutines of pointers are known. Set before C has the
// first of them.
static _Atomic(const void *) pointers;

void ringletc_coroutines_begin(const void *family) { pointers = family; }

// The context of a coroutine that can be switched to here and now; NULL if that is not known.
CCTX_INLINE cctx_raw *ready(const ringlet_coroutine *coroutine) {
    const void *core = *(void **)(void *)cctx_raw_head_of(coroutine);
    const cctx_raw_head *head = cctx_raw_head_of(core);
    return head->state == cctx_raw_suspended && head->thread == cctx_this_raw_thread.state ? head->record : NULL;
}

// True in a coroutine of pointers that may be suspended here and now: cctx_raw_may_stop, on a thread
// that needs no care and so has the words.
CCTX_INLINE bool may_leave(const cctx_raw *coroutine) {
    const cctx_raw_head *head = cctx_raw_head_of(coroutine->owner);
    return head->family == atomic_load_explicit(&pointers, memory_order_relaxed) && !head->is_closing &&
           cctx_this_thread.current == &coroutine->context && !*cctx_this_host_thread.task_slot &&
           coroutine->context.state == cctx_running && !cctx_raw_is_bound(coroutine);
}

// Takes a value out of its sender's frame.
CCTX_INLINE int32_t take(void **result) {
    if (__builtin_expect(cctx_this_raw_thread.attention != 0, 0)) return ringletc_switch_take(result);
    letter *incoming = cctx_this_raw_thread.mail;
    incoming->is_taken = true;
    if (result) *result = incoming->value;
    return 0;
}

// The rest of the function below, after its switch of the stacks: functions of their own with the
// same parameters, which are jumped to. So nothing has to be kept in registers over the switch,
// which would be saved twice then.

__attribute__((noinline)) static int32_t
come_back_inside(ringlet_coroutine *coroutine, void *value, void **result) {
    (void)coroutine, (void)value;
    return take(result);
}

__attribute__((noinline, cold)) static int32_t
carry_on(ringlet_coroutine *coroutine, void *value, void **result) {
    (void)coroutine, (void)value;
    cctx_raw *stopped = cctx_this_raw_thread.current;
    if (stopped->context.state != cctx_suspended_bare) cctx_coroutine_stopped_holding(stopped);
    cctx_coroutine_carry_on(stopped);
    return take(result);
}

__attribute__((noinline)) static int32_t
come_back_outside(ringlet_coroutine *coroutine, void *value, void **result) {
    cctx_raw_thread *thread = &cctx_this_raw_thread;
    cctx_raw *stopped = thread->current;
    bool is_bare = cctx_coroutine_end_bare(stopped);
    if (__builtin_expect(!is_bare || thread->target || !cctx_coroutine_has_switched(stopped), 0)) {
        __attribute__((musttail)) return carry_on(coroutine, value, result);
    }
    thread->current = NULL;
    return take(result);
}

SWITCH(ringlet_coroutine *coroutine, void *value, void **result) {
    cctx_raw_thread *thread = &cctx_this_raw_thread;
    cctx_raw *origin = thread->current, *target = NULL;
    letter outgoing = {value, false};
    if (cctx_raw_needs_care(thread)) goto carefully;
    if (coroutine && !(target = ready(coroutine))) goto carefully;
    if (origin) {
        if (!may_leave(origin)) goto carefully;
        cctx_coroutine_send(target, &outgoing);
        cctx_raw_head_of(origin->owner)->state = cctx_raw_suspended;
        cctx_switch(&origin->context.sp, origin->context.sp);
        __attribute__((musttail)) return come_back_inside(coroutine, value, result);
    }
    if (!target || !cctx_coroutine_is_bare(target)) goto carefully;
    thread->mail = &outgoing;
    cctx_coroutine_begin_bare(target);
    cctx_switch(&target->context.sp, target->context.sp);
    __attribute__((musttail)) return come_back_outside(coroutine, value, result);
carefully:;
    __attribute__((musttail)) return ringletc_switch_slowly(coroutine, value, result);
}
