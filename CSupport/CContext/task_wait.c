// The wait of a Swift task that runs as a job of a worker, as one async function in C.

#include "swift_runtime.h"

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
