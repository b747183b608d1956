// The report of a stack overflow.
//
// A fault in the guard of a context that runs on this thread is named on stderr; then, as after any
// other fault, the handler that was there before gets its turn, so that the process ends as the
// crash it would have been. Everything here runs inside a signal handler on the alternate stack:
// only write, raise, sigaction and the signal mask are used.

#define _GNU_SOURCE

#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static struct sigaction previous_segv;
static struct sigaction previous_bus;

typedef struct message {
    size_t length;
    char text[320];
} message;

static void add(message *message, const char *text, size_t most) {
    for (size_t i = 0; i < most && text[i] && message->length < sizeof message->text; i++) {
        message->text[message->length++] = text[i];
    }
}

static void add_number(message *message, uintptr_t number, unsigned base) {
    char digits[20];
    size_t count = 0;
    do {
        digits[sizeof digits - ++count] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    add(message, digits + sizeof digits - count, count);
}

typedef struct description {
    const char *kind;
    const char *remedy;
} description;

static const description descriptions[] = {
    [cctx_kind_fiber] = {"fiber", "SchedulerOptions.fiberStackSize"},
    [cctx_kind_coroutine] = {"coroutine", "its stackSize"},
    [cctx_kind_generator] = {"generator", "its stackSize"},
    [cctx_kind_task] = {"task", "ringlet_options_set_stack_size()"},
};

static void report(const cctx *context, uintptr_t address) {
    enum { no_limit = 200, longest_name = 100 };
    message line = {0};
    const description *described = &descriptions[context->kind];
    add(&line, "ringlet: stack overflow in ", no_limit);
    if (context->name) {
        add(&line, described->kind, no_limit);
        add(&line, " '", no_limit);
        add(&line, context->name, longest_name);
        add(&line, "'", no_limit);
    } else {
        add(&line, "a ", no_limit);
        add(&line, described->kind, no_limit);
        add(&line, " without a name", no_limit);
    }
    add(&line, ": its stack of ", no_limit);
    add_number(&line, context->stack_size / 1024, 10);
    add(&line, " KiB is full (fault at 0x", no_limit);
    add_number(&line, address, 16);
    add(&line, "). Larger stacks: ", no_limit);
    add(&line, described->remedy, no_limit);
    add(&line, ".\n", no_limit);
    ssize_t ignored = write(STDERR_FILENO, line.text, line.length);
    (void)ignored;
}

// The context in whose guard the address lies: the one that runs, or one that waits for it below.
static const cctx *find_overflow(uintptr_t address) {
    size_t guard = cctx_guard_size();
    const cctx *context = cctx_this_thread.current;
    while (context) {
        uintptr_t limit = (uintptr_t)context->stack_limit;
        if (address < limit && address >= limit - guard) return context;
        context = context->resumer;
    }
    return NULL;
}

static void restore_default(int number) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(number, &action, NULL);
}

// Calls the previous handler as the kernel would have: with its mask, with the signal blocked
// unless it asked otherwise (so that a fault in it kills instead of coming back here), and once
// only if it asked for that. The mask needs no restoring: the end of this handler does it.
static void chain(int number, siginfo_t *info, void *machine) {
    struct sigaction *previous = number == SIGBUS ? &previous_bus : &previous_segv;
    bool by_kernel = info->si_code > 0;
    if (previous->sa_handler == SIG_IGN && !by_kernel) return;
    if (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN) {
        // A fault happens again, at its own instruction, when this handler returns; a signal that
        // was sent does not.
        restore_default(number);
        if (!by_kernel) raise(number);
        return;
    }
    sigset_t blocked = previous->sa_mask;
    if (!(previous->sa_flags & SA_NODEFER)) sigaddset(&blocked, number);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    struct sigaction handler = *previous;
    if (handler.sa_flags & (int)SA_RESETHAND) previous->sa_handler = SIG_DFL;
    if (handler.sa_flags & SA_SIGINFO) {
        handler.sa_sigaction(number, info, machine);
    } else {
        handler.sa_handler(number);
    }
}

static void on_fault(int number, siginfo_t *info, void *machine) {
    int error = errno;
    const cctx *context = NULL;
    if (info->si_code > 0) context = find_overflow((uintptr_t)info->si_addr);
    if (context) report(context, (uintptr_t)info->si_addr);
    chain(number, info, machine);
    // Nobody can repair a full stack. If the previous handler returned, the fault repeats, and this
    // time it must end the process.
    if (context) restore_default(number);
    errno = error;
}

static int install_result;

static int install(int number, struct sigaction *previous) {
    // Read first: a fault of another thread may come as soon as the handler is in place.
    if (sigaction(number, NULL, previous) != 0) return -errno;
    struct sigaction action = {.sa_flags = SA_ONSTACK | SA_SIGINFO | SA_NODEFER};
    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL) == 0 ? 0 : -errno;
}

static void install_both(void) {
    install_result = install(SIGSEGV, &previous_segv);
    if (install_result == 0) install_result = install(SIGBUS, &previous_bus);
}

int cctx_install_overflow_report(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_both);
    return install_result;
}
