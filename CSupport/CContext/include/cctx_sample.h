// One look at a worker's thread from another one: where its code stands, and in which fiber.

#ifndef CCTX_SAMPLE_H
#define CCTX_SAMPLE_H

#include "cctx_debug.h"

#pragma clang assume_nonnull begin

enum { cctx_sample_words = 8192 };

typedef struct cctx_sample {
    // The fiber whose stack runs there, as its object has them: all zero when none does.
    uint64_t fiber;
    uint64_t parent;
    uintptr_t site;
    // Its name, cut off; empty when it has none.
    char name[128];
    // Where the thread stands. The frame pointer is 0 when it is not known.
    uintptr_t pc;
    uintptr_t sp;
    uintptr_t fp;
    // A copy of its stack, from `sp` upwards.
    size_t count;
    uintptr_t words[cctx_sample_words];
} cctx_sample;

// Lets SIGURG through to the calling thread, which is to be sampled: threads of libdispatch block it, and what is started
// from one of them inherits that.
void cctx_sample_admit(void);

// Takes a sample of a worker whose thread exists. A thread that waits in a system call is not disturbed; one that
// computes is sent SIGURG, whose handler copies registers and stack, and nothing else. Any other thread, one at a time.
// Returns 0 or a negative errno: -EAGAIN when the thread moves on all the time, -ETIMEDOUT when it does not handle the
// signal; `fiber` and what follows it up to the name are valid in any case.
int cctx_sample_take(const cctx_worker *worker, cctx_sample *sample);

// Stack pointer and program counter in the line of /proc/self/task/N/syscall. False when the thread runs, or the line says
// something else. Any thread.
bool cctx_sample_parse(const char *text, size_t size, uintptr_t *sp, uintptr_t *pc);

// The addresses of the calls in progress, innermost first: the place itself, then return addresses. Frames are found
// by their frame pointers, and above them those of functions without any, such as those of libc, by the call
// instructions before the addresses on the stack. Returns their number, at most `capacity`. Any thread; slow.
size_t cctx_sample_addresses(const cctx_sample *sample, uintptr_t *addresses, size_t capacity);

#pragma clang assume_nonnull end

#endif
