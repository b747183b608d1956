// Samples of a thread, taken from outside.
//
// A thread that blocks in a system call shows the kernel's view of it in /proc/self/task/N/syscall: stack pointer and
// program counter. That disturbs nobody. A signal would: nanosleep(2), poll(2) and others end with EINTR even with
// SA_RESTART. A thread that computes is in no system call, so there a signal does no harm; SIGURG, because it is ignored
// where nobody handles it, and because programs must expect it at any time anyway. Memory is read through
// /proc/self/mem, where an address that has become invalid is an error and no fault.

#define _GNU_SOURCE

#include "cctx_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "internal.h"

// ---------------------------------------------------------------------------------------------
// Memory that another thread may be about to free

// Open during a sample: a descriptor that is kept would lead a forked child to its parent's memory.
static int memory = -1;

// Returns how many bytes could be read.
static size_t read_memory(uintptr_t address, void *bytes, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t count = pread(memory, (char *)bytes + done, size - done, (off_t)(address + done));
        if (count <= 0) break;
        done += (size_t)count;
    }
    return done;
}

// As the first stored properties of AnyFiber lie behind the object's header and the link.
typedef struct owner_head {
    void *header[2];
    void *link;
    uint64_t id;
    uint64_t parent;
    uintptr_t site;
} owner_head;

static void read_fiber(const cctx_worker *worker, cctx_sample *sample) {
    cctx_fiber *running = NULL;
    cctx_fiber record;
    owner_head owner;
    read_memory((uintptr_t)&worker->host->running, &running, sizeof running);
    if (!running || read_memory((uintptr_t)running, &record, sizeof record) < sizeof record ||
        read_memory((uintptr_t)record.owner, &owner, sizeof owner) < sizeof owner) {
        return;
    }
    // The fiber that has ended meanwhile may have left its memory to somebody else.
    cctx_fiber *running_now = NULL;
    void *owner_now = NULL;
    read_memory((uintptr_t)&running->owner, &owner_now, sizeof owner_now);
    read_memory((uintptr_t)&worker->host->running, &running_now, sizeof running_now);
    if (running_now != running || owner_now != record.owner) return;
    sample->fiber = owner.id;
    sample->parent = owner.parent;
    sample->site = owner.site;
    if (record.context.name) {
        size_t count = read_memory((uintptr_t)record.context.name, sample->name, sizeof sample->name - 1);
        sample->name[count] = 0;
    }
}

// ---------------------------------------------------------------------------------------------
// A thread in a system call

// The length of the line that says where it is; 0 when it is in none, or cannot be seen.
static size_t read_syscall(int32_t thread, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", thread);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t count = read(file, text, size);
    close(file);
    static const char running[] = "running";
    if (count < (ssize_t)sizeof running || memcmp(text, running, sizeof running - 1) == 0) return 0;
    return (size_t)count;
}

static bool take_blocked(const cctx_worker *worker, cctx_sample *sample) {
    char before[256], after[256];
    size_t size = read_syscall(worker->thread, before, sizeof before);
    if (!cctx_sample_parse(before, size, &sample->sp, &sample->pc)) return false;
    sample->fp = 0;
    sample->count =
        read_memory(sample->sp, sample->words, sizeof sample->words) / sizeof *sample->words;
    // Still in the same call, so what was read belongs together.
    return read_syscall(worker->thread, after, sizeof after) == size && memcmp(before, after, size) == 0;
}

// ---------------------------------------------------------------------------------------------
// A thread that computes

enum { nothing, asked, copying, done };

static struct {
    cctx_sample *sample;
    const cctx_worker *worker;
    // One of the above. Whoever asks, and the handler, change it by compare-and-swap.
    uint32_t state;
} request;

static struct sigaction previous;

// The first address above the stack that `sp` lies in; `sp` itself when it is unknown.
static uintptr_t top_of_stack(uintptr_t sp) {
    for (const cctx *context = cctx_this_thread.current; context; context = context->resumer) {
        uintptr_t limit = (uintptr_t)context->stack_limit;
        if (sp >= limit && sp - limit < context->stack_size) return limit + context->stack_size;
    }
    const cctx_worker *worker = request.worker;
    return sp >= worker->stack_limit && sp < worker->stack_top ? worker->stack_top : sp;
}

