// errno belongs to the flow of control: each context keeps its own, and so does the base.

#include "check.h"

#include <errno.h>
#include <stdint.h>

static void inside(void *argument) {
    int own = (int)(intptr_t)argument;
    REQUIRE(errno == 0);
    for (int i = 0; i < 5; i++) {
        errno = own + i;
        cctx_suspend();
        REQUIRE(errno == own + i);
    }
}

static void outer(void *argument) {
    errno = EBADF;
    cctx_resume_plain(argument);
    REQUIRE(errno == EBADF);
    cctx_suspend();
    REQUIRE(errno == EBADF);
    cctx_resume_plain(argument);
    REQUIRE(errno == EBADF);
}

int main(void) {
    cctx_stack_pool *pool = make_pool(default_stack);
    cctx *contexts[5];
    for (intptr_t i = 0; i < 4; i++) {
        contexts[i] = make_context(pool, inside, (void *)(1000 * (i + 1)));
    }
    contexts[4] = make_context(pool, outer, contexts[3]);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 3; i++) {
            errno = 7 + round;
            // A clean base does not care for its own errno; the contexts keep theirs either way.
            bool clean = round % 2 != 0;
            cctx_resume(contexts[i], clean);
            REQUIRE(clean || errno == 7 + round);
        }
    }
    errno = ENOENT;
    cctx_resume_plain(contexts[4]);
    REQUIRE(errno == ENOENT);
    cctx_resume_plain(contexts[3]);
    cctx_resume_plain(contexts[4]);
    REQUIRE(errno == ENOENT);
    while (!cctx_is_finished(contexts[3])) cctx_resume_plain(contexts[3]);
    for (int i = 0; i < 5; i++) {
        REQUIRE(cctx_is_finished(contexts[i]));
        cctx_destroy(pool, contexts[i]);
    }
    cctx_stack_pool_destroy(pool);
    return 0;
}
