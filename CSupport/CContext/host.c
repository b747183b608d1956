// The host of a fiber as one async function in C.
//
// Why C: the task's allocator is strictly last-in first-out, and `withValue` allocates on it. With a
// Swift body, the fiber would run while the body itself is suspended in a continuation, whose context
// debug builds also put on that allocator; the two would be freed in the wrong order. Here
// the body has no allocation that overlaps the fiber's.

#include "swift_runtime.h"

#include <string.h>
#include <unistd.h>

// `cctx_pending` of FiberHost.swift: runs the closure that the fiber wants awaited.
extern const async_function_pointer cctx_pendingTu __attribute__((weak));

_Thread_local cctx_host_thread cctx_this_host_thread __attribute__((tls_model("initial-exec")));

static bool is_forgotten;

void cctx_host_forget_runtime(void) { is_forgotten = true; }

bool cctx_host_runtime_is_forgotten(void) { return is_forgotten; }

bool cctx_host_layout_is_known(void) {
    if (is_forgotten) return false;
    enum { known_layout = 1 };
    return &_swift_concurrency_debug_internal_layout_version &&
           &_swift_concurrency_debug_asyncTaskSize && &cctx_pendingTu &&
           _swift_concurrency_debug_internal_layout_version == known_layout &&
           _swift_concurrency_debug_asyncTaskSize == cctx_task_size;
}

bool cctx_host_has_slot(void) { return cctx_this_host_thread.task_slot != NULL; }

void *cctx_host_current_task(void) { return swift_task_getCurrent(); }

void cctx_host_cancel(void *task) { swift_task_cancel(task); }

void cctx_host_returned(void) { __asm__ volatile("" ::: "memory"); }

void cctx_trap_other_task(void) {
    static const char message[] = "ringlet: a fiber waits in a task that its own code has started, by Task.immediate; in a "
                                  "task, await the wait instead\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
    (void)ignored;
    __builtin_trap();
}

static ASYNC_CALL void host_check(ASYNC_CONTEXT async_context *context, SWIFT_CONTEXT void *error);

static ASYNC_CALL void host_run(ASYNC_CONTEXT async_context *context, SWIFT_CONTEXT void *error) {
    cctx_fiber_run(context->fiber);
    if (swift_task_getCurrent() != context->fiber->task) cctx_trap_other_task();
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

// The body of the host task. The runtime calls it as it calls the closure of any task: with the closure's context, which
// there is none of, and before that with a place for the result, which is empty, in a register that nothing here looks
// at. So it has the signature of what it calls, and leaves no frame below what the fiber awaits first: whoever takes a
// backtrace there, as the testing library does of each error thrown, could not get past it.
__attribute__((visibility("hidden"))) ASYNC_CALL void cctx_host(ASYNC_CONTEXT async_context *context,
                                                                SWIFT_CONTEXT void *closure) {
    cctx_fiber *fiber = context->fiber;
    if (fiber && fiber->rung == cctx_rung_job) TAIL host_run(context, closure);
    // On the slot rung the stack has run already: it ended, or wants an await.
    TAIL host_check(context, closure);
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

void *cctx_host_copy_locals(const void *empty_type) {
    task_and_context made =
        swift_task_create(task_copies_locals, NULL, empty_type, &cctx_hostTu, NULL);
    ((async_context *)made.context)->fiber = NULL;
    return made.task;
}

void cctx_host_attach(void *task, cctx_fiber *fiber, bool is_fresh) {
    fiber->task = task;
    ((async_task *)task)->resume_context->fiber = fiber;
    fiber->has_fresh_task = is_fresh;
    if (is_fresh) memcpy(fiber->fresh_task, task, sizeof fiber->fresh_task);
}

void *cctx_host_recover(cctx_fiber *fiber) {
    async_task *task = fiber->task;
    if (!fiber->has_fresh_task || memcmp(fiber->fresh_task, task, sizeof fiber->fresh_task) != 0) return NULL;
    task->resume_context->fiber = NULL;
    return task;
}

// Whether `locals` is where it is expected; written once, by whichever worker tries first. Any thread.
static bool locals_are_found;

bool cctx_host_find_locals(const void *key) {
    const async_task *task = swift_task_getCurrent();
    // Not to be followed where it is something else: it would be at least an address, and that of an item.
    uintptr_t item = task ? (uintptr_t)task->locals : 0;
    bool is_found = item > 0xffff && item % sizeof(void *) == 0 && task->locals->key == key;
    __atomic_store_n(&locals_are_found, is_found, __ATOMIC_RELAXED);
    return is_found;
}

uint8_t cctx_host_later_priority(void) {
    if (!__atomic_load_n(&locals_are_found, __ATOMIC_RELAXED)) return 0;
    async_task *task = swift_task_getCurrent();
    if (!task || task->locals) return 0;
    // One that somebody waits for may have a higher one than it hands on.
    size_t priority = swift_task_currentPriority(task);
    return priority == swift_task_basePriority(task) ? (uint8_t)priority : 0;
}