__attribute__((no_sanitize("address", "thread"))) static void copy_stack(cctx_sample *sample) {
    const uintptr_t *from = (const uintptr_t *)sample->sp;
    size_t count = (top_of_stack(sample->sp) - sample->sp) / sizeof *from;
    if (count > cctx_sample_words) count = cctx_sample_words;
    for (size_t i = 0; i < count; i++) ((volatile uintptr_t *)sample->words)[i] = from[i];
    sample->count = count;
}

static void copy_registers(cctx_sample *sample, const ucontext_t *machine) {
#if defined(__x86_64__)
    sample->pc = (uintptr_t)machine->uc_mcontext.gregs[REG_RIP];
    sample->sp = (uintptr_t)machine->uc_mcontext.gregs[REG_RSP];
    sample->fp = (uintptr_t)machine->uc_mcontext.gregs[REG_RBP];
#elif defined(__aarch64__)
    sample->pc = machine->uc_mcontext.pc;
    sample->sp = machine->uc_mcontext.sp;
    sample->fp = machine->uc_mcontext.regs[29];
#endif
}

static bool change_state(uint32_t from, uint32_t to) {
    return __atomic_compare_exchange_n(&request.state, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void on_signal(int number, siginfo_t *info, void *machine) {
    int error = errno;
    if (__atomic_load_n(&request.state, __ATOMIC_ACQUIRE) == asked &&
        request.worker->thread == (int32_t)syscall(SYS_gettid) && change_state(asked, copying)) {
        copy_registers(request.sample, machine);
        copy_stack(request.sample);
        __atomic_store_n(&request.state, done, __ATOMIC_RELEASE);
        syscall(SYS_futex, &request.state, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
    } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
        // Whatever the flags say: those of a handler that the kernel has taken away (SA_RESETHAND) stay.
    } else if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, machine);
    } else {
        previous.sa_handler(number);
    }
    errno = error;
}

static int install_result;

static void install(void) {
    // Read first: the signal may come as soon as the handler is in place.
    if (sigaction(SIGURG, NULL, &previous) != 0) {
        install_result = -errno;
        return;
    }
    struct sigaction action = {.sa_flags = SA_ONSTACK | SA_SIGINFO | SA_RESTART};
    action.sa_sigaction = on_signal;
    sigemptyset(&action.sa_mask);
    install_result = sigaction(SIGURG, &action, NULL) == 0 ? 0 : -errno;
}

void cctx_sample_admit(void) {
    sigset_t urgent;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &urgent, NULL);
}

static int take_computing(const cctx_worker *worker, cctx_sample *sample) {
    request.sample = sample;
    request.worker = worker;
    __atomic_store_n(&request.state, asked, __ATOMIC_RELEASE);
    if (syscall(SYS_tgkill, getpid(), worker->thread, SIGURG) != 0) {
        int error = errno;
        change_state(asked, nothing);
        return -error;
    }
    // On a busy machine the thread may have to wait for a processor.
    const struct timespec limit = {.tv_sec = 5};
    while (true) {
        uint32_t state = __atomic_load_n(&request.state, __ATOMIC_ACQUIRE);
        if (state == done) return 0;
        long result = syscall(SYS_futex, &request.state, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, state,
                              &limit, NULL, 0);
        // A handler that has begun ends.
        if (result != 0 && errno == ETIMEDOUT && change_state(asked, nothing)) return -ETIMEDOUT;
    }
}

int cctx_sample_take(const cctx_worker *worker, cctx_sample *sample) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_once(&once, install);
    sample->fiber = sample->parent = 0;
    sample->site = sample->pc = sample->sp = sample->fp = 0;
    sample->count = 0;
    sample->name[0] = 0;
    if (install_result != 0) return install_result;
    pthread_mutex_lock(&lock);
    memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    read_fiber(worker, sample);
    int result = -EAGAIN;
    for (int attempt = 0; attempt < 3 && result != 0; attempt++) {
        char text[256];
        if (take_blocked(worker, sample)) {
            result = 0;
        } else if (!read_syscall(worker->thread, text, sizeof text)) {
            result = take_computing(worker, sample);
        }
    }
    if (memory >= 0) close(memory);
    pthread_mutex_unlock(&lock);
    return result;
}
