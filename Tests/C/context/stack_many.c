// A hundred thousand suspended contexts with guards: few mappings where guards are light, and one
// page of memory each.

#include "check.h"

enum { count = 100000 };

static cctx *contexts[count];

static void sleep_shallow(void *argument) {
    volatile char frame[2048];
    frame[0] = 1;
    frame[sizeof frame - 1] = 2;
    __asm__ volatile("" : : "r"(frame) : "memory"); // so that all of it is there
    cctx_suspend();
    *(long *)argument += frame[0] + frame[sizeof frame - 1];
}

int main(void) {
#ifdef SHADOWED
    SKIP("a sanitizer cannot follow this many stacks");
#endif
    cctx_stack_pool *pool = make_pool(default_stack);
    cctx_stack_pool_statistics statistics;
    cctx_stack_pool_get_statistics(pool, &statistics);
    if (!statistics.guards_are_light) SKIP("this kernel has no light guards (Linux 6.13)");

    long mappings = count_mappings();
    long resident = status_kib("VmRSS:");
    long sum = 0;
    for (int i = 0; i < count; i++) {
        REQUIRE(cctx_create(pool, 320, sleep_shallow, &sum, &contexts[i]) == 0);
        cctx_resume_plain(contexts[i]);
    }
    long page = sysconf(_SC_PAGESIZE);
    for (int i = 0; i < count; i++) REQUIRE(cctx_stack_touched(contexts[i]) == (size_t)page);
    mappings = count_mappings() - mappings;
    resident = status_kib("VmRSS:") - resident;
    printf("%d stacks: %ld more mappings, %ld KiB resident\n", count, mappings, resident);
    REQUIRE(mappings < 2000);
    REQUIRE(resident < count * (page / 1024) * 5 / 4);

    for (int i = 0; i < count; i++) {
        cctx_resume_plain(contexts[i]);
        REQUIRE(cctx_is_finished(contexts[i]));
    }
    REQUIRE(sum == 3L * count);
    for (int i = 0; i < count; i++) cctx_destroy(pool, contexts[i]);
    cctx_stack_pool_destroy(pool);
    return 0;
}
