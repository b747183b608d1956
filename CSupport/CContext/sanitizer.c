// What AddressSanitizer, ThreadSanitizer and valgrind must be told about stacks and switches. In
// builds without the first two no switch comes here, but for misuse.
//
// The functions here that switch are not instrumented: in the middle of them the stack under the
// instrumentation's feet changes.

#define _GNU_SOURCE

#include "internal.h"

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD 1
#endif
#endif

#ifdef ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

#ifdef THREAD
#include <sanitizer/tsan_interface.h>
#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define VALGRIND 1
#endif
#endif

#define BARE __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

// A context is destroyed by whoever resumed it, so never on its own stack: TSan requires that.
void cctx_announce_create(cctx *context) {
    (void)context;
#if defined(ADDRESS) || defined(THREAD)
    context->state = cctx_suspended_announced;
#endif
#ifdef ADDRESS
    // What lives on the stack must not count as leaked. The record is part of it.
    __lsan_register_root_region(context->stack_limit, context->stack_size);
#endif
#ifdef THREAD
    context->sanitizer_fiber = __tsan_create_fiber(0);
#endif
#ifdef VALGRIND
    char *limit = context->stack_limit;
    context->valgrind_stack = VALGRIND_STACK_REGISTER(limit, limit + context->stack_size);
#endif
}

void cctx_announce_destroy(cctx *context) {
    (void)context;
#ifdef VALGRIND
    VALGRIND_STACK_DEREGISTER(context->valgrind_stack);
#endif
#ifdef THREAD
    __tsan_destroy_fiber(context->sanitizer_fiber);
#endif
#ifdef ADDRESS
    __lsan_unregister_root_region(context->stack_limit, context->stack_size);
    // The last frames never returned, and what they poisoned would meet the next user.
    __asan_unpoison_memory_region(context->stack_limit, context->stack_size);
#endif
}

#if !defined(ADDRESS) && !defined(THREAD)

void cctx_announce_begin(cctx *context) { (void)context; }

void cctx_leave(cctx *context) { cctx_switch(&context->sp, context->sp); }

bool cctx_resume_out_of_line(cctx *context) {
    if (context->state != cctx_suspended_bare) cctx_trap_not_resumable(context);
    // From now on its resumer looks at what it holds.
    context->state = cctx_suspended;
    return true;
}

void cctx_suspend_out_of_line(cctx *context) {
    (void)context; // There is none: a current context is running.
    cctx_trap_no_context();
}

#else

// Saying that there is no fake stack to come back to makes ASan free the fake frames of a stack
// that will not run again.
// It has the prefix by which backtraces tell the library's own calls.
BARE static void cctx_switch_to_resumer(cctx *context, bool for_good) {
    (void)for_good;
#ifdef THREAD
    __tsan_switch_to_fiber(context->sanitizer_resumer, 0);
#endif
#ifdef ADDRESS
    __sanitizer_start_switch_fiber(for_good ? NULL : &context->sanitizer_fake_stack,
                                   context->sanitizer_resumer_bottom,
                                   context->sanitizer_resumer_size);
#endif
    cctx_switch(&context->sp, context->sp);
#ifdef ADDRESS
    __sanitizer_finish_switch_fiber(context->sanitizer_fake_stack,
                                    &context->sanitizer_resumer_bottom,
                                    &context->sanitizer_resumer_size);
#endif
}

BARE void cctx_announce_begin(cctx *context) {
    (void)context;
#ifdef ADDRESS
    __sanitizer_finish_switch_fiber(NULL, &context->sanitizer_resumer_bottom,
                                    &context->sanitizer_resumer_size);
#endif
}

BARE void cctx_leave(cctx *context) { cctx_switch_to_resumer(context, true); }

BARE void cctx_suspend_out_of_line(cctx *context) {
    if (!context) cctx_trap_no_context();
    if (context->state == cctx_forked) cctx_trap_forked();
    cctx_switch_to_resumer(context, false);
}

BARE bool cctx_resume_out_of_line(cctx *context) {
    if (context->state != cctx_suspended_announced) cctx_trap_not_resumable(context);
    cctx_thread *thread = &cctx_this_thread;
    context->state = cctx_running_announced;
    context->resumer = thread->current;
    thread->current = context;
    cctx_exchange_thread_state(thread, context);
#ifdef THREAD
    context->sanitizer_resumer = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(context->sanitizer_fiber, 0);
#endif
#ifdef ADDRESS
    __sanitizer_start_switch_fiber(&context->sanitizer_resumer_fake_stack, context->stack_limit,
                                   context->stack_size);
#endif
    cctx_switch(&context->sp, context->sp);
#ifdef ADDRESS
    __sanitizer_finish_switch_fiber(context->sanitizer_resumer_fake_stack, NULL, NULL);
#endif
    cctx_exchange_thread_state(thread, context);
    thread->current = context->resumer;
    context->state = context->finished ? cctx_ended : cctx_suspended_announced;
    return false;
}

#endif
