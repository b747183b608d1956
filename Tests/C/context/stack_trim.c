// Above the high-water mark the pages of returned stacks go back to the kernel, and the guards of
// those stacks stay.

#include "check.h"

#include <signal.h>

enum { count = 3000 };

static cctx_stack_pool *pool;
static cctx *contexts[count];

static void touch_much(void *argument) {
    (void)argument;
    volatile char frame[40 * 1024];
    for (size_t i = 0; i < sizeof frame; i += 1024) frame[i] = 1;
    __asm__ volatile("" : : "r"(frame) : "memory"); // so that all of it is there
    cctx_suspend();
}

static void create_all(void) {
    for (int i = 0; i < count; i++) contexts[i] = make_context(pool, touch_much, NULL);
}

static void touch_guard(void) {
    signal(SIGSEGV, SIG_DFL);
    *((volatile char *)contexts[count - 1]->stack_limit - 1) = 1;
}

int main(void) {
    pool = make_pool(64 * 1024);
    long base = status_kib("VmRSS:");
    create_all();
    for (int i = 0; i < count; i++) cctx_resume_plain(contexts[i]);
    REQUIRE(cctx_stack_touched(contexts[0]) >= 40 * 1024);
    for (int i = 0; i < count; i++) cctx_resume_plain(contexts[i]);
    long full = status_kib("VmRSS:") - base;
    for (int i = 0; i < count; i++) cctx_destroy(pool, contexts[i]);
    long left = status_kib("VmRSS:") - base;
    cctx_stack_pool_statistics statistics;
    cctx_stack_pool_get_statistics(pool, &statistics);
    printf("resident: %ld KiB, %ld KiB after %d trims\n", full, left, (int)statistics.trimmed);
    REQUIRE(statistics.trimmed == count - 1024);
#ifndef SHADOWED // their shadow memory grows at the same time
    REQUIRE(full - left > (count - 1024) * 36L);
#endif

    // All stacks again: the warm ones first, then the trimmed ones, no new ones.
    create_all();
    cctx_stack_pool_get_statistics(pool, &statistics);
    REQUIRE(statistics.mapped == (count + 63) / 64 * 64);
    cctx *warm = contexts[0], *trimmed = contexts[count - 1];
    REQUIRE(cctx_stack_touched(warm) >= 40 * 1024);
    REQUIRE(cctx_stack_touched(trimmed) == (size_t)sysconf(_SC_PAGESIZE));
    REQUIRE(died_of(run_in_child(touch_guard), SIGSEGV));
    for (int i = 0; i < count; i++) cctx_destroy(pool, contexts[i]);
    cctx_stack_pool_destroy(pool);
    return 0;
}
