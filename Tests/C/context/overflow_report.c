// An overflow names the context and its size once, and the process dies of the signal, whatever the
// previous handler is.

#include "check.h"

#include <setjmp.h>
#include <signal.h>

static cctx_stack_pool *pool;

__attribute__((noinline)) static long recurse(long depth) {
    volatile char frame[512];
    frame[depth % 512] = (char)depth;
    if (depth < 0) return 0;
    return recurse(depth + 1) + frame[depth % 512];
}

static void overflow(void *argument) { *(volatile long *)argument = recurse(1); }

static volatile long sink;

static void run_overflow(const char *name) {
    REQUIRE(cctx_install_overflow_report() == 0);
    pool = make_pool(96 * 1024);
    cctx *context = make_context(pool, overflow, (void *)&sink);
    context->name = name;
    cctx_resume(context, true);
}

static void named(void) {
    signal(SIGSEGV, SIG_DFL);
    run_overflow("reader 7");
}

static void nameless(void) { run_overflow(NULL); }

static void generator(void) {
    REQUIRE(cctx_install_overflow_report() == 0);
    pool = make_pool(96 * 1024);
    cctx *context = make_context(pool, overflow, (void *)&sink);
    context->kind = cctx_kind_generator;
    cctx_resume_plain(context);
}

static void long_name(void) {
    static char name[1000];
    memset(name, 'x', sizeof name - 1);
    run_overflow(name);
}

static void previous_ignores(void) {
    signal(SIGSEGV, SIG_IGN);
    run_overflow("ignored");
}

static void say(const char *text) { REQUIRE(write(2, text, strlen(text)) > 0); }

static void returning(int number) { say(number == SIGSEGV ? "previous returns\n" : "wrong\n"); }

static void previous_returns(void) {
    signal(SIGSEGV, returning);
    run_overflow("returns");
}

static sigjmp_buf escape;

static void escaping(int number, siginfo_t *info, void *machine) {
    (void)machine;
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    // As the kernel would have called it: blocked, with its mask.
    if (!sigismember(&mask, number) || !sigismember(&mask, SIGUSR1)) say("wrong mask\n");
    if (info->si_signo == number && info->si_addr) say("previous with info\n");
    siglongjmp(escape, 1);
}

static void escape_from_overflow(void *argument) {
    if (sigsetjmp(escape, 1) == 0) sink = recurse(1);
    *(bool *)argument = true;
}

static void previous_escapes(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = escaping;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR1);
    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
    REQUIRE(cctx_install_overflow_report() == 0);
    pool = make_pool(96 * 1024);
    for (int i = 0; i < 3; i++) {
        bool escaped = false;
        cctx *context = make_context(pool, escape_from_overflow, &escaped);
        context->name = "escapes";
        cctx_resume_plain(context);
        REQUIRE(escaped && cctx_is_finished(context));
        cctx_destroy(pool, context);
    }
    say("went on\n");
}

static void write_elsewhere(void *argument) { *(volatile int *)argument = 1; }

static void other_fault(void) {
    signal(SIGSEGV, SIG_DFL);
    REQUIRE(cctx_install_overflow_report() == 0);
    pool = make_pool(96 * 1024);
    cctx *context = make_context(pool, write_elsewhere, (void *)16);
    context->name = "innocent";
    cctx_resume_plain(context);
}

static void sent_signal(void) {
    signal(SIGSEGV, SIG_DFL);
    REQUIRE(cctx_install_overflow_report() == 0);
    raise(SIGSEGV);
}

static void sent_and_ignored(void) {
    signal(SIGSEGV, SIG_IGN);
    REQUIRE(cctx_install_overflow_report() == 0);
    raise(SIGSEGV);
    raise(SIGSEGV);
    say("went on\n");
}

// The inner context is fine; its resumer is full, which a write into its guard stands for.
static void write_below_resumer(void *argument) {
    cctx *outer = argument;
    *((volatile char *)outer->stack_limit - 8) = 1;
}

static void resume_inner(void *argument) {
    (void)argument;
    cctx *self = cctx_current_thread()->current;
    cctx *inner = make_context(pool, write_below_resumer, self);
    inner->name = "inner";
    cctx_resume_plain(inner);
}

static void in_resumer(void) {
    REQUIRE(cctx_install_overflow_report() == 0);
    pool = make_pool(96 * 1024);
    cctx *outer = make_context(pool, resume_inner, NULL);
    outer->name = "outer";
    cctx_resume_plain(outer);
}

int main(void) {
    outcome result = run_in_child(named);
    const char *line = "ringlet: stack overflow in fiber 'reader 7': its stack of 96 KiB is full "
                       "(fault at 0x";
    REQUIRE(count_of(result.text, line) == 1);
    REQUIRE(count_of(result.text, "). Larger stacks: SchedulerOptions.fiberStackSize.\n") == 1);
    REQUIRE(died_of(result, SIGSEGV));

    result = run_in_child(nameless);
    REQUIRE(count_of(result.text, "ringlet: stack overflow in a fiber without a name: ") == 1);
    REQUIRE(died_of(result, SIGSEGV));

    result = run_in_child(generator);
    REQUIRE(count_of(result.text, "stack overflow in a generator without a name: ") == 1);
    REQUIRE(count_of(result.text, "Larger stacks: its stackSize.\n") == 1);
    REQUIRE(died_of(result, SIGSEGV));

    result = run_in_child(long_name);
    REQUIRE(count_of(result.text, "xxx': its stack of 96 KiB") == 1);
    REQUIRE(died_of(result, SIGSEGV));

    result = run_in_child(previous_ignores);
    REQUIRE(count_of(result.text, "'ignored'") == 1);
    REQUIRE(died_of(result, SIGSEGV));

    result = run_in_child(previous_returns);
    REQUIRE(count_of(result.text, "'returns'") == 1);
    REQUIRE(count_of(result.text, "previous returns\n") == 1);
    REQUIRE(died_of(result, SIGSEGV));

#ifndef SHADOWED
    // A sanitizer's own frames do not survive a jump out of a full stack.
    result = run_in_child(previous_escapes);
    REQUIRE(count_of(result.text, "'escapes'") == 3);
    REQUIRE(count_of(result.text, "previous with info\n") == 3);
    REQUIRE(count_of(result.text, "wrong mask") == 0);
    REQUIRE(count_of(result.text, "went on\n") == 1);
    REQUIRE(result.status == 0);
#else
    (void)previous_escapes;
#endif

    result = run_in_child(other_fault);
    REQUIRE(count_of(result.text, "stack overflow in") == 0);
    REQUIRE(died_of(result, SIGSEGV));

    result = run_in_child(sent_signal);
    REQUIRE(count_of(result.text, "ringlet") == 0);
    REQUIRE(died_of(result, SIGSEGV));

    result = run_in_child(sent_and_ignored);
    REQUIRE(count_of(result.text, "went on\n") == 1);
    REQUIRE(result.status == 0);

    result = run_in_child(in_resumer);
    REQUIRE(count_of(result.text, "stack overflow in fiber 'outer'") == 1);
    REQUIRE(died_of(result, SIGSEGV));
    return 0;
}
