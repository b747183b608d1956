// Stacks, the context switch, and what must travel with it.
//
// A context is a stack with a record at its top. `cctx_resume` runs it until it calls
// `cctx_suspend` or its entry function returns; then `cctx_resume` returns. A context belongs to
// the thread that created it: it never moves, because the compiler and the Swift runtime may keep
// addresses of thread-local storage across a call (llvm.org issue 19551 and its relatives).
//
// Everything here is for the thread that owns the context, unless a comment says otherwise.

#ifndef CCONTEXT_H
#define CCONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cctx_switch.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnullability-extension"
#pragma clang assume_nonnull begin
#endif

typedef void (*cctx_entry)(void *_Nullable argument);

// What a context does, and how. A resume that finds another state than `suspended`, and a
// suspension that finds another than `running`, go out of line, where misuse traps. A library that
// is built with AddressSanitizer or ThreadSanitizer gives its contexts the announced states, so that
// all their switches go there and can be announced. (The state decides and not the preprocessor,
// because Swift imports this header without the macros of its sanitizers.) The same trick spares a clean base the
// look at what a context holds: one that holds nothing is bare.
enum {
    // Suspended with no access in flight and outside any catch block, as a new context is.
    cctx_suspended_bare = 0,
    cctx_running = 1,
    cctx_ended = 2,
    cctx_suspended_announced = 3,
    cctx_running_announced = 4,
    cctx_suspended = 6,
    // Of a fiber, in the child of a fork that it called: it can go on, but neither suspend nor end.
    cctx_forked = 5,
};

// What a context is to its user, who is told so when its stack overflows.
enum cctx_kind {
    cctx_kind_fiber = 0,
    cctx_kind_coroutine = 1,
    cctx_kind_generator = 2,
    // A coroutine of the C library.
    cctx_kind_task = 3,
};

// The record of one context. It lies at the top of its own stack, aligned to a cache line, so that
// waking a context touches the memory that its frames are about to touch anyway. What a switch
// reads and writes is in the first 64 bytes.
typedef struct cctx {
    // Stack pointer of the side that does not run: the context's own while it is suspended, its
    // resumer's while it runs. Written by the switch only.
    void *_Nullable sp;
    // The context that was current on this thread when this one was resumed; NULL at the base.
    struct cctx *_Nullable resumer;
    // For the owner's intrusive queues (offset 16, the same place as a Swift job's link word).
    void *_Nullable link;
    // The next three travel by exchange: the context's own while it is suspended, its resumer's
    // while it runs.
    //
    // Swift's dynamic exclusivity, the accesses in flight on the stack
    // (swift_task_enterThreadLocalContext, exitThreadLocalContext). Zero when there are none.
    uintptr_t exclusivity[2];
    // The C++ runtime's per-thread exception globals.
    uintptr_t exception_globals[2];
    int32_t saved_errno;
    uint8_t state;
    bool finished;
    // What an overflow report calls this context: a cctx_kind.
    uint8_t kind;
    cctx_entry entry;
    void *_Nullable argument;
    // Lowest usable address and usable size of the stack, in bytes. The guard region lies below.
    void *stack_limit;
    size_t stack_size;
    // Its name in an overflow report; owned by the caller, may be NULL.
    const char *_Nullable name;
    // For a sanitizer; unused otherwise, but present so that the layout does not depend on it.
    void *_Nullable sanitizer_fiber;
    void *_Nullable sanitizer_resumer;
    void *_Nullable sanitizer_fake_stack;
    void *_Nullable sanitizer_resumer_fake_stack;
    const void *_Nullable sanitizer_resumer_bottom;
    size_t sanitizer_resumer_size;
    uintptr_t valgrind_stack;
} cctx;

// ---------------------------------------------------------------------------------------------
// Stacks

typedef struct cctx_stack_pool cctx_stack_pool;

typedef struct cctx_stack_pool_statistics {
    uint64_t mapped;       // stacks that exist
    uint64_t in_use;       // stacks that a context occupies
    uint64_t peak_in_use;
    uint64_t trimmed;      // stacks whose pages were returned to the kernel
    bool guards_are_light; // MADV_GUARD_INSTALL (6.13); false: mprotect, which splits mappings
} cctx_stack_pool_statistics;

