// Millions of resumes and suspensions, plain and with the exclusivity hooks, with many contexts.

#include "check.h"

#ifdef SHADOWED
enum { rounds = 2000 };
#else
enum { rounds = 50000 };
#endif

enum { context_count = 50 };

static void count_for_ever(void *argument) {
    long *counter = argument;
    while (*counter >= 0) {
        ++*counter;
        cctx_suspend();
    }
}

int main(void) {
    cctx_stack_pool *pool = make_pool(default_stack);
    cctx *contexts[context_count];
    long counters[context_count] = {0};
    for (int i = 0; i < context_count; i++) {
        contexts[i] = make_context(pool, count_for_ever, &counters[i]);
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < context_count; i++) {
            if (i % 3 == 0) {
                cctx_resume_plain(contexts[i]);
            } else {
                cctx_resume(contexts[i], i % 3 == 1);
            }
        }
    }
    for (int i = 0; i < context_count; i++) {
        REQUIRE(counters[i] == rounds);
        REQUIRE(!cctx_is_finished(contexts[i]));
        counters[i] = -1;
        cctx_resume_plain(contexts[i]);
        REQUIRE(cctx_is_finished(contexts[i]));
        cctx_destroy(pool, contexts[i]);
    }
    REQUIRE(cctx_current_thread()->current == NULL);
    cctx_stack_pool_destroy(pool);
    return 0;
}
