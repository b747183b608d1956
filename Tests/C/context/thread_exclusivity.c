// The hooks of Swift's dynamic exclusivity: entered unless both sides have nothing in flight, left
// after every switch, each time with the state of the context. This program stands in for the
// runtime.

#include "check.h"

void swift_task_enterThreadLocalContext(char *state);
void swift_task_exitThreadLocalContext(char *state);

static int entered, left;
static char *last_state;

void swift_task_enterThreadLocalContext(char *state) {
    entered++;
    last_state = state;
}

void swift_task_exitThreadLocalContext(char *state) {
    left++;
    last_state = state;
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
    cctx_resume(context, false);
    REQUIRE(entered == 1 && left == 2);
    context->exclusivity[0] = 1;
    cctx_resume(context, true);
    REQUIRE(entered == 2 && left == 3);
    context->exclusivity[0] = 0;
    context->exclusivity[1] = 1;
    cctx_resume(context, true);
    REQUIRE(entered == 3 && left == 4);
    context->exclusivity[1] = 0;
    cctx_resume(context, true);
    REQUIRE(entered == 3 && left == 5 && cctx_is_finished(context));
    cctx_destroy(pool, context);
    cctx_stack_pool_destroy(pool);
    return 0;
}
