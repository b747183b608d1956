// The hooks of Swift's dynamic exclusivity: entered unless both sides have nothing in flight, left
// after every switch, each time with the state of the context. This program stands in for the
// runtime: `leaves` is what it finds in flight when a context is left.

#include "check.h"

void swift_task_enterThreadLocalContext(char *state);
void swift_task_exitThreadLocalContext(char *state);

static int entered, left;
static char *last_state;
static uintptr_t leaves[2];

void swift_task_enterThreadLocalContext(char *state) {
    entered++;
    last_state = state;
}

void swift_task_exitThreadLocalContext(char *state) {
    left++;
    last_state = state;
    memcpy(state, leaves, sizeof leaves);
}

static void inside(void *argument) {
    (void)argument;
    for (int i = 0; i < 5; i++) cctx_suspend();
}

int main(void) {
    cctx_stack_pool *pool = make_pool(default_stack);
    cctx *context = make_context(pool, inside, NULL);
    cctx_resume_plain(context);
    REQUIRE(entered == 0 && left == 0);
    cctx_resume(context, true);
    REQUIRE(entered == 0 && left == 1 && last_state == (char *)context->exclusivity);
    leaves[0] = 1;
    cctx_resume(context, false);
    REQUIRE(entered == 1 && left == 2);
    leaves[0] = 0;
    leaves[1] = 1;
    cctx_resume(context, true);
    REQUIRE(entered == 2 && left == 3 && context->exclusivity[1] == 1);
    leaves[1] = 0;
    cctx_resume(context, true);
    REQUIRE(entered == 3 && left == 4);
    cctx_resume(context, true);
    REQUIRE(entered == 3 && left == 5 && cctx_is_finished(context));
    cctx_destroy(pool, context);
    cctx_stack_pool_destroy(pool);
    return 0;
}
