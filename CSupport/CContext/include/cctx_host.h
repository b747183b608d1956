// The C half of a fiber's host: a Swift task under whose identity a stack runs.
//
// A fiber owns a real Swift task, so task-locals, cancellation, priority, exclusivity and `await`
// in place are those of any task. The task's body is one async function, written in C, that runs the
// fiber's stack and returns when the stack has ended. All that Ringlet knows about the inside of the
// Swift runtime is in swift_runtime.h and in FiberHost.swift; it is checked at start-up (see the article
// Rationale), and where a check fails a rung that needs less is used:
//
//   cctx_rung_slot      resume = write the thread's current-task word, switch, restore it
//   cctx_rung_job       resume = run the task as a job, park = swift_task_suspend; exported entry points
//   cctx_rung_plain     a Swift loop round a continuation; public API only, nothing of this file

#ifndef CCTX_HOST_H
#define CCTX_HOST_H

#include "ccontext.h"

#pragma clang assume_nonnull begin

typedef enum cctx_rung {
    cctx_rung_plain = 0,
    cctx_rung_job = 1,
    cctx_rung_slot = 2,
} cctx_rung;

typedef enum cctx_suspension {
    cctx_suspension_allowed = 0,
    // A wait traps, or throws.
    cctx_suspension_traps = 1,
    cctx_suspension_throws = 2,
} cctx_suspension;

// What a task of the runtime takes, in the layout that is known.
enum { cctx_task_size = 208 };

// The record of a fiber, at the top of its stack. Every field belongs to the worker's thread, but for
// `wait_result` and `wait_reason`: while the fiber is parked they belong to whoever won the right to
// wake it, and pass back with the wake.
typedef struct cctx_fiber {
    cctx context;
    // The Swift task that hosts this stack; valid until both have ended.
    void *_Nullable task;
    // The Swift object of the fiber (unretained: who takes the stack keeps the object alive).
    void *_Nullable owner;
    // The Swift object of the worker (unretained: it outlives its fibers).
    void *_Nullable worker;
    // On the plain rung: the continuation that the host's body waits in.
    void *_Nullable continuation;
    // The context that is in the innermost scope, shielded part or promise not to wait: until it has left, it must not be
    // suspended by its own wish, since all of that would hold for whoever goes on.
    const cctx *_Nullable bound;
    // The worker's list of its started fibers.
    struct cctx_fiber *_Nullable next_live;
    struct cctx_fiber *_Nullable previous_live;
    // What the fiber waits for, while it is parked: a token whose meaning `wait_kind` gives.
    uint64_t wait_token;
    // How the last wait ended: a result as in a completion, and why it was cut short, if it was.
    int32_t wait_result;
    uint8_t wait_reason;
    uint8_t wait_kind;
    // Every wait ends at once while this is set: what `cancelled`, the shield, the fiber's scopes and its interrupts
    // come to, worked out anew whenever one of them changes.
    bool must_not_wait;
    // The fiber as a whole was cancelled. Never goes back.
    bool cancelled;
    // The stack asks its host to run an async closure in the task.
    bool wants_await;
    uint8_t rung;
    // How many shielded parts the fiber is in: what was cancelled outside the innermost does not count inside.
    uint8_t shield;
    // A cctx_suspension: what the fiber has promised about waits.
    uint8_t suspension;
    // The task had nothing of its own when the stack took it, and was as `fresh_task` then.
    bool has_fresh_task;
    uintptr_t fresh_task[cctx_task_size / sizeof(uintptr_t)];
} cctx_fiber;

// True when the runtime's layout is the one that swift_runtime.h describes.
bool cctx_host_layout_is_known(void);

// For tests: from here on the process takes the runtime for one that it does not know. Before the first use of what
// asks, and by one thread.
void cctx_host_forget_runtime(void);
bool cctx_host_runtime_is_forgotten(void);

// Finds the thread's current-task word, inside a task on that thread. True when it was found and
// proved by writing a dummy and reading it back through the runtime.
bool cctx_host_find_slot(void);

// True when this thread's current-task word is known.
bool cctx_host_has_slot(void);

// Finds the head of the thread's list of exclusivity accesses, by making an access and looking for its
// record; proved by a second one. Without it the switch asks the runtime each time. Best effort.
void cctx_host_find_access_head(void);

// The current task, or NULL.
void *_Nullable cctx_host_current_task(void);