// Makes a pool of stacks of one size. `stack_size` is rounded up to whole pages and must be at
// least 16 KiB. Allocates nothing but the pool itself. Returns 0 or a negative errno. The
// environment variable RINGLET_STACK_GUARDS=mprotect asks for the guards of older kernels.
int cctx_stack_pool_create(size_t stack_size, cctx_stack_pool *_Nullable *_Nonnull pool);

// Unmaps all stacks. No context may still occupy one.
void cctx_stack_pool_destroy(cctx_stack_pool *_Nullable pool);

void cctx_stack_pool_get_statistics(const cctx_stack_pool *pool, cctx_stack_pool_statistics *out);

// Takes a stack and puts a record of `record_size` bytes (at least sizeof(cctx), the cctx first,
// zeroed) at its top. The context is not started. Returns 0 or a negative errno: -ENOMEM when the
// kernel has no more memory or, with mprotect guards, no more mappings (vm.max_map_count).
int cctx_create(cctx_stack_pool *pool, size_t record_size, cctx_entry entry,
                void *_Nullable argument, cctx *_Nullable *_Nonnull context);

// Gives the stack of a finished, or never started, context back to the pool. Last freed, first
// reused; above the pool's high-water mark its pages go back to the kernel. Traps when the context
// is suspended or running: what its frames own would be lost.
void cctx_destroy(cctx_stack_pool *pool, cctx *context);

// Bytes of the stack that were touched since its pages were last returned (mincore). For
// diagnostics: linear in the number of pages.
size_t cctx_stack_touched(const cctx *context);

// ---------------------------------------------------------------------------------------------
// Threads

typedef struct cctx_thread {
    // The context that runs on this thread; NULL at the base.
    cctx *_Nullable current;
    // For the scheduler: its per-thread object.
    void *_Nullable worker;
    // What follows is set by cctx_thread_prepare and NULL before.
    //
    // This thread's errno, and its C++ exception globals (without a C++ runtime: words that stay
    // zero, so that the switch need not ask).
    int *_Nullable errno_address;
    uintptr_t *_Nullable exception_globals;
    // The Swift runtime's functions, or functions that do nothing where it is not linked.
    void (*_Nullable enter_exclusivity)(char *state);
    void (*_Nullable exit_exclusivity)(char *state);
    // The head of the thread's list of accesses in flight, once `cctx_host_find_access_head` has found
    // it: zero means that there is nothing to exit from. Until then a word that is never zero.
    const uintptr_t *_Nullable access_head;
    // The thread's alternate signal stack, if this library installed it.
    void *_Nullable signal_stack;
    // For the scheduler: its per-thread object, between two of its turns on a thread that is somebody else's.
    void *_Nullable guest;
} cctx_thread;

// initial-exec: one load relative to the thread pointer; the struct is small enough for the static
// TLS surplus of a library that is loaded with dlopen. (`__thread`: C++ would wrap a thread_local
// of another file in an initialisation call.)
extern __thread cctx_thread cctx_this_thread __attribute__((tls_model("initial-exec")));

static inline cctx_thread *cctx_current_thread(void) { return &cctx_this_thread; }

// Prepares this thread for resuming contexts: caches the addresses above, installs an alternate
// signal stack if the thread has none. Idempotent. Returns 0 or a negative errno.
int cctx_thread_prepare(void);

// Undoes what cctx_thread_prepare did. No context may be running on the thread.
void cctx_thread_release(void);

// Installs, once per process, the SIGSEGV/SIGBUS handler that reports a stack overflow by name and
// then chains to the handler that was there (SA_ONSTACK | SA_NODEFER: without NODEFER the Swift
// backtracer hangs). Any thread. Returns 0 or a negative errno.
int cctx_install_overflow_report(void);

// ---------------------------------------------------------------------------------------------
// The switch

// Rare paths of the functions below. The first returns whether the resume is still to be done.
void cctx_exchange_exception_globals(uintptr_t *globals, cctx *context);
bool cctx_resume_out_of_line(cctx *context);
void cctx_resume_from_clean_base(cctx *context);
void cctx_stopped_holding(cctx *context);
void cctx_suspend_out_of_line(cctx *_Nullable context);

