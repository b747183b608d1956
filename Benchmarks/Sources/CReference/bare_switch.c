// A coroutine that does nothing but switch back.

#include "reference.h"

#include <stddef.h>
#include <string.h>

void reference_switch(void **save, void *to);

// The words that the first switch pops, and where among them it finds the address to go on at. One
// word more than it pops on x86-64: a function is entered with its return address on the stack.
#if defined(__x86_64__)
enum { frame_words = 8, return_word = 6 };
#elif defined(__aarch64__)
enum { frame_words = 20, return_word = 1 };
#else
#error "no bare switch for this architecture"
#endif

static void *base_sp;
static void *coroutine_sp;
static _Alignas(64) char stack[64 * 1024];

static void coroutine(void) {
    for (;;) reference_switch(&coroutine_sp, base_sp);
}

uint64_t reference_bare_switch(uint64_t count) {
    uintptr_t *frame = (uintptr_t *)(void *)(stack + sizeof stack) - frame_words;
    memset(frame, 0, frame_words * sizeof *frame);
    frame[return_word] = (uintptr_t)coroutine;
    coroutine_sp = frame;

    uint64_t start = reference_cpu();
    for (uint64_t i = 0; i < count; i++) reference_switch(&base_sp, coroutine_sp);
    return reference_cpu() - start;
}
