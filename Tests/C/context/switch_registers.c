// Callee-saved registers, integer and floating point, survive a switch in both directions.

#include "check.h"

// Fills every callee-saved register with a pattern made of `seed`, calls `between`, and returns
// the number of registers that changed.
extern int fill_registers_and_call(uint64_t seed, void (*between)(void));

static int changed_inside;

static void suspend(void) { cctx_suspend(); }

static void inside(void *argument) {
    uint64_t seed = (uint64_t)(uintptr_t)argument;
    for (int i = 0; i < 100; i++) {
        changed_inside += fill_registers_and_call(seed << 32 | (unsigned)i, suspend);
    }
}

static cctx *contexts[3];

static void resume_all(void) {
    for (int i = 0; i < 3; i++) cctx_resume_plain(contexts[i]);
}

int main(void) {
    cctx_stack_pool *pool = make_pool(default_stack);
    for (uintptr_t i = 0; i < 3; i++) contexts[i] = make_context(pool, inside, (void *)(i + 1));
    int changed_outside = 0;
    for (int i = 0; i < 100; i++) changed_outside += fill_registers_and_call(77, resume_all);
    resume_all();
    REQUIRE(changed_inside == 0);
    REQUIRE(changed_outside == 0);
    for (int i = 0; i < 3; i++) {
        REQUIRE(cctx_is_finished(contexts[i]));
        cctx_destroy(pool, contexts[i]);
    }
    cctx_stack_pool_destroy(pool);
    return 0;
}
