// What is known about the inside of the Swift runtime (Swift 6.0 to 6.3, Linux; concurrency layout version 1): the
// offsets of three fields of AsyncTask, the async calling convention with its {parent, resume} context header, the shape
// of an async function pointer, and how a task is made. `cctx_host_layout_is_known` checks what can be checked
// without running; FiberHost.swift then runs a probe.

#ifndef CCTX_SWIFT_RUNTIME_H
#define CCTX_SWIFT_RUNTIME_H

#include "cctx_host.h"

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
    // Its status, its allocator and what else is private.
    uintptr_t private_words[8];
    // The innermost binding of a task-local, which names the variable.
    const struct task_local_item *locals;
    uintptr_t more_private_words[8];
} async_task;

typedef struct task_local_item {
    uintptr_t next;
    const void *key;
} task_local_item;

_Static_assert(offsetof(async_task, resume) == 0x38, "the runtime's layout");
_Static_assert(offsetof(async_task, resume_context) == 0x40, "the runtime's layout");
_Static_assert(offsetof(async_task, locals) == 0x88, "the runtime's layout");
_Static_assert(sizeof(async_task) == cctx_task_size, "the runtime's layout");

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
extern SWIFT_CALL size_t swift_task_currentPriority(void *task) __attribute__((weak));
extern SWIFT_CALL size_t swift_task_basePriority(void *task) __attribute__((weak));
extern SWIFT_CALL void swift_task_cancel(void *task) __attribute__((weak));
extern SWIFT_CALL void *swift_task_addCancellationHandler(cancellation_handler handler,
                                                          void *argument) __attribute__((weak));
extern SWIFT_CALL void swift_task_removeCancellationHandler(void *record) __attribute__((weak));
extern const uint32_t _swift_concurrency_debug_internal_layout_version __attribute__((weak));
extern const size_t _swift_concurrency_debug_asyncTaskSize __attribute__((weak));

#endif
