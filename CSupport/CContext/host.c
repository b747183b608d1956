// The host of a fiber as one async function in C.
//
// Why C: the task's allocator is strictly last-in first-out, and `withValue` allocates on it. With a
// Swift body, the fiber would run while the body itself is suspended in a continuation, whose context
// debug builds also put on that allocator; the two would be freed in the wrong order. Here
// the body has no allocation that overlaps the fiber's.
//
// What is known about the runtime (Swift 6.0 to 6.3, Linux; concurrency layout version 1): the
// offsets of two fields of AsyncTask, the async calling convention with its {parent, resume} context
// header, and the shape of an async function pointer. `cctx_host_layout_is_known` checks what
// can be checked without running; FiberHost.swift then runs a probe.

#define _GNU_SOURCE

#include "cctx_host.h"

#include <link.h>
#include <stddef.h>

#define SWIFT_CALL __attribute__((swiftcall))
#define ASYNC_CALL __attribute__((swiftasynccall))
#define ASYNC_CONTEXT __attribute__((swift_async_context))
#define SWIFT_CONTEXT __attribute__((swift_context))
#define TAIL __attribute__((musttail)) return

typedef struct async_context async_context;
// `error` is what an async function that throws hands to whom it returns; NULL everywhere here. The end of a
// task reads it.
typedef ASYNC_CALL void (*async_resume)(ASYNC_CONTEXT async_context *context, SWIFT_CONTEXT void *error);

struct async_context {
    async_context *parent;
    async_resume resume;
    cctx_fiber *fiber;
    // While the stack waits for an await in place: the record of the executor that the task prefers.
    void *preference;
};

// The head of swift::AsyncTask (swift/ABI/Task.h).
typedef struct async_task {
    void *metadata;
    uintptr_t reference_counts;
    void *scheduler_private[2];
    uint32_t flags;
    uint32_t identifier;
    void *reserved[2];
    async_resume resume;
    async_context *resume_context;
} async_task;

_Static_assert(offsetof(async_task, resume) == 0x38, "the runtime's layout");
_Static_assert(offsetof(async_task, resume_context) == 0x40, "the runtime's layout");

typedef struct async_function_pointer {
    int32_t relative_entry;
    uint32_t context_size;
} async_function_pointer;

typedef SWIFT_CALL void (*cancellation_handler)(SWIFT_CONTEXT void *argument);

typedef struct task_and_context {
    void *task;
    void *context;
} task_and_context;

// Of the flags of swift_task_create (swift/ABI/MetadataValues.h, TaskCreateFlags); the low byte is the priority,
// 0 for the one that is inherited.
enum {
    task_copies_locals = 1u << 10,
    task_inherits_context = 1u << 11,
};

// The head of swift::InitialTaskNameTaskOptionRecord (swift/ABI/TaskOptions.h).
typedef struct task_name_option {
    uintptr_t kind;
    void *parent;
    const char *name;
} task_name_option;
enum { task_name_option_kind = 7 };

// Weak, so that a program without the Swift runtime (the C tests of this target) links.
extern SWIFT_CALL void *swift_task_getCurrent(void) __attribute__((weak));
extern SWIFT_CALL void *swift_task_suspend(void) __attribute__((weak));
extern SWIFT_CALL task_and_context swift_task_create(size_t flags, void *options, const void *result_type,
                                                     const void *function, void *closure)
    __attribute__((weak));
extern SWIFT_CALL void *swift_task_pushTaskExecutorPreference(const void *identity,
                                                              const void *implementation)
    __attribute__((weak));
extern SWIFT_CALL void swift_task_popTaskExecutorPreference(void *record) __attribute__((weak));
extern SWIFT_CALL void *swift_task_alloc(size_t size) __attribute__((weak));
extern SWIFT_CALL void swift_task_dealloc(void *memory) __attribute__((weak));
extern SWIFT_CALL void swift_task_cancel(void *task) __attribute__((weak));
extern SWIFT_CALL void *swift_task_addCancellationHandler(cancellation_handler handler,
                                                          void *argument) __attribute__((weak));
extern SWIFT_CALL void swift_task_removeCancellationHandler(void *record) __attribute__((weak));
extern const uint32_t _swift_concurrency_debug_internal_layout_version __attribute__((weak));
extern const size_t _swift_concurrency_debug_asyncTaskSize __attribute__((weak));

// `cctx_pending` of FiberHost.swift: runs the closure that the fiber wants awaited.
extern const async_function_pointer cctx_pendingTu __attribute__((weak));

_Thread_local cctx_host_thread cctx_this_host_thread __attribute__((tls_model("initial-exec")));

bool cctx_host_layout_is_known(void) {
    enum { known_layout = 1, known_task_size = 208 };
    return &_swift_concurrency_debug_internal_layout_version &&
           &_swift_concurrency_debug_asyncTaskSize && &cctx_pendingTu &&
           _swift_concurrency_debug_internal_layout_version == known_layout &&
           _swift_concurrency_debug_asyncTaskSize == known_task_size;
}

bool cctx_host_has_slot(void) { return cctx_this_host_thread.task_slot != NULL; }

