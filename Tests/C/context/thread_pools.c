// Every thread with its own pool and contexts, at once: nothing is shared. (Of interest to TSan.)

#include "check.h"

#include <errno.h>
#include <pthread.h>

enum { thread_count = 4, context_count = 20, laps = 200 };

static void count(void *argument) {
    long *counter = argument;
    for (int i = 0; i < laps; i++) {
        ++*counter;
        errno = (int)*counter;
        cctx_suspend();
        REQUIRE(errno == (int)*counter);
    }
}

static void *run(void *argument) {
    cctx_stack_pool *pool = make_pool(64 * 1024);
    REQUIRE(cctx_install_overflow_report() == 0);
    for (int generation = 0; generation < 3; generation++) {
        cctx *contexts[context_count];
        long counters[context_count] = {0};
        for (int i = 0; i < context_count; i++) {
            contexts[i] = make_context(pool, count, &counters[i]);
        }
        for (int lap = 0; lap <= laps; lap++) {
            for (int i = 0; i < context_count; i++) cctx_resume(contexts[i], true);
        }
        for (int i = 0; i < context_count; i++) {
            REQUIRE(cctx_is_finished(contexts[i]) && counters[i] == laps);
            cctx_destroy(pool, contexts[i]);
        }
    }
    cctx_stack_pool_destroy(pool);
    cctx_thread_release();
    return argument;
}

int main(void) {
    pthread_t threads[thread_count];
    for (int i = 0; i < thread_count; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, run, NULL) == 0);
    }
    for (int i = 0; i < thread_count; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    return 0;
}
