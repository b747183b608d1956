// Contexts that resume contexts, a thousand deep: each suspension goes to its own resumer, and
// `current` is right everywhere.

#include "check.h"

#include <stdint.h>

enum { depth = 1000, laps = 3 };

static cctx_stack_pool *pool;
static cctx *levels[depth];
static long visits;

static void descend(void *argument) {
    intptr_t level = (intptr_t)argument;
    cctx *self = levels[level];
    for (int lap = 0; lap < laps; lap++) {
        REQUIRE(cctx_current_thread()->current == self);
        REQUIRE(self->resumer == (level > 0 ? levels[level - 1] : NULL));
        if (level + 1 < depth) cctx_resume(levels[level + 1], false);
        REQUIRE(cctx_current_thread()->current == self);
        visits++;
        cctx_suspend();
    }
    if (level + 1 < depth) {
        cctx_resume(levels[level + 1], false);
        REQUIRE(cctx_is_finished(levels[level + 1]));
    }
}

int main(void) {
    pool = make_pool(64 * 1024);
    for (intptr_t i = 0; i < depth; i++) levels[i] = make_context(pool, descend, (void *)i);
    for (int lap = 0; lap < laps; lap++) {
        cctx_resume(levels[0], true);
        REQUIRE(visits == (lap + 1) * (long)depth);
    }
    cctx_resume(levels[0], true);
    for (int i = 0; i < depth; i++) {
        REQUIRE(cctx_is_finished(levels[i]));
        cctx_destroy(pool, levels[i]);
    }
    REQUIRE(cctx_current_thread()->current == NULL);
    cctx_stack_pool_destroy(pool);
    return 0;
}