// Makes the task of a fiber. It is not queued anywhere: it waits for its stack. Any thread; not on the plain rung.
//
//   empty_type  the runtime's metadata of the empty tuple
//   priority    of the task, 0 for the one that is inherited
//   inherits    task-locals and priority come from the task that makes this one
//   name        of the task, copied; or NULL
void *cctx_host_create(const void *empty_type, uint8_t priority, bool inherits,
                       const char *_Nullable name);

// Makes a task that has copies of the task-locals that are bound here, and is not to have a stack: a raw
// context that has it as its current task sees them. Run as a job, it ends.
void *cctx_host_copy_locals(const void *empty_type);

// Called where a task-local is bound, whose key this is: true when the current task has it where swift_runtime.h says.
// Without that a task is always made where its fiber is.
bool cctx_host_find_locals(const void *key);

// The priority that a task would inherit here. 0 when a task that is made later would not do as well as one that is made
// here, because there is something to copy, or when that is not known. Any thread.
uint8_t cctx_host_later_priority(void);

// Gives a task that has not run yet its stack. Run as a job without one, the task just ends. `is_fresh` says that it
// has no name and no task-locals, as any other one of its priority.
void cctx_host_attach(void *task, cctx_fiber *fiber, bool is_fresh);

// After the end of a stack: takes its task from it if that can serve another stack as if it had just been made. So it is
// when it was fresh, and has not changed in any bit: it has not run as a job, was not cancelled or escalated, and nobody
// has a reference to it. NULL otherwise: the task is to be run and ends.
void *_Nullable cctx_host_recover(cctx_fiber *fiber);

// Requests cancellation of a task that is known to be alive. Any thread.
void cctx_host_cancel(void *task);

// The wait of a Swift task that runs as a job of a worker: `cctx_task_wait`, an async function, parks the
// current task until the worker runs it as a job again. It costs half of a continuation, which
// records a dependency and takes the task's status lock several times. Swift declares it as
// `func taskWait(worker:token:kind:) async`; the three are handed to `cctx_wait_cancelled` if the task is
// cancelled meanwhile.

// Stores how the wait of a parked task ended, before the worker runs it. The worker's thread.
void cctx_task_deliver(void *task, int32_t result, uint8_t reason);

// What was delivered to the task that has just come back from its wait.
typedef struct cctx_wait_outcome {
    void *_Nullable task;
    int32_t result;
    uint8_t reason;
} cctx_wait_outcome;

typedef struct cctx_host_thread {
    // The runtime's current-task word of this thread, once found.
    void *_Nullable *_Nullable task_slot;
    // The fiber whose stack runs on this thread.
    cctx_fiber *_Nullable running;
    // What the worker's tasks prefer as their executor: an object and how it is one.
    const void *_Nullable executor[2];
    // A fiber whose stack and task have both ended in the job that ran last.
    cctx_fiber *_Nullable ended;
    // The fiber whose closure `cctx_pending` is about to run.
    cctx_fiber *_Nullable pending;
    // Between the end of a task's wait and its next instruction.
    cctx_wait_outcome outcome;
} cctx_host_thread;

extern _Thread_local cctx_host_thread cctx_this_host_thread
    __attribute__((tls_model("initial-exec")));

static inline cctx_host_thread *cctx_current_host_thread(void) { return &cctx_this_host_thread; }

// From now on a child of a fork has no part in its parent's fibers (fork.c). Idempotent; any thread.
void cctx_watch_forks(void);

// Does nothing that the compiler can see through.
void cctx_host_returned(void);

// Runs the fiber's stack until it parks, wants an await or ends. Called from the worker's loop or
// from the host's task, where nothing else of Swift is in the middle of an access.
static inline void cctx_fiber_run(cctx_fiber *fiber) {
    cctx_this_host_thread.running = fiber;
    cctx_resume(&fiber->context, true);
    cctx_this_host_thread.running = NULL;
}

// Ends the process: a fiber has stopped in the middle of another task, which runs on its stack because it was started
// immediately. Both would go on with the wrong task, and free each other's memory.
__attribute__((noreturn, cold)) void cctx_trap_other_task(void);

// Begins or resumes a fiber on the slot rung. True when the fiber ended or wants an await: the caller
// then runs the task's job, which continues in the host.
static inline bool cctx_fiber_resume_by_slot(cctx_fiber *fiber) {
    void **slot = cctx_this_host_thread.task_slot;
    void *previous = *slot;
    *slot = fiber->task;
    cctx_fiber_run(fiber);
    if (__builtin_expect(*slot != fiber->task, 0)) cctx_trap_other_task();
    *slot = previous;
    return fiber->context.finished || fiber->wants_await;
}

#pragma clang assume_nonnull end

#endif
