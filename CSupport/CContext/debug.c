// The table that debuggers read, and the list of workers in it. cctx_debug.h says what for.

#define _GNU_SOURCE

#include "cctx_debug.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct debug_table {
    // 2 to the 32 for each change that old readers do not understand; they look at this first.
    uint64_t version;
    cctx_worker *workers;
    struct {
        uint32_t next, live, thread, index;
    } worker;
    struct {
        uint32_t next, owner, wait_kind, wait_token;
        uint32_t sp, name, state, kind, stack_limit, stack_size;
    } fiber;
} debug_table;

// In the dynamic symbol table of the shared library also when that is stripped.
extern debug_table ringlet_debug;
__attribute__((visibility("default"), used)) debug_table ringlet_debug = {
    .version = 1,
    .worker = {offsetof(cctx_worker, next), offsetof(cctx_worker, live),
               offsetof(cctx_worker, thread), offsetof(cctx_worker, index)},
    .fiber = {offsetof(cctx_fiber, next_live), offsetof(cctx_fiber, owner),
              offsetof(cctx_fiber, wait_kind), offsetof(cctx_fiber, wait_token),
              offsetof(cctx_fiber, context.sp), offsetof(cctx_fiber, context.name),
              offsetof(cctx_fiber, context.state), offsetof(cctx_fiber, context.kind),
              offsetof(cctx_fiber, context.stack_limit), offsetof(cctx_fiber, context.stack_size)},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// Of the first thread, libc finds it in /proc/self/maps: once per thread.
static void find_stack(cctx_worker *worker) {
    static _Thread_local void *limit;
    static _Thread_local size_t size;
    pthread_attr_t attributes;
    if (!limit && pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &limit, &size);
        pthread_attr_destroy(&attributes);
    }
    worker->stack_limit = (uintptr_t)limit;
    worker->stack_top = (uintptr_t)limit + size;
}

void cctx_worker_begin(cctx_worker *worker, int32_t index) {
    worker->index = index;
    worker->thread = (int32_t)syscall(SYS_gettid);
    worker->previous = NULL;
    worker->host = &cctx_this_host_thread;
    find_stack(worker);
    pthread_mutex_lock(&lock);
    worker->next = ringlet_debug.workers;
    if (worker->next) worker->next->previous = worker;
    ringlet_debug.workers = worker;
    pthread_mutex_unlock(&lock);
}

void cctx_worker_end(cctx_worker *worker) {
    pthread_mutex_lock(&lock);
    if (worker->next) worker->next->previous = worker->previous;
    if (worker->previous) worker->previous->next = worker->next;
    else if (ringlet_debug.workers == worker) ringlet_debug.workers = worker->next;
    worker->next = worker->previous = NULL;
    pthread_mutex_unlock(&lock);
}
