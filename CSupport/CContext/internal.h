// What the C files of this target share with each other and with nobody else.

#ifndef CCTX_INTERNAL_H
#define CCTX_INTERNAL_H

#include "ccontext.h"

#define HIDDEN __attribute__((visibility("hidden")))

// The guard below every stack: larger than most frames, so that a function with a few KiB of locals
// does not step over it.
enum { cctx_guard_bytes = 16 * 1024 };

// The size of the guard on this system: whole pages.
HIDDEN size_t cctx_guard_size(void);

// Takes a stack from the pool: its lowest usable address. Returns 0 or a negative errno.
HIDDEN int cctx_stack_take(cctx_stack_pool *pool, char **limit);

// Puts a stack back that nothing will read any more.
HIDDEN void cctx_stack_give(cctx_stack_pool *pool, char *limit);

// The usable size of the pool's stacks.
HIDDEN size_t cctx_stack_size(const cctx_stack_pool *pool);

// How far below the top of a stack its record ends, in bytes.
HIDDEN size_t cctx_stack_colour(const cctx_stack_pool *pool, const char *limit);

// Runs the entry function of `context`; called by the trampoline on the new stack. Never returns.
HIDDEN void cctx_begin(cctx *context);

// The rules that a resume or a suspension broke, on stderr; then a trap.
HIDDEN __attribute__((noreturn)) void cctx_trap_not_resumable(const cctx *context);
HIDDEN __attribute__((noreturn)) void cctx_trap_no_context(void);
HIDDEN __attribute__((noreturn)) void cctx_trap_forked(void);

// Tell the sanitizers and valgrind that the stack of `context` starts or stops being one.
HIDDEN void cctx_announce_create(cctx *context);
HIDDEN void cctx_announce_destroy(cctx *context);

// Tells them that this code now runs on the stack of `context`, for the first time.
HIDDEN void cctx_announce_begin(cctx *context);

// Leaves a finished context for good.
HIDDEN void cctx_leave(cctx *context);

#endif
