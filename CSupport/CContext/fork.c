// What becomes of the thread that forks, in the child.
//
// The child's only thread is a copy of the one that called fork(2), in the middle of whatever that
// was: perhaps of a fiber or a job of a worker. It may go on there, up to an exec or _exit; but it
// is no worker any more and in no fiber, so that calls which would wait find nothing to wait in. What
// would bring it back to the worker's loop traps: there the parent's other fibers would be run a
// second time.

#include "cctx_raw.h"

#include <pthread.h>

// Implemented in Worker+Fork.swift: the worker of this thread begins nothing any more. No locks.
extern void cctx_worker_forked(const void *worker) __attribute__((weak));

// Of the thread that forked, the only one of the parent's that the child has. Written before it has another.
static const cctx_raw_thread *forker;

const cctx_raw_thread *cctx_raw_forker(void) { return forker; }

static void in_child(void) {
    cctx_thread *thread = &cctx_this_thread;
    forker = &cctx_this_raw_thread;
    cctx_host_thread *host = &cctx_this_host_thread;
    if (thread->worker && cctx_worker_forked) cctx_worker_forked(thread->worker);
    thread->worker = NULL;
    if (host->running) host->running->context.state = cctx_forked;
    host->running = NULL;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

void cctx_watch_forks(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
}
