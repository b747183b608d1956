// The life of a context: record and first frame, entry, end, and the traps of wrong calls.

#define _GNU_SOURCE

#include "internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

_Static_assert(offsetof(cctx, link) == 16, "where a Swift job keeps its link word");
_Static_assert(offsetof(cctx, entry) == 64, "what a switch touches fits one cache line");
_Static_assert(sizeof(cctx) % 16 == 0, "records that begin with a cctx need no padding after it");

// The frame that a switch to a new context pops, as if it had been suspended at the trampoline: its
// size, and the places of the register that the trampoline takes the context from and of the
// address to go on at.
#if defined(__x86_64__)
enum { first_frame_words = 7 + 128 / 8, context_word = 3, return_word = 6 };
#elif defined(__aarch64__)
enum { first_frame_words = 12, context_word = 2, return_word = 1 };
#endif

extern HIDDEN char cctx_trampoline[];

static uintptr_t *first_frame(cctx *context) { return (uintptr_t *)context - first_frame_words; }

int cctx_create(cctx_stack_pool *pool, size_t record_size, cctx_entry entry, void *argument,
                cctx **context) {
    size_t size = cctx_stack_size(pool);
    if (record_size < sizeof(cctx) || record_size > size / 4) return -EINVAL;
    char *limit;
    int error = cctx_stack_take(pool, &limit);
    if (error) return error;

    // Aligned to a cache line, which is more than both ABIs ask of the stack pointer above the
    // first frame, where the trampoline starts.
    size_t offset = size - cctx_stack_colour(pool, limit) - record_size;
    cctx *record = (cctx *)(void *)(limit + (offset & ~(size_t)63));
    memset(record, 0, record_size);
    record->entry = entry;
    record->argument = argument;
    record->stack_limit = limit;
    record->stack_size = size;

    uintptr_t *frame = first_frame(record);
    memset(frame, 0, first_frame_words * sizeof *frame);
    frame[context_word] = (uintptr_t)record;
    frame[return_word] = (uintptr_t)cctx_trampoline;
    record->sp = frame;

    cctx_announce_create(record);
    *context = record;
    return 0;
}

// async-signal-safe, because nothing is known about the state of the program.
__attribute__((noreturn, cold)) static void trap(const char *message) {
    ssize_t ignored = write(STDERR_FILENO, message, strlen(message));
    (void)ignored;
    __builtin_trap();
}

void cctx_destroy(cctx_stack_pool *pool, cctx *context) {
    // A context that was never started still points to its first frame.
    if (!context->finished && context->sp != first_frame(context)) {
        trap("ringlet: cctx_destroy was called for a context that has not finished; "
             "resume it until it ends\n");
    }
    cctx_announce_destroy(context);
    cctx_stack_give(pool, context->stack_limit);
}

void cctx_begin(cctx *context) {
    cctx_announce_begin(context);
    context->entry(context->argument);
    if (context->state == cctx_forked) cctx_trap_forked();
    context->finished = true;
    cctx_leave(context);
    __builtin_unreachable();
}

// Where a context is left that was resumed from a clean base.
static void settle(cctx *context) {
    uintptr_t *own = context->exclusivity, *globals = context->exception_globals;
    bool holds = (own[0] | own[1] | globals[0] | globals[1]) != 0;
    if (!holds && context->state == cctx_suspended) context->state = cctx_suspended_bare;
}

void cctx_resume_from_clean_base(cctx *context) {
    cctx_thread *thread = &cctx_this_thread;
    uintptr_t *own = context->exclusivity;
    bool held = (own[0] | own[1]) != 0;
    if (held) thread->enter_exclusivity((char *)own);
    cctx_resume_plain(context);
    if (held || *thread->access_head != 0) thread->exit_exclusivity((char *)own);
    settle(context);
}

void cctx_stopped_holding(cctx *context) {
    cctx_thread *thread = &cctx_this_thread;
    uintptr_t *globals = thread->exception_globals;
    if ((globals[0] | globals[1]) != 0) cctx_exchange_exception_globals(globals, context);
    if (*thread->access_head != 0) thread->exit_exclusivity((char *)context->exclusivity);
    context->state = context->finished ? cctx_ended : cctx_suspended;
    settle(context);
}

void cctx_trap_not_resumable(const cctx *context) {
    if (context->finished) trap("ringlet: a context was resumed that has finished\n");
    trap("ringlet: a context was resumed that is running already\n");
}

void cctx_trap_forked(void) {
    trap("ringlet: a fiber waits or ends in the child of a fork that it called; its scheduler is the "
         "parent's: exec a program or call _exit instead\n");
}

void cctx_trap_no_context(void) {
    trap("ringlet: cctx_suspend was called outside any context\n");
}
