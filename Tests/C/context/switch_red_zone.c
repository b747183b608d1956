// A function that makes no call may keep its locals below the stack pointer (x86-64), and a switch
// is no call: it must leave them alone.

#include "check.h"

__attribute__((noinline)) static int keep_locals(cctx *self, int seed) {
    volatile int locals[24];
    for (int i = 0; i < 24; i++) locals[i] = seed + i;
#ifdef SHADOWED
    (void)self;
    cctx_suspend();
#else
    cctx_switch(&self->sp, self->sp);
#endif
    int changed = 0;
    for (int i = 0; i < 24; i++) changed += locals[i] != seed + i;
    return changed;
}

static void inside(void *argument) {
    int *changed = argument;
    for (int i = 0; i < 10; i++) *changed += keep_locals(cctx_current_thread()->current, i);
}

int main(void) {
    cctx_stack_pool *pool = make_pool(default_stack);
    int changed = 0;
    cctx *context = make_context(pool, inside, &changed);
    while (!cctx_is_finished(context)) cctx_resume_plain(context);
    REQUIRE(changed == 0);
    cctx_destroy(pool, context);
    cctx_stack_pool_destroy(pool);
    return 0;
}
