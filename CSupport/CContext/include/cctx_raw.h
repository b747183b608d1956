// Contexts that run user Swift code without a task: coroutines and generators.
//
// Two words of the Swift runtime belong to a flow of control but are kept per thread: the current
// task, and the head of the list of task-locals that are bound while there is no task. A raw
// context has its own pair; the words are exchanged around every resume. So code in a raw context
// has no current task, whatever its resumer has, and what it binds with `withValue` is its own.
//
// Both are private to the runtime. They are found at run time and proved (cctx_host_find_slot,
// cctx_raw_find_locals). A word that was not found is not exchanged: then bindings that are held
// over a switch are mixed up between flows.

#ifndef CCTX_RAW_H
#define CCTX_RAW_H

#include "cctx_host.h"

#pragma clang assume_nonnull begin

// What a raw context does: a RawContext.State.
enum {
    cctx_raw_pending = 0,
    cctx_raw_suspended = 1,
    cctx_raw_running = 2,
    cctx_raw_ended = 3,
};

// What C and Swift both look at during a switch. The first stored property of the Swift object, so
// that C finds it there (see cctx_raw_head_of). For the thread of the context only.
typedef struct cctx_raw_head {
    // From the first resume to the end.
    struct cctx_raw *_Nullable record;
    // The Swift object of its thread. Any thread may read it.
    void *thread;
    // Of a coroutine: the type of the values, which all have in common that switch to each other.
    const void *_Nullable family;
    // Of a coroutine: the user's object, for as long as there is one.
    void *_Nullable handle;
    uint8_t state;
    // The body is being unwound: whatever would suspend it by its own wish throws instead.
    bool is_closing;
    // Of a coroutine: it sees the task-locals of whoever resumes it.
    bool shares_locals;
} cctx_raw_head;

// The record of a raw context, at the top of its stack. For its thread only.
typedef struct cctx_raw {
    cctx context;
    // The Swift object, retained for as long as the stack exists.
    void *_Nullable owner;
    // These travel by exchange, like those in cctx: the context's own while it is suspended, its
    // resumer's while it runs.
    void *_Nullable task;
    void *_Nullable locals;
    // The fiber that the last resume happened in.
    cctx_fiber *_Nullable fiber;
    // Where the element lies that a generator's body has yielded; NULL when it has stopped for
    // another reason.
    void *_Nullable offer;
    // Where the value lies that was sent to the body.
    void *_Nullable sent;
    cctx_stack_pool *_Nullable pool;
    // An error was thrown into the generator, which its pending yield throws.
    bool is_thrown_into;
} cctx_raw;

_Static_assert(sizeof(cctx_raw) % 16 == 0, "records need no padding after them");

enum {
    // A tracer is installed.
    cctx_attention_traced = 1,
    // Something else than a value at `mail` arrives.
    cctx_attention_parcel = 2,
    // The coroutine that gets control is to unwind.
    cctx_attention_unwind = 4,
};

typedef struct cctx_raw_thread {
    // The runtime's head of the list of task-locals outside tasks, once found.
    void *_Nullable *_Nullable locals_slot;
    // The Swift object of this thread.
    void *_Nullable state;
    // The coroutine that runs, and the fiber it runs in. Code in another fiber is not in it.
    cctx_raw *_Nullable current;
    cctx_fiber *_Nullable carrier;
    // Set by a coroutine that switches: who is to run next; NULL for the code outside.
    cctx_raw *_Nullable target;
    // Where the value lies that a coroutine's switch has sent, in the sender's frame.
    void *_Nullable mail;
    // What whoever gets control next must look at before it takes that value: cctx_attention_ bits.
    uint32_t attention;
    // Something was dropped on another thread that this one is to unwind. Written by any thread under the lock of the
    // thread's Swift object, while the thread exists; taken by this one.
    bool has_mail;
    // Not prepared for contexts, or a word of the runtime was not found. See cctx_raw_look_at_thread.
    bool lacks_words;
    uint8_t unused[2];
} cctx_raw_thread;

_Static_assert(offsetof(cctx_raw_thread, attention) % 8 == 0, "read as one word with the three after it");

// A Swift object begins with its type and its count of references.
enum { cctx_object_header_size = 16 };

static inline cctx_raw_head *cctx_raw_head_of(const void *object) {
    return (cctx_raw_head *)(void *)((char *)object + cctx_object_header_size);
}

extern _Thread_local cctx_raw_thread cctx_this_raw_thread
    __attribute__((tls_model("initial-exec")));

static inline cctx_raw_thread *cctx_current_raw_thread(void) { return &cctx_this_raw_thread; }

