/*
 * Shows ThreadSanitizer the order of a continuation that is resumed before it is awaited.
 *
 * A task that waits is enqueued when its continuation is resumed, and there the runtime tells the sanitizer of the
 * order. If the continuation has been resumed already, swift_continuation_await of Swift 6.3 goes on at once and tells
 * nothing: what the resumer wrote, and the continuation itself, look like races with all that the task does next. This
 * library is preloaded, stands in for the functions of UnsafeContinuation, and tells.
 */

#define _GNU_SOURCE

#include <stdint.h>

#include "real.h"

#define SWIFT __attribute__((swiftcall))
#define ASYNC __attribute__((swiftasynccall))

/* In the runtime of the sanitizer, and so in the program that is looked at. */
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

extern SWIFT void *swift_task_getCurrent(void) __attribute__((weak));

/* The beginning of ContinuationAsyncContext. */
struct context {
    void *parent;
    ASYNC void (*go_on)(__attribute__((swift_async_context)) struct context *context);
    /* Three bits. What `go_on` was is kept above them. */
    uintptr_t flags;
};
enum { flag_bits = 16 };

ASYNC static void go_on_at_once(__attribute__((swift_async_context)) struct context *context)
{
    if (__tsan_acquire) __tsan_acquire(swift_task_getCurrent());
    context->go_on = (void *)(context->flags >> flag_bits);
    return context->go_on(context);
}

/* swift_continuation_init has told the task where to go on when it is enqueued. What the context says is read where
 * it is not: here, when the continuation turns out to have been resumed. */
ASYNC void swift_continuation_await(struct context *context)
{
    static ASYNC void (*next)(struct context *);
    if (!next) next = real("swift_continuation_await");
    context->flags |= (uintptr_t)context->go_on << flag_bits;
    context->go_on = go_on_at_once;
    return next(context);
}

SWIFT void swift_continuation_resume(void *task)
{
    static SWIFT void (*next)(void *);
    if (!next) next = real("swift_continuation_resume");
    if (__tsan_release) __tsan_release(task);
    next(task);
}

SWIFT void swift_continuation_throwingResume(void *task)
{
    static SWIFT void (*next)(void *);
    if (!next) next = real("swift_continuation_throwingResume");
    if (__tsan_release) __tsan_release(task);
    next(task);
}

SWIFT void swift_continuation_throwingResumeWithError(void *task, void *error)
{
    static SWIFT void (*next)(void *, void *);
    if (!next) next = real("swift_continuation_throwingResumeWithError");
    if (__tsan_release) __tsan_release(task);
    next(task, error);
}
