// The host of a fiber as one async function in C.
//
// Why C: the task's allocator is strictly last-in first-out, and `withValue` allocates on it. With a
// Swift body, the fiber would run while the body itself is suspended in a continuation, whose context
// debug builds also put on that allocator; the two would be freed in the wrong order. Here
// the body has no allocation that overlaps the fiber's.

#include "swift_runtime.h"

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

void *cctx_host_copy_locals(const void *empty_type) {
    task_and_context made =
        swift_task_create(task_copies_locals, NULL, empty_type, &cctx_hostTu, NULL);
    ((async_context *)made.context)->fiber = NULL;
    return made.task;
}

void cctx_host_attach(void *task, cctx_fiber *fiber) {
    fiber->task = task;
    ((async_task *)task)->resume_context->fiber = fiber;
}