// Looks for this thread's head of the task-locals outside tasks. `with_binding` calls its argument
// while a task-local is bound, and `is_bound` tells whether it reads as bound. True when exactly
// that word was found: emptying it hides the binding, restoring it brings the binding back. Needs
// the current-task word, which lies in the same block of thread-local storage. Where a binding is
// in place already, another one does not change the word: then it is found only if it was found
// before on another thread.
bool cctx_raw_find_locals(void (*with_binding)(void (*body)(void)), bool (*is_bound)(void));

// The kernel's number of this thread.
int32_t cctx_raw_thread_number(void);

// True in a Swift task, as far as this thread's current-task word is known.
static inline bool cctx_raw_is_in_task(void) {
    void **slot = cctx_this_host_thread.task_slot;
    return slot && *slot;
}

// Gives a suspended context the current task and the task-locals of the code that is to resume it.
static inline void cctx_raw_share(cctx_raw *raw) {
    raw->task = *cctx_this_host_thread.task_slot;
    raw->locals = *cctx_this_raw_thread.locals_slot;
}

// True when this code runs on the stack of `raw`, or on one that was resumed from there, without a
// switch of fibers in between.
bool cctx_raw_is_below(const cctx_raw *raw);

// In the child of a fork, the words of the thread that forked, once cctx_watch_forks was called; else NULL.
const cctx_raw_thread *_Nullable cctx_raw_forker(void);

// True when code of a coroutine runs on a thread. For counts: any thread, while `thread` exists.
bool cctx_raw_is_running(const cctx_raw_thread *thread);

static inline void cctx_raw_post_mail(cctx_raw_thread *thread) {
    __atomic_store_n(&thread->has_mail, true, __ATOMIC_RELEASE);
}
static inline bool cctx_raw_has_mail(const cctx_raw_thread *thread) {
    return __atomic_load_n(&thread->has_mail, __ATOMIC_RELAXED);
}
static inline bool cctx_raw_take_mail(cctx_raw_thread *thread) {
    return __atomic_exchange_n(&thread->has_mail, false, __ATOMIC_ACQUIRE);
}

// Notes whether the thread has all that contexts need, after it may have changed.
void cctx_raw_look_at_thread(void);

// True when a switch has more to do than to move a value.
CCTX_INLINE bool cctx_raw_needs_care(const cctx_raw_thread *thread) {
    typedef uint64_t __attribute__((may_alias)) word;
    return __atomic_load_n((const word *)(const void *)&thread->attention, __ATOMIC_RELAXED) != 0;
}

void cctx_raw_prepare_again(void);

// A scheduler that ran on this thread and ended has undone cctx_thread_prepare.
CCTX_INLINE void cctx_raw_ensure_prepared(void) {
    if (__builtin_expect(!cctx_this_thread.errno_address, 0)) cctx_raw_prepare_again();
}

CCTX_INLINE void cctx_raw_exchange(void *_Nullable *_Nullable slot, void *_Nullable *_Nonnull own) {
    if (!slot) return;
    void *word = *slot;
    *slot = *own;
    *own = word;
}

// Runs the context until it suspends or ends.
CCTX_INLINE void cctx_raw_resume(cctx_raw *raw) {
    cctx_raw_ensure_prepared();
    // Kept over the switch: a slot that is found meanwhile was not exchanged on the way in.
    void **task_slot = cctx_this_host_thread.task_slot;
    void **locals_slot = cctx_this_raw_thread.locals_slot;
    raw->fiber = cctx_this_host_thread.running;
    cctx_raw_exchange(task_slot, &raw->task);
    cctx_raw_exchange(locals_slot, &raw->locals);
    cctx_resume(&raw->context, false);
    cctx_raw_exchange(locals_slot, &raw->locals);
    cctx_raw_exchange(task_slot, &raw->task);
}

// True when `raw` has entered a scope, or the like, of its fiber and not left it.
CCTX_INLINE bool cctx_raw_is_bound(const cctx_raw *raw) { return raw->fiber && raw->fiber->bound == &raw->context; }

// True when `raw` itself runs, in no task, and nothing has to be prepared before it is suspended.
CCTX_INLINE bool cctx_raw_may_stop(const cctx_raw *raw) {
    void **slot = cctx_this_host_thread.task_slot;
    return cctx_this_thread.current == &raw->context && !(slot && *slot) &&
           cctx_this_thread.errno_address && !cctx_raw_is_bound(raw);
}

// Suspends whatever context is current: a raw one, or the fiber below.
CCTX_INLINE void cctx_raw_suspend(void) {
    cctx_raw_ensure_prepared();
    cctx_suspend();
}

#pragma clang assume_nonnull end

#endif
