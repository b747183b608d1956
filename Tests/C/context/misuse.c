// Calls that break a rule trap, and name the rule first.

#include "check.h"

#include <signal.h>

static void finish(void *argument) { (void)argument; }

static void suspend_once(void *argument) {
    (void)argument;
    cctx_suspend();
}

static void resume_self(void *argument) {
    (void)argument;
    cctx_resume_plain(cctx_current_thread()->current);
}

static void suspend_outside(void) {
    REQUIRE(cctx_thread_prepare() == 0);
    cctx_suspend();
}

static void resume_finished(void) {
    cctx *context = make_context(make_pool(default_stack), finish, NULL);
    cctx_resume_plain(context);
    cctx_resume(context, true);
}

static void resume_running(void) {
    cctx_resume_plain(make_context(make_pool(default_stack), resume_self, NULL));
}

static void destroy_suspended(void) {
    cctx_stack_pool *pool = make_pool(default_stack);
    cctx *context = make_context(pool, suspend_once, NULL);
    cctx_resume_plain(context);
    cctx_destroy(pool, context);
}

static void expect(void (*body)(void), const char *message) {
    outcome result = run_in_child(body);
    REQUIRE(count_of(result.text, message) == 1);
#if defined(__x86_64__)
    REQUIRE(died_of(result, SIGILL));
#else
    REQUIRE(died_of(result, SIGTRAP) || died_of(result, SIGABRT) || died_of(result, SIGILL));
#endif
}

int main(void) {
    expect(suspend_outside, "ringlet: cctx_suspend was called outside any context\n");
    expect(resume_finished, "ringlet: a context was resumed that has finished\n");
    expect(resume_running, "ringlet: a context was resumed that is running already\n");
    expect(destroy_suspended,
           "ringlet: cctx_destroy was called for a context that has not finished");
    return 0;
}
