// Backtraces from inside a context end at the trampoline, from every instruction of a switch.
//
// The second half steps through the switch with the processor's trap flag (x86-64 only) and unwinds
// from the signal handler at each instruction: the caller must come out right every time.

#define _GNU_SOURCE

#include "check.h"

#include <signal.h>
#include <ucontext.h>
#include <unwind.h>

typedef struct trace {
    int count;
    uintptr_t starts[32];
} trace;

static _Unwind_Reason_Code record(struct _Unwind_Context *frame, void *argument) {
    trace *found = argument;
    if (found->count < 32) found->starts[found->count++] = _Unwind_GetRegionStart(frame);
    return _URC_NO_REASON;
}

static trace inner;

__attribute__((noinline)) static void leaf(void) {
    inner.count = 0;
    REQUIRE(_Unwind_Backtrace(record, &inner) == _URC_END_OF_STACK);
}

static void inside(void *argument) {
    (void)argument;
    leaf();
    cctx_suspend();
    leaf();
    __asm__ volatile(""); // so that this is not a tail call
}

static bool contains(const trace *found, uintptr_t start) {
    for (int i = 0; i < found->count; i++) {
        if (found->starts[i] == start) return true;
    }
    return false;
}

int main(void);

static void check_inner(void) {
    REQUIRE(inner.count >= 4 && inner.count < 12);
    REQUIRE(contains(&inner, (uintptr_t)inside));
    REQUIRE(!contains(&inner, (uintptr_t)main));
}

#if defined(__x86_64__) && !defined(SHADOWED)

// The routine behind cctx_switch, and what follows it in its file.
extern char cctx_exchange_stacks[];
extern char cctx_trampoline[];

static int steps, steps_to_base, steps_to_context, steps_suspending;

__attribute__((noinline)) static void suspend_with_steps(void);

static void on_step(int number, siginfo_t *info, void *machine) {
    (void)number;
    (void)info;
    uintptr_t pc = (uintptr_t)((ucontext_t *)machine)->uc_mcontext.gregs[REG_RIP];
    uintptr_t start = (uintptr_t)cctx_exchange_stacks;
    bool in_switch = pc >= start && pc < (uintptr_t)cctx_trampoline - 1;
    trace found = {0};
    int end = _Unwind_Backtrace(record, &found);
    if (!in_switch) return;
    steps++;
    REQUIRE(end == _URC_END_OF_STACK);
    // This handler, the frame of the signal, the switch, its caller.
    for (int i = 0; i < found.count; i++) {
        if (found.starts[i] != start) continue;
        REQUIRE(i + 1 < found.count);
        uintptr_t caller = found.starts[i + 1];
        if (contains(&found, (uintptr_t)main)) {
            REQUIRE(caller == (uintptr_t)main);
            steps_to_base++;
        } else {
            // From the context's side: suspending, not started yet, or leaving for good.
            if (contains(&found, (uintptr_t)suspend_with_steps)) {
                REQUIRE(caller == (uintptr_t)suspend_with_steps);
                steps_suspending++;
            }
            REQUIRE(found.starts[found.count - 1] == (uintptr_t)cctx_trampoline - 1);
            steps_to_context++;
        }
        return;
    }
    REQUIRE(!"the switch is in its own backtrace");
}

static inline void trap_flag(bool on) {
    if (on) {
        __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
    } else {
        __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
    }
}

__attribute__((noinline)) static void suspend_with_steps(void) {
    cctx_suspend();
    __asm__ volatile(""); // no tail call either
}

static void step_inside(void *argument) {
    (void)argument;
    for (int i = 0; i < 3; i++) suspend_with_steps();
    __asm__ volatile("");
}

#endif

int main(void) {
    cctx_stack_pool *pool = make_pool(default_stack);
    cctx *context = make_context(pool, inside, NULL);
    cctx_resume_plain(context);
    check_inner();
    cctx_resume_plain(context);
    check_inner();
    cctx_destroy(pool, context);

#if defined(__x86_64__) && !defined(SHADOWED)
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_step;
    sigemptyset(&action.sa_mask);
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    context = make_context(pool, step_inside, NULL);
    while (!cctx_is_finished(context)) {
        trap_flag(true);
        cctx_resume_plain(context);
        trap_flag(false);
    }
    printf("%d steps in the switch: %d led to the base, %d to the context\n", steps, steps_to_base,
           steps_to_context);
    // 19 instructions, two switches in each of the four rounds. (The flag is not saved by a switch,
    // so it stays on in the context.)
    REQUIRE(steps == 19 * 8 && steps_to_base + steps_to_context == steps);
    REQUIRE(steps_to_base == 76 && steps_to_context == 76 && steps_suspending == 57);
    cctx_destroy(pool, context);
#endif
    cctx_stack_pool_destroy(pool);
    return 0;
}