CCTX_INLINE void cctx_exchange_errno(cctx_thread *thread, cctx *context) {
    int error = *thread->errno_address;
    *thread->errno_address = context->saved_errno;
    context->saved_errno = error;
}

// Exchanges what belongs to a flow of control but is kept per thread. The resumer calls it before
// and after the switch, so that a suspending context has nothing to do. The exception globals are
// all zero unless somebody is inside a catch block, or in a destructor that an exception runs.
CCTX_INLINE void cctx_exchange_thread_state(cctx_thread *thread, cctx *context) {
    cctx_exchange_errno(thread, context);
    uintptr_t *globals = thread->exception_globals;
    uintptr_t *own = context->exception_globals;
    if (__builtin_expect((globals[0] | globals[1] | own[0] | own[1]) != 0, 0)) {
        cctx_exchange_exception_globals(globals, context);
    }
}

// Around the switch into a context: it becomes the thread's current one, and stops being it.
CCTX_INLINE void cctx_begin_running(cctx_thread *thread, cctx *context) {
    context->state = cctx_running;
    context->resumer = thread->current;
    thread->current = context;
}
CCTX_INLINE void cctx_end_running(cctx_thread *thread, cctx *context) {
    thread->current = context->resumer;
    context->state = context->finished ? cctx_ended : cctx_suspended;
}

// Runs `context` until it suspends or ends. C frames only: Swift's exclusivity set is not touched.
// Traps when the context has finished or is running.
CCTX_INLINE void cctx_resume_plain(cctx *context) {
    if (__builtin_expect(context->state != cctx_suspended, 0) && !cctx_resume_out_of_line(context)) {
        return;
    }
    cctx_thread *thread = &cctx_this_thread;
    cctx_begin_running(thread, context);
    cctx_exchange_thread_state(thread, context);
    cctx_switch(&context->sp, context->sp);
    cctx_exchange_thread_state(thread, context);
    cctx_end_running(thread, context);
}

// The same for contexts that run Swift code: the accesses in flight on that stack are entered and
// left around the switch. `base_is_clean` promises that the resumer itself has no access in flight
// (a scheduler's loop), is in no catch block and does not care for errno: that saves most of it. If the context
// holds nothing either, which its state tells, only errno has to be put in place.
CCTX_INLINE void cctx_resume(cctx *context, bool base_is_clean) {
    cctx_thread *thread = &cctx_this_thread;
    if (!base_is_clean) {
        char *state = (char *)context->exclusivity;
        bool held = (context->exclusivity[0] | context->exclusivity[1] | *thread->access_head) != 0;
        if (__builtin_expect(held, 0)) thread->enter_exclusivity(state);
        cctx_resume_plain(context);
        if (__builtin_expect(held || *thread->access_head != 0, 0)) thread->exit_exclusivity(state);
        return;
    }
    if (__builtin_expect(context->state != cctx_suspended_bare, 0)) {
        cctx_resume_from_clean_base(context);
        return;
    }
    cctx_begin_running(thread, context);
    *thread->errno_address = context->saved_errno;
    cctx_switch(&context->sp, context->sp);
    context->saved_errno = *thread->errno_address;
    uintptr_t *globals = thread->exception_globals;
    thread->current = context->resumer;
    if (__builtin_expect((globals[0] | globals[1] | *thread->access_head) != 0 || context->finished, 0)) {
        cctx_stopped_holding(context);
    } else {
        context->state = cctx_suspended_bare;
    }
}

// Suspends the current context; returns when it is resumed. Traps when no context is running.
CCTX_INLINE void cctx_suspend(void) {
    cctx *context = cctx_this_thread.current;
    if (__builtin_expect(!context || context->state != cctx_running, 0)) {
        cctx_suspend_out_of_line(context);
        return;
    }
    cctx_switch(&context->sp, context->sp);
}

static inline bool cctx_is_finished(const cctx *context) { return context->finished; }

#ifdef __clang__
#pragma clang assume_nonnull end
#pragma clang diagnostic pop
#endif

#ifdef __cplusplus
}
#endif

#endif