void *cctx_host_current_task(void) { return swift_task_getCurrent(); }

void cctx_host_cancel(void *task) { swift_task_cancel(task); }

void cctx_host_returned(void) { __asm__ volatile("" ::: "memory"); }

static ASYNC_CALL void host_check(ASYNC_CONTEXT async_context *context, SWIFT_CONTEXT void *error);

static ASYNC_CALL void host_run(ASYNC_CONTEXT async_context *context, SWIFT_CONTEXT void *error) {
    cctx_fiber_run(context->fiber);
    TAIL host_check(context, error);
}

// The awaited closure has returned: free its frame and go on in the fiber.
static ASYNC_CALL void after_await(ASYNC_CONTEXT async_context *callee, SWIFT_CONTEXT void *error) {
    async_context *context = callee->parent;
    swift_task_dealloc(callee);
    swift_task_popTaskExecutorPreference(context->preference);
    TAIL host_run(context, error);
}

// The stack has stopped: it ended, wants an await, or is parked.
static ASYNC_CALL void host_check(ASYNC_CONTEXT async_context *context, SWIFT_CONTEXT void *error) {
    cctx_fiber *fiber = context->fiber;
    if (!fiber) TAIL context->resume(context, NULL);
    if (fiber->context.finished) {
        // For the worker, when the job is over: clang's async frames cannot be unwound by libgcc, so nothing that
        // might throw or trap is called from here.
        cctx_this_host_thread.ended = fiber;
        TAIL context->resume(context, NULL);
    }
    if (fiber->wants_await) {
        fiber->wants_await = false;
        // Only here does the task need to know its executor: a stack is resumed by its worker and by nobody else.
        context->preference = swift_task_pushTaskExecutorPreference(
            cctx_this_host_thread.executor[0], cctx_this_host_thread.executor[1]);
        async_context *callee = swift_task_alloc(cctx_pendingTu.context_size);
        callee->parent = context;
        callee->resume = after_await;
        async_resume entry =
            (async_resume)((char *)&cctx_pendingTu + cctx_pendingTu.relative_entry);
        cctx_this_host_thread.pending = fiber;
        TAIL entry(callee, error);
    }
    async_task *task = fiber->task;
    task->resume_context = context;
    if (fiber->rung == cctx_rung_slot) {
        // No continuation, no dependency record: the task just stops being current. The runtime still
        // takes it for running, which is what lets the slot rung resume it without telling anyone.
        task->resume = host_check;
        *cctx_this_host_thread.task_slot = NULL;
    } else {
        task->resume = host_run;
        swift_task_suspend();
    }
}

// The body of the host task. The runtime calls it as it calls the closure of any task: with a place for the
// result, which is empty, and the closure's context, which there is none of.
__attribute__((visibility("hidden"))) ASYNC_CALL void cctx_host(void *result,
                                                                ASYNC_CONTEXT async_context *context,
                                                                SWIFT_CONTEXT void *closure) {
    (void)result;
    cctx_fiber *fiber = context->fiber;
    // Not guaranteed tail calls (the signatures differ), and once per fiber they need not be.
    if (fiber && fiber->rung == cctx_rung_job) {
        host_run(context, closure);
    } else {
        // On the slot rung the stack has run already: it ended, or wants an await.
        host_check(context, closure);
    }
}

// The async function pointer of `cctx_host`: where it is, and how large a context it needs.
__asm__(".pushsection .rodata.cctx_hostTu,\"a\",@progbits\n"
        ".globl cctx_hostTu\n"
        ".hidden cctx_hostTu\n"
        ".p2align 3\n"
        "cctx_hostTu:\n"
        "    .long cctx_host - cctx_hostTu\n"
        "    .long 32\n"
        ".popsection\n");

_Static_assert(sizeof(async_context) == 32, "the size in cctx_hostTu");
extern const async_function_pointer cctx_hostTu __attribute__((visibility("hidden")));

void *cctx_host_create(const void *empty_type, uint8_t priority, bool inherits, const char *name) {
    size_t flags = priority | (inherits ? task_copies_locals | task_inherits_context : 0);
    task_name_option option = {.kind = task_name_option_kind, .name = name};
    task_and_context made =
        swift_task_create(flags, name ? &option : NULL, empty_type, &cctx_hostTu, NULL);
    ((async_context *)made.context)->fiber = NULL;
    return made.task;
}

void cctx_host_attach(void *task, cctx_fiber *fiber) {
    fiber->task = task;
    ((async_task *)task)->resume_context->fiber = fiber;
}

// The wait of a task. Its context holds what the wait needs, so nothing is allocated.
typedef struct wait_context {
    async_context *parent;
    async_resume resume;
    const void *worker;
    uint64_t token;
    void *cancellation_record;
    int32_t result;
    uint8_t reason;
    uint8_t kind;
} wait_context;

// Implemented in TaskHost.swift. Any thread, with the task's status lock held: must not block.
extern void cctx_wait_cancelled(const void *worker, uint64_t token, uint8_t kind)
    __attribute__((weak));

