// Floating-point work that spans suspensions gives the same result as without them, and the
// rounding mode belongs to the thread.

#include "check.h"

#include <fenv.h>

static double series(bool with_suspensions) {
    volatile double terms[64];
    double sum = 0, product = 1;
    for (int i = 0; i < 64; i++) {
        terms[i] = 1.0 / (i + 1);
        sum += terms[i];
        product *= 1 + terms[i] / 100;
        if (with_suspensions) cctx_suspend();
    }
    return sum * product;
}

static void inside(void *argument) {
    *(double *)argument = series(true);
    cctx_suspend();
    // Set by the resumer, seen here; set here, seen by the resumer.
    REQUIRE(fegetround() == FE_TOWARDZERO);
    fesetround(FE_UPWARD);
}

int main(void) {
    cctx_stack_pool *pool = make_pool(default_stack);
    double results[2];
    cctx *contexts[2];
    for (int i = 0; i < 2; i++) contexts[i] = make_context(pool, inside, &results[i]);
    double noise = 1;
    for (int round = 0; round < 65; round++) {
        for (int i = 0; i < 2; i++) {
            cctx_resume_plain(contexts[i]);
            noise *= 1.25;
        }
    }
    REQUIRE(noise > 1e12);
    double expected = series(false);
    for (int i = 0; i < 2; i++) {
        fesetround(FE_TOWARDZERO);
        cctx_resume_plain(contexts[i]);
        REQUIRE(fegetround() == FE_UPWARD);
        fesetround(FE_TONEAREST);
        REQUIRE(cctx_is_finished(contexts[i]));
        REQUIRE(results[i] == expected);
        cctx_destroy(pool, contexts[i]);
    }
    cctx_stack_pool_destroy(pool);
    return 0;
}
