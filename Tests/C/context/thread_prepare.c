// Preparing a thread is idempotent, installs a signal stack where there is none, and is undone.

#include "check.h"

#include <pthread.h>
#include <signal.h>

static bool has_signal_stack(void) {
    stack_t now;
    REQUIRE(sigaltstack(NULL, &now) == 0);
    return !(now.ss_flags & SS_DISABLE);
}

static void *without(void *argument) {
    bool had = has_signal_stack();
    for (int i = 0; i < 3; i++) {
        REQUIRE(cctx_thread_prepare() == 0);
        REQUIRE(cctx_thread_prepare() == 0);
        REQUIRE(has_signal_stack());
        REQUIRE((cctx_current_thread()->signal_stack != NULL) == !had);
        cctx_thread_release();
        REQUIRE(has_signal_stack() == had);
        REQUIRE(cctx_current_thread()->signal_stack == NULL);
    }
    return argument;
}

static char own_stack[64 * 1024];

static void *with(void *argument) {
    stack_t own = {.ss_sp = own_stack, .ss_size = sizeof own_stack};
    stack_t old, now;
    REQUIRE(sigaltstack(&own, &old) == 0);
    REQUIRE(cctx_thread_prepare() == 0);
    REQUIRE(cctx_current_thread()->signal_stack == NULL);
    cctx_thread_release();
    REQUIRE(sigaltstack(NULL, &now) == 0 && now.ss_sp == own_stack);
    REQUIRE(sigaltstack(&old, NULL) == 0);
    return argument;
}

int main(void) {
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, without, NULL) == 0 && pthread_join(thread, NULL) == 0);
    REQUIRE(pthread_create(&thread, NULL, with, NULL) == 0 && pthread_join(thread, NULL) == 0);
    cctx_thread_release();
    return 0;
}
