// Where a debugger finds the workers of a process and their fibers.
//
// `ringlet_debug` is a table of addresses and offsets, so that a script can read a live process, or a
// core file, without type information: of a stripped library too. Tools/gdb/ringlet-gdb.py is its reader.
// The list changes when a worker begins or ends, nowhere else.

#ifndef CCTX_DEBUG_H
#define CCTX_DEBUG_H

#include "cctx_host.h"

#pragma clang assume_nonnull begin

// One running worker. Linked under a lock when it begins and ends; `live` is its thread's.
typedef struct cctx_worker {
    struct cctx_worker *_Nullable next;
    struct cctx_worker *_Nullable previous;
    // Head of the list of its started fibers.
    cctx_fiber *_Nullable live;
    // The kernel's number of its thread, and its position among the workers of its scheduler.
    int32_t thread;
    int32_t index;
    // What the thread keeps about the fiber that it runs, and its own stack; both for samples from outside.
    const cctx_host_thread *_Nullable host;
    uintptr_t stack_limit;
    uintptr_t stack_top;
} cctx_worker;

// Enters the calling thread's worker into the list, and takes it out again.
void cctx_worker_begin(cctx_worker *worker, int32_t index);
void cctx_worker_end(cctx_worker *worker);

#pragma clang assume_nonnull end

#endif
