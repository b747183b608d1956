// What a thread needs before it can resume contexts.

#define _GNU_SOURCE

#include "internal.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

__thread cctx_thread cctx_this_thread __attribute__((tls_model("initial-exec")));

// Both C++ runtimes of Linux keep { caught exceptions, number of uncaught ones } in two words.
extern void *__cxa_get_globals(void) __attribute__((weak));

// Of the Swift runtime.
extern void swift_task_enterThreadLocalContext(char *state) __attribute__((weak));
extern void swift_task_exitThreadLocalContext(char *state) __attribute__((weak));

// Stands in for the exception globals of a thread without a C++ runtime. Never written: an exchange
// happens only if one side is not zero.
static uintptr_t no_exception_globals[2];

static void no_exclusivity(char *state) { (void)state; }

// Room for the overflow report and for the handlers it chains to: the Swift backtracer, ASan and
// several language runtimes ask for more than the usual SIGSTKSZ of 8 KiB.
enum { signal_stack_size = 64 * 1024 };

static int install_signal_stack(cctx_thread *thread) {
    stack_t old;
    if (sigaltstack(NULL, &old) != 0) return -errno;
    if (!(old.ss_flags & SS_DISABLE)) return 0;
    size_t guard = cctx_guard_size();
    char *memory = mmap(NULL, guard + signal_stack_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    stack_t new = {.ss_sp = memory + guard, .ss_size = signal_stack_size};
    if (mprotect(memory, guard, PROT_NONE) != 0 || sigaltstack(&new, NULL) != 0) {
        int error = errno;
        munmap(memory, guard + signal_stack_size);
        return -error;
    }
    thread->signal_stack = memory;
    return 0;
}

int cctx_thread_prepare(void) {
    cctx_thread *thread = &cctx_this_thread;
    if (thread->errno_address) return 0;
    int error = install_signal_stack(thread);
    if (error) return error;
    thread->exception_globals = __cxa_get_globals ? __cxa_get_globals() : no_exception_globals;
    bool swift = swift_task_enterThreadLocalContext && swift_task_exitThreadLocalContext;
    thread->enter_exclusivity = swift ? swift_task_enterThreadLocalContext : no_exclusivity;
    thread->exit_exclusivity = swift ? swift_task_exitThreadLocalContext : no_exclusivity;
    static const uintptr_t unknown = 1;
    if (!thread->access_head) thread->access_head = &unknown;
    thread->errno_address = &errno;
    return 0;
}

void cctx_thread_release(void) {
    cctx_thread *thread = &cctx_this_thread;
    char *memory = thread->signal_stack;
    if (memory) {
        size_t guard = cctx_guard_size();
        stack_t now;
        // Somebody may have installed another one since; that one stays.
        if (sigaltstack(NULL, &now) == 0 && now.ss_sp == memory + guard) {
            stack_t none = {.ss_flags = SS_DISABLE};
            sigaltstack(&none, NULL);
        }
        munmap(memory, guard + signal_stack_size);
        thread->signal_stack = NULL;
    }
    thread->errno_address = NULL;
    thread->exception_globals = NULL;
    thread->enter_exclusivity = NULL;
    thread->exit_exclusivity = NULL;
    thread->access_head = NULL;
}

void cctx_exchange_exception_globals(uintptr_t *globals, cctx *context) {
    for (int i = 0; i < 2; i++) {
        uintptr_t word = globals[i];
        globals[i] = context->exception_globals[i];
        context->exception_globals[i] = word;
    }
}