static SWIFT_CALL void wait_cancelled(SWIFT_CONTEXT void *argument) {
    wait_context *wait = argument;
    cctx_wait_cancelled(wait->worker, wait->token, wait->kind);
}

void cctx_task_deliver(void *task, int32_t result, uint8_t reason) {
    wait_context *wait = (wait_context *)((async_task *)task)->resume_context;
    wait->result = result;
    wait->reason = reason;
}

static ASYNC_CALL void wait_ended(ASYNC_CONTEXT async_context *context, SWIFT_CONTEXT void *error) {
    wait_context *wait = (wait_context *)context;
    swift_task_removeCancellationHandler(wait->cancellation_record);
    cctx_this_host_thread.outcome =
        (cctx_wait_outcome){swift_task_getCurrent(), wait->result, wait->reason};
    TAIL context->resume(context, error);
}

__attribute__((visibility("hidden"))) ASYNC_CALL void cctx_task_wait(
    ASYNC_CONTEXT async_context *context, const void *isolation, const void *isolation_witness,
    const void *worker, uint64_t token, uint8_t kind) {
    // Declared nonisolated(nonsending), which passes the caller's isolation first: so the caller has
    // no reason to hop when it comes back. It is nil here.
    (void)isolation;
    (void)isolation_witness;
    wait_context *wait = (wait_context *)context;
    wait->worker = worker;
    wait->token = token;
    wait->kind = kind;
    async_task *task = swift_task_getCurrent();
    task->resume = wait_ended;
    task->resume_context = context;
    // Runs the handler at once when the task is cancelled already; that may deliver, so comes last.
    wait->cancellation_record = swift_task_addCancellationHandler(wait_cancelled, wait);
    if (cctx_this_host_thread.task_slot) {
        *cctx_this_host_thread.task_slot = NULL;
    } else {
        swift_task_suspend();
    }
}

__asm__(".pushsection .rodata.cctx_task_waitTu,\"a\",@progbits\n"
        ".globl cctx_task_waitTu\n"
        ".hidden cctx_task_waitTu\n"
        ".p2align 3\n"
        "cctx_task_waitTu:\n"
        "    .long cctx_task_wait - cctx_task_waitTu\n"
        "    .long 48\n"
        ".popsection\n");

_Static_assert(sizeof(wait_context) == 48, "the size in cctx_task_waitTu");

// Some state of the runtime is thread-local with no exported accessor. Its address is found by its
// value, in the thread-local blocks of all modules, and then proved.
typedef struct tls_search {
    void *value;
    bool (*prove)(void **word, void *value);
    void **found;
} tls_search;

static int scan_module(struct dl_phdr_info *module, size_t size, void *argument) {
    (void)size;
    tls_search *search = argument;
    if (!module->dlpi_tls_data) return 0;
    size_t words = 0;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        if (module->dlpi_phdr[i].p_type == PT_TLS) {
            words = module->dlpi_phdr[i].p_memsz / sizeof(void *);
        }
    }
    void **block = module->dlpi_tls_data;
    for (size_t i = 0; i < words; i++) {
        if (block[i] == search->value && search->prove(&block[i], search->value)) {
            search->found = &block[i];
            return 1;
        }
    }
    return 0;
}

// Only the right word changes what swift_task_getCurrent returns.
static bool is_task_slot(void **word, void *current) {
    static char dummy;
    *word = &dummy;
    bool proved = swift_task_getCurrent() == &dummy;
    *word = current;
    return proved;
}

bool cctx_host_find_slot(void) {
    if (cctx_host_has_slot()) return true;
    tls_search search = {.value = swift_task_getCurrent(), .prove = is_task_slot};
    if (search.value) dl_iterate_phdr(scan_module, &search);
    cctx_this_host_thread.task_slot = search.found;
    return search.found != NULL;
}

// The buffer that the runtime links into its list (swift::runtime::Access, three words).
typedef struct access_buffer {
    void *words[3];
} access_buffer;

extern void swift_beginAccess(void *pointer, access_buffer *buffer, uintptr_t flags, void *pc)
    __attribute__((weak));
extern void swift_endAccess(access_buffer *buffer) __attribute__((weak));

// Modify, and tracked: swift/ABI/MetadataValues.h, ExclusivityFlags.
enum { tracked_modification = 0x21 };

// The head names the newest access, and nothing once that has ended.
static bool is_access_head(void **word, void *first) {
    access_buffer second;
    static char elsewhere;
    swift_beginAccess(&elsewhere, &second, tracked_modification, NULL);
    bool names_newest = *word == &second;
    swift_endAccess(&second);
    return names_newest && *word == first;
}

void cctx_host_find_access_head(void) {
    if (!swift_beginAccess || !swift_endAccess) return;
    static char here;
    access_buffer first;
    swift_beginAccess(&here, &first, tracked_modification, NULL);
    tls_search search = {.value = &first, .prove = is_access_head};
    dl_iterate_phdr(scan_module, &search);
    swift_endAccess(&first);
    if (search.found && *search.found == NULL) {
        cctx_this_thread.access_head = (const uintptr_t *)search.found;
    }
}
