// What contexts without a task need to know about the Swift runtime, and how it is found.

#define _GNU_SOURCE

#include "cctx_raw.h"

#include <link.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local cctx_raw_thread cctx_this_raw_thread __attribute__((tls_model("initial-exec")));

int32_t cctx_raw_thread_number(void) { return (int32_t)syscall(SYS_gettid); }

void cctx_raw_look_at_thread(void) {
    cctx_raw_thread *thread = &cctx_this_raw_thread;
    bool has_all = cctx_this_thread.errno_address && cctx_this_host_thread.task_slot && thread->locals_slot;
    thread->lacks_words = !has_all;
}

void cctx_raw_prepare_again(void) {
    if (cctx_thread_prepare() == 0) {
        cctx_host_find_access_head();
        cctx_raw_look_at_thread();
        return;
    }
    static const char message[] = "ringlet: a thread could not be prepared for coroutines again "
                                  "after its scheduler ended\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
    (void)ignored;
    __builtin_trap();
}

// The sanitizer would call it a race with the thread, which exchanges this word at each switch and
// cannot pay for more than a plain store.
__attribute__((no_sanitize("thread"))) bool cctx_raw_is_running(const cctx_raw_thread *thread) {
    return __atomic_load_n(&thread->current, __ATOMIC_RELAXED) != NULL;
}

bool cctx_raw_is_below(const cctx_raw *raw) {
    if (raw->fiber != cctx_this_host_thread.running) return false;
    for (const cctx *context = cctx_this_thread.current; context; context = context->resumer) {
        if (context == &raw->context) return true;
    }
    return false;
}

// One module's thread-local storage on this thread.
typedef struct tls_block {
    void **words;
    size_t count;
} tls_block;

// Finds the block that the current-task word lies in.
static int find_block(struct dl_phdr_info *module, size_t size, void *result) {
    (void)size;
    if (!module->dlpi_tls_data) return 0;
    size_t count = 0;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        if (module->dlpi_phdr[i].p_type == PT_TLS) {
            count = module->dlpi_phdr[i].p_memsz / sizeof(void *);
        }
    }
    void **words = module->dlpi_tls_data;
    void **slot = cctx_this_host_thread.task_slot;
    if ((uintptr_t)slot < (uintptr_t)words || (uintptr_t)slot >= (uintptr_t)(words + count)) {
        return 0;
    }
    *(tls_block *)result = (tls_block){words, count};
    return 1;
}

// Where in its block the word lies, once it was found on some thread; on all it is the same place.
static _Atomic size_t known_place = SIZE_MAX;

// What the probe needs while the binding is in place.
static _Thread_local struct {
    tls_block block;
    void **before;
    bool (*is_bound)(void);
    void **found;
    int matches;
} probe;

// The sanitizers have no part in a look at words that nobody declared.
__attribute__((no_sanitize("address", "thread"))) static void prove(void **word) {
    void *value = *word;
    if (!value) return;
    *word = NULL;
    bool hidden = !probe.is_bound();
    *word = value;
    if (!hidden || !probe.is_bound()) return;
    probe.found = word;
    probe.matches++;
}

__attribute__((no_sanitize("address", "thread"))) static void look(void) {
    size_t place = known_place;
    if (place < probe.block.count) {
        prove(&probe.block.words[place]);
        return;
    }
    for (size_t i = 0; i < probe.block.count; i++) {
        void **word = &probe.block.words[i];
        if (*word != probe.before[i]) prove(word);
    }
}

static void do_nothing(void) {}

__attribute__((no_sanitize("address", "thread"))) static void
copy_words(void **to, void **from, size_t count) {
    for (size_t i = 0; i < count; i++) ((void *volatile *)to)[i] = from[i];
}

bool cctx_raw_find_locals(void (*with_binding)(void (*body)(void)), bool (*is_bound)(void)) {
    if (cctx_this_raw_thread.locals_slot) return true;
    void **task_slot = cctx_this_host_thread.task_slot;
    if (!task_slot || dl_iterate_phdr(find_block, &probe.block) != 1) return false;
    probe.before = malloc(probe.block.count * sizeof(void *));
    if (!probe.before) return false;
    probe.is_bound = is_bound;
    probe.found = NULL;
    probe.matches = 0;

    void *task = *task_slot;
    *task_slot = NULL;
    // The first round does what happens only once, so that it does not show as a change.
    with_binding(do_nothing);
    copy_words(probe.before, probe.block.words, probe.block.count);
    with_binding(look);
    *task_slot = task;

    free(probe.before);
    if (probe.matches != 1) return false;
    cctx_this_raw_thread.locals_slot = probe.found;
    known_place = (size_t)(probe.found - probe.block.words);
    return true;
}
