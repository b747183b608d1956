/*
 * ringlet.h: coroutines on io_uring, for C and every language that can call C. Where the kernel offers
 * none, as in many containers, a ring that is emulated over epoll takes its place.
 *
 * A scheduler owns worker threads. A coroutine is a C function that runs on a stack of its own on
 * one of them; where it would block it suspends, and its thread runs others. Each is a task with an
 * id, and can be joined, cancelled and released from anywhere.
 *
 * This file is long because it is the whole contract, and its reference manual.
 *
 *     static int64_t work(void *user_data)
 *     {
 *         (void)user_data;
 *         return ringlet_sleep_until(ringlet_now() + 1000000);
 *     }
 *
 *     ringlet_scheduler *scheduler;
 *     uint64_t task;
 *     int64_t result;
 *     ringlet_scheduler_create(NULL, &scheduler);
 *     ringlet_scheduler_spawn(scheduler, work, NULL, NULL, &task);
 *     ringlet_task_join(task, &result, INT64_MAX);
 *     ringlet_task_release(task);
 *     ringlet_scheduler_destroy(scheduler);
 *
 * Extent
 *
 * In C there are schedulers with threads of their own; tasks, promises and the ids by which both are
 * waited for, one by one or in batches; groups of tasks; deadlines and shields for parts of a task;
 * calls at an instant; channels, semaphores, mutexes and events; input and output on descriptors; and
 * coroutines and generators, which need no scheduler.
 *
 * Left to Swift is what a few lines over these make (races and bounded maps: a queue tells which of
 * many tasks has ended; barriers, conditions, limiters); what C and POSIX have, or every language has of
 * its own (pools of threads, child processes, signals, names and addresses, buffered streams); what a
 * language without closures or types would hardly use (select, task-locals, async functions); and what
 * concerns the program as a whole (schedulers that run on the calling thread or in somebody else's loop,
 * watchdogs, snapshots, simulations).
 *
 * Conventions
 *
 *   Status    int32_t, or int64_t where a count is returned: negative is bad, the rest is good.
 *             -4095 to -1 are negated errno values of Linux, below them come the library's own.
 *             When a call that starts something fails, nothing was started, and nothing will be
 *             reported later. Out parameters are written on success only.
 *   Times     Instants of CLOCK_MONOTONIC in nanoseconds, as ringlet_now() gives them. Deadlines
 *             are absolute. INT64_MAX is "for ever"; whatever has passed, 0 and below too, means
 *             "do not wait".
 *   Tasks     uint64_t ids, which promises and calls have, too. 0 is never one; an id that has been
 *             released is -ESRCH for ever.
 *   Strings   UTF-8, ending in NUL. Strings that come from the library are static: never free them.
 *   Memory    Belongs to whoever allocated it. The library never returns memory to be freed with
 *             free(), and copies names. A buffer belongs to the kernel until the call returns.
 *   Unwinding Nothing may leave a coroutine's function, or any other that the library calls, but its
 *             return: no C++ exception, panic, longjmp or pthread_exit. A C++ exception that nothing in a
 *             coroutine's function catches ends the process by std::terminate, whatever the code outside
 *             would catch; so does one in the function of a ringlet_coroutine or of a generator.
 *   Threads   Need not be attached. A coroutine stays on one thread from beginning to end.
 *   fork      In the child of a fork of a process that had used the library, nothing of it exists:
 *             every call that needs a scheduler, a task or anything else that threads share returns
 *             RINGLET_E_FORK, and so does what creates one. A coroutine that forks may go on in the child
 *             up to an exec or _exit; where it would wait or return, the child traps. posix_spawn is not
 *             concerned. Descriptors of the library are close-on-exec.
 *   Signals   No disposition and no mask of the program is changed, but for a handler of SIGSEGV and
 *             SIGBUS that names overflowing stacks and then calls the one before it. Worker threads
 *             inherit the mask of the thread that creates the scheduler.
 *   dlclose   Does not unload the library; a runtime with threads cannot be taken away.
 *
 * The line "Safety" of each function is one of
 *
 *   any-thread     any thread, inside and outside coroutines, also at the same time as others
 *   owner-thread   one thread at a time for one object, usually the one that created it; for a
 *                  ringlet_coroutine only that one
 *   coroutine      inside a coroutine only, which it may suspend; -EPERM everywhere else
 *   signal-safe    as any-thread, and in signal handlers
 *
 * ABI policy
 *
 * Programs that were built against one version run with every later library of the same soname
 * (libringlet.so.0). Functions and constants are added, never removed, renumbered or given another
 * meaning; opaque types change freely, and ringlet_completion never changes. What would break a
 * program gets another soname. Each function says since which version it exists; ringlet_version()
 * tells what is loaded.
 */

#ifndef RINGLET_H
#define RINGLET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------
 * Version
 *
 * Compare the constants, which are the header's, with the functions, which are the library's. A
 * library that is newer than the header is good, an older one may lack functions.
 */

enum {
    RINGLET_VERSION_MAJOR = 0,
    RINGLET_VERSION_MINOR = 1,
    RINGLET_VERSION_PATCH = 0
};

/*
 * The version of the library: major << 16 | minor << 8 | patch.
 *
 * Safety: signal-safe. Since 0.1.0.
 */
uint32_t ringlet_version(void);

/*
 * The version of the library as text, such as "0.1.0".
 *
 * Safety: signal-safe. Since 0.1.0.
 */
const char *ringlet_version_string(void);

/* ------------------------------------------------------------------------------------------------
 * Status
 *
 * A status is a negated errno value or one of these. They have names and sentences for people;
 * programs compare numbers.
 */

enum {
    /* A failure that has no better code; a defect, please report it. */
    RINGLET_E_INTERNAL = -4096,
    /* An environment variable of Ringlet (RINGLET_...) has a value that means nothing. */
    RINGLET_E_ENVIRONMENT = -4097,
    /* The kernel's io_uring lacks what is needed; that of Linux 5.15 and newer has it. */
    RINGLET_E_KERNEL = -4098,
    /* This is the child of a fork, where nothing of the library exists: see "fork" above. */
    RINGLET_E_FORK = -4099
};

/*
 * The name of a status: "ETIMEDOUT" for -ETIMEDOUT, "OK" for 0 and every positive number, "UNKNOWN"
 * for what is no status. Never fails.
 *
 * Returns: a static string.
 * Safety: signal-safe. Since 0.1.0.
 */
const char *ringlet_status_name(int32_t status);

/*
 * The meaning of a status in a few English words. Never fails.
 *
 * Returns: a static string.
 * Safety: signal-safe. Since 0.1.0.
 */
const char *ringlet_status_message(int32_t status);

/* ------------------------------------------------------------------------------------------------
 * Time
 *
 * One clock everywhere, CLOCK_MONOTONIC. Deadlines compose where timeouts do not: one instant can
 * bound several calls in a row.
 */

/*
 * The present instant in nanoseconds.
 *
 * Safety: signal-safe. Since 0.1.0.
 */
int64_t ringlet_now(void);

/* ------------------------------------------------------------------------------------------------
 * Options of a scheduler
 *
 * An object with setters, so that later versions can add to it. It is read when a scheduler is
 * created and can be used for several, changed in between, and destroyed at any time.
 */

typedef struct ringlet_options ringlet_options;

/*
 * Creates options with the defaults: 1 worker, stacks of 256 KiB.
 *
 * options   receives the object; the caller destroys it.
 *
 * Returns: 0; -EINVAL when options is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_options_create(ringlet_options **options);

/*
 * Sets the number of worker threads, 1 to 1024. Coroutines of one worker never run at the same
 * time.
 *
 * Returns: 0; -EINVAL when options is NULL or count is out of range, which changes nothing.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_options_set_workers(ringlet_options *options, uint32_t count);

/*
 * Sets the usable bytes of a coroutine's stack, 16 KiB to 1 GiB; rounded up to whole pages. The
 * memory is reserved, and taken page by page as it is touched.
 *
 * Returns: 0; -EINVAL when options is NULL or size is out of range, which changes nothing.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_options_set_stack_size(ringlet_options *options, size_t size);

/*
 * Destroys options. NULL is allowed and does nothing.
 *
 * Safety: owner-thread. Since 0.1.0.
 */
void ringlet_options_destroy(ringlet_options *options);

/* ------------------------------------------------------------------------------------------------
 * Scheduler
 *
 * Worker threads with a ring each. Life: create, use from any thread, shut down with a limit of
 * time, destroy. Tasks can still be joined and must be released after that: their ids and results
 * do not go away with the scheduler.
 */

typedef struct ringlet_scheduler ringlet_scheduler;

/*
 * Starts a scheduler on threads of its own.
 *
 * options     may be NULL: the defaults. Not kept.
 * scheduler   receives the scheduler; the caller destroys it.
 *
 * Returns: 0;
 *   -EINVAL                 scheduler is NULL
 *   -ENOSYS                 with RINGLET_KERNEL=io_uring, without which the ring would be emulated: the
 *                           kernel has none, or a filter hides it
 *   -EPERM, -EACCES         likewise: a container's filter or kernel.io_uring_disabled forbids it
 *   -ENOMEM                 the user's limit of locked memory is used up
 *   -EMFILE, -ENFILE        too many open descriptors
 *   -EAGAIN                 a thread could not be started
 *   RINGLET_E_KERNEL        likewise: the kernel's io_uring is too old
 *   RINGLET_E_ENVIRONMENT   an environment variable of Ringlet means nothing
 *   RINGLET_E_INTERNAL      something else
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_scheduler_create(const ringlet_options *options, ringlet_scheduler **scheduler);

/*
 * Cancels every task, waits until all have ended, and stops the threads. Every completion that was
 * asked for is delivered first. From the beginning of this call on nothing can be spawned.
 *
 * deadline   when it passes first, what is left goes on; the call can be repeated to wait longer.
 *
 * Returns: 0 when nothing is left, also when the scheduler had been shut down before;
 *   -EINVAL      scheduler is NULL
 *   -ETIMEDOUT   the deadline passed, and something was left
 *   -EDEADLK     this is one of the scheduler's own threads
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_scheduler_shutdown(ringlet_scheduler *scheduler, int64_t deadline);

/*
 * Gives the scheduler up. When it was never shut down, this does it first and waits for every task.
 * When a shutdown had left something, that is left to run on, and its memory with it. NULL is
 * allowed and does nothing. No other call may use the scheduler at the same time or later.
 *
 * Returns: 0; -EDEADLK when this is one of the scheduler's own threads, and nothing was destroyed.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_scheduler_destroy(ringlet_scheduler *scheduler);

/* ------------------------------------------------------------------------------------------------
 * Options of a task
 *
 * As with a scheduler: read when a task is spawned, not kept, usable for many tasks.
 */

typedef struct ringlet_task_options ringlet_task_options;

/*
 * Creates options with the defaults: no name, no clean-up, any worker, no group.
 *
 * options   receives the object; the caller destroys it.
 *
 * Returns: 0; -EINVAL when options is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_task_options_create(ringlet_task_options **options);

/*
 * Sets the task's name, which appears in crash reports and dumps. What is not UTF-8 is repaired.
 *
 * name   copied; NULL means no name.
 *
 * Returns: 0; -EINVAL when options is NULL.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_task_options_set_name(ringlet_task_options *options, const char *name);

/*
 * Sets a function that is called with the task's user_data exactly once for each task that was
 * spawned: after its function has returned, or instead of it when it is never called. It runs on a
 * thread of the library, before the end is announced; it must neither block nor suspend.
 *
 * cleanup   NULL means none.
 *
 * Returns: 0; -EINVAL when options is NULL.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_task_options_set_cleanup(ringlet_task_options *options,
                                         void (*cleanup)(void *user_data));

/*
 * Sets the worker that runs the task, counted from 0. By default a task that is spawned on a worker
 * stays there, and tasks that other threads spawn take turns.
 *
 * Returns: 0; -EINVAL when options is NULL. Whether the worker exists is checked by the spawn.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_task_options_set_worker(ringlet_task_options *options, uint32_t worker);

/*
 * Destroys options. NULL is allowed and does nothing.
 *
 * Safety: owner-thread. Since 0.1.0.
 */
void ringlet_task_options_destroy(ringlet_task_options *options);

/* ------------------------------------------------------------------------------------------------
 * Tasks
 *
 * Spawning gives an id, and with it the duty to release it once. Joining, cancelling and releasing
 * are independent: a task can be joined many times and by many, cancelling never frees, releasing
 * never cancels. A released task runs on; its id means nothing from then on.
 *
 * A task's result is what its function returned. When the function was never called the result is
 * the reason: -ECANCELED when the task was cancelled before it began, -ENOMEM or another negated
 * errno when there was no stack for it.
 */

/*
 * A coroutine's function. It runs on a stack of its own and may suspend at any depth of calls.
 */
typedef int64_t (*ringlet_function)(void *user_data);

/*
 * Spawns a task.
 *
 * function    what to run.
 * user_data   passed to function. Stays the caller's when the call fails.
 * options     may be NULL: the defaults. Not kept.
 * task        receives the id, before the function is called; the caller releases it. NULL:
 *             there is no id, as if it were released at once.
 *
 * Returns: 0;
 *   -EINVAL      scheduler or function is NULL, or the worker of the options does not exist
 *   -ESHUTDOWN   the scheduler has been shut down, or is being
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_scheduler_spawn(ringlet_scheduler *scheduler, ringlet_function function,
                                void *user_data, const ringlet_task_options *options,
                                uint64_t *task);

/*
 * Spawns a task on the scheduler of the calling coroutine, and on its worker unless the options
 * name another. Does not suspend: the new task begins when the caller next does.
 *
 * Parameters and other errors: as ringlet_scheduler_spawn().
 *
 * Returns: 0; -EINVAL; -ESHUTDOWN; -EPERM outside a coroutine.
 * Safety: coroutine. Since 0.1.0.
 */
int32_t ringlet_spawn(ringlet_function function, void *user_data,
                      const ringlet_task_options *options, uint64_t *task);

/*
 * Waits for the end of a task. In a coroutine it suspends the coroutine, on a plain thread it
 * blocks the thread, and signals do not end the wait: a host that must run handlers of its own in
 * between waits in a queue instead. A task that has ended can be joined again,
 * and a deadline that has passed does not hide its result.
 *
 * result   receives the task's result; may be NULL.
 *
 * Returns: 0;
 *   -ESRCH       task is no id, or was released
 *   -ETIMEDOUT   the deadline passed; the task goes on
 *   -ECANCELED   the calling coroutine was cancelled; the task goes on
 *   -EDEADLK     a task that joins itself, or a worker's thread outside a coroutine
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_task_join(uint64_t task, int64_t *result, int64_t deadline);

/*
 * Requests cancellation and returns at once. A task that has not begun never calls its function.
 * In one that has, the wait it is in ends with -ECANCELED, and so does every later one; what it
 * then returns is its own business. Cancelling again, or after the end, does nothing.
 *
 * Returns: 0; -ESRCH when task is no id, or was released.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_task_cancel(uint64_t task);

/*
 * Gives the id up: it is -ESRCH from now on, also for calls of other threads that come later. The
 * task itself is not touched, and goes on if it has not ended. Calls that wait for it already, and
 * notifications that were asked for, are not touched either.
 *
 * Returns: 0; -ESRCH when task is no id, or was released before.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_task_release(uint64_t task);

/*
 * The id of the calling coroutine.
 *
 * Returns: the id; 0 outside a coroutine, and in one that has none, or none any more.
 * Safety: any-thread. Since 0.1.0.
 */
uint64_t ringlet_task_current(void);

/* ------------------------------------------------------------------------------------------------
 * Groups
 *
 * Tasks that are waited for and cancelled together, whatever scheduler they are on and whether they
 * have ids or not. A task is put into a group by the options that it is spawned with, and leaves it at
 * its end.
 *
 *     ringlet_task_options_set_group(options, group);
 *     for (int i = 0; i < 10; i++) ringlet_spawn(work, &parts[i], options, NULL);
 *     status = ringlet_group_wait(group, INT64_MAX);
 *
 * Nothing is cancelled by itself: neither the others when one has failed, nor the group when who waits
 * for it is cancelled, which gets -ECANCELED, cancels the group and waits again in
 * ringlet_with_shield(). Groups of Swift do both, and collect errors.
 */

typedef struct ringlet_group ringlet_group;

/*
 * Creates an empty group.
 *
 * group   receives the group; the caller destroys it.
 *
 * Returns: 0; -EINVAL when group is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_group_create(ringlet_group **group);

/*
 * Sets the group of the tasks. The options hold it, so it may be destroyed before they are.
 *
 * group   NULL means none.
 *
 * Returns: 0; -EINVAL when options is NULL.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_task_options_set_group(ringlet_task_options *options, ringlet_group *group);

/*
 * Waits until no task is in the group. All that were in it can then be joined without a wait. In a
 * coroutine it suspends the coroutine, on a plain thread it blocks the thread, and signals do not end
 * the wait. More tasks may be spawned into the group meanwhile, and later.
 *
 * Returns: 0;
 *   -EINVAL      group is NULL
 *   -ETIMEDOUT   the deadline passed
 *   -ECANCELED   the calling task was cancelled
 *   -EDEADLK     the calling task is in the group; or a worker's thread outside a coroutine
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_group_wait(ringlet_group *group, int64_t deadline);

/*
 * Cancels all tasks of the group, and those that come later, which never begin. Does nothing the second
 * time.
 *
 * Returns: 0; -EINVAL when group is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_group_cancel(ringlet_group *group);

/*
 * Destroys a group. NULL is allowed and does nothing. No other call may use the group at the same time
 * or later.
 *
 * Returns: 0; -EBUSY when a task is in it, and nothing was destroyed.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_group_destroy(ringlet_group *group);

/* ------------------------------------------------------------------------------------------------
 * Promises
 *
 * A task without a function: what code outside the library does, in a thread, an event loop or a
 * runtime with stacks of its own, and says the result of when it is done. It belongs to no scheduler.
 * Its id is a task's: ringlet_task_join() waits for it and ringlet_task_notify() tells a queue of it.
 *
 * ringlet_task_cancel() ends it at once, with the result -ECANCELED, and so does
 * ringlet_task_release(), after which nobody could resolve it. Whoever was to resolve it learns so
 * when it tries, and releases the id when both sides are done.
 */

/*
 * Creates a promise.
 *
 * promise   receives the id; the caller releases it.
 *
 * Returns: 0; -EINVAL when promise is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_promise_create(uint64_t *promise);

/*
 * Ends a promise. What was written before this call can be read by who has joined it.
 *
 * result   what joins and completions tell.
 *
 * Returns: 0;
 *   -EALREADY   it was resolved or cancelled before, and keeps that result
 *   -EINVAL     the id is that of a task, which ends by itself
 *   -ESRCH      promise is no id, or was released
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_promise_resolve(uint64_t promise, int64_t result);

/* ------------------------------------------------------------------------------------------------
 * Calls that a scheduler makes
 *
 * A function that needs no stack of its own, called between two tasks: what an event loop calls a
 * callback or a timer. It belongs to no task, so it must not wait: calls that would return -EDEADLK or
 * -EPERM, and those that need not wait work. For more than a moment's work it spawns a task.
 *
 * Until the scheduler shuts down: what is outstanding then is never called.
 */

/*
 * A function to be called.
 */
typedef void (*ringlet_callback)(void *user_data);

/*
 * Has function called in the next turn of a worker: the one that this thread is, otherwise worker 0.
 * What one thread asks of one worker is called in that order, each once.
 *
 * user_data   passed to function. Stays the caller's when the call fails.
 * cleanup     called with user_data exactly once: after function has returned, or instead of it when it
 *             is never called, on the thread that gives it up; it must neither block nor suspend. NULL
 *             means none.
 *
 * Returns: 0;
 *   -EINVAL      scheduler or function is NULL
 *   -ESHUTDOWN   the scheduler has been shut down, or is being
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_scheduler_post(ringlet_scheduler *scheduler, ringlet_callback function,
                               void *user_data, void (*cleanup)(void *user_data));

/*
 * The same at an instant, or as soon after it as the worker comes round; when it has passed, at once.
 * Calls are made in the order of their deadlines.
 *
 * call   receives an id, before function is called; the caller releases it, which changes nothing
 *        else. It is waited for like a task's: ringlet_task_join() and ringlet_task_notify() tell when
 *        function and cleanup have returned, with the result 0; ringlet_task_cancel() takes the call
 *        back if it has not begun, and cleanup has returned before that does. Its result is -ECANCELED
 *        when it was never made. NULL: there is no id.
 *
 * Parameters and returns: as ringlet_scheduler_post().
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_scheduler_post_at(ringlet_scheduler *scheduler, int64_t deadline,
                                  ringlet_callback function, void *user_data,
                                  void (*cleanup)(void *user_data), uint64_t *call);

/* ------------------------------------------------------------------------------------------------
 * Inside a coroutine
 *
 * Cancellation is a level, not an edge: once a task is cancelled, every one of these calls that
 * would wait returns -ECANCELED at once.
 */

/*
 * Lets everything else that is ready on this thread run first.
 *
 * Returns: 0; -ECANCELED when the task was cancelled; -EPERM outside a coroutine.
 * Safety: coroutine. Since 0.1.0.
 */
int32_t ringlet_yield(void);

/*
 * Suspends until the deadline; with INT64_MAX, until the task is cancelled.
 *
 * Returns: 0; -ECANCELED when the task was cancelled; -EPERM outside a coroutine.
 * Safety: coroutine. Since 0.1.0.
 */
int32_t ringlet_sleep_until(int64_t deadline);

/*
 * Whether the calling task was cancelled, in a shielded part too, or the deadline has passed of a
 * part that it is in. For long computations; calls that wait say it themselves.
 *
 * Returns: 1 or 0; -EPERM outside a coroutine.
 * Safety: coroutine. Since 0.1.0.
 */
int32_t ringlet_is_cancelled(void);

/*
 * Calls function, in which every wait ends with -ECANCELED once the deadline has passed, as if the
 * task had been cancelled; afterwards the task goes on as before. A function that cleans up first is
 * waited for. Nests: the earliest deadline counts, and of several that have passed the outermost is
 * told. The deadlines of single calls inside count as well, and give -ETIMEDOUT there.
 *
 * Before function has returned, a coroutine or generator that has made this call may not suspend
 * itself; others that function resumes may.
 *
 * result   receives what function returned; may be NULL.
 *
 * Returns: 0, also when function returned something else after the deadline;
 *   -ETIMEDOUT   the deadline passed, and function returned -ECANCELED because of it
 *   -EINVAL      function is NULL
 *   -EPERM       outside a coroutine
 * Safety: coroutine. Since 0.1.0.
 */
int32_t ringlet_with_deadline(int64_t deadline, ringlet_function function, void *user_data,
                              int64_t *result);

/*
 * Calls function, whose waits are not cut short by what is cancelled outside: neither by the task's
 * cancellation nor by a deadline of ringlet_with_deadline() around it. For clean-up that must finish.
 * Nests; a deadline inside works as always. The end of the scheduler waits for the function. Coroutines
 * and generators as in ringlet_with_deadline().
 *
 * result   receives what function returned; may be NULL.
 *
 * Returns: 0; -EINVAL when function is NULL; -EOVERFLOW inside 255 others; -EPERM outside a coroutine.
 * Safety: coroutine. Since 0.1.0.
 */
int32_t ringlet_with_shield(ringlet_function function, void *user_data, int64_t *result);

/* ------------------------------------------------------------------------------------------------
 * Input and output, inside a coroutine
 *
 * The calls of POSIX, made through io_uring: one operation each, which may move fewer bytes than it
 * was asked to. Descriptors should be blocking ones; with O_NONBLOCK what would wait returns
 * -EAGAIN. Nothing is tried when the deadline has passed already. Cancelling a task or reaching a
 * deadline asks the kernel to give up, and the call returns when it has, so the buffer is free
 * afterwards; bytes that had moved by then are returned as a success.
 *
 * All return -EPERM outside a coroutine, -ECANCELED when the task was cancelled, -ETIMEDOUT when
 * the deadline passed, -EBADF for what is no open descriptor or is closed by ringlet_close() while
 * the call waits, and besides that what the kernel says. Safety of all: coroutine. Since 0.1.0.
 */

/*
 * Reads from a file, pipe, socket or device, as read(2) or pread(2).
 *
 * buffer   at least size bytes, the kernel's until the call returns.
 * offset   where in the file; -1 is the file's own position, and the only choice for what has none.
 *
 * Returns: the number of bytes, 0 at the end; a status as above; -EINVAL for an offset below -1.
 */
int64_t ringlet_read(int32_t descriptor, void *buffer, size_t size, int64_t offset,
                     int64_t deadline);

/*
 * Writes to a file, pipe, socket or device, as write(2) or pwrite(2).
 *
 * buffer   size bytes, which must not change until the call returns.
 * offset   as with ringlet_read().
 *
 * A pipe or socket without a reader gives -EPIPE, and SIGPIPE as write(2) does, whose default action
 * ends the process: ignore that signal, or use ringlet_send() for sockets.
 *
 * On io_uring a write to a terminal that has room for a part of it stops the worker, and its deadline with it, until
 * the rest has been read: write to terminals from a thread of your own, or make them O_NONBLOCK.
 *
 * Returns: the number of bytes; a status as above; -EINVAL for an offset below -1.
 */
int64_t ringlet_write(int32_t descriptor, const void *buffer, size_t size, int64_t offset,
                      int64_t deadline);

/*
 * Receives from a socket, as recv(2) without flags.
 *
 * buffer   at least size bytes, the kernel's until the call returns.
 *
 * Returns: the number of bytes, 0 when the other side has finished sending; a status as above.
 */
int64_t ringlet_recv(int32_t descriptor, void *buffer, size_t size, int64_t deadline);

/*
 * Sends to a socket, as send(2) with MSG_WAITALL and MSG_NOSIGNAL: the kernel tries to send all of
 * it, and a connection that is gone gives -EPIPE and no signal.
 *
 * buffer   size bytes, which must not change until the call returns.
 *
 * Returns: the number of bytes; a status as above.
 */
int64_t ringlet_send(int32_t descriptor, const void *buffer, size_t size, int64_t deadline);

/*
 * Accepts a connection, as accept4(2) with SOCK_CLOEXEC.
 *
 * Returns: a descriptor, which the caller closes; a status as above.
 */
int32_t ringlet_accept(int32_t descriptor, int64_t deadline);

/*
 * Connects a socket, as connect(2).
 *
 * address   a struct sockaddr of some family, length bytes; must not change until the call returns.
 *
 * Returns: 0; a status as above; -EINVAL when address is NULL.
 */
int32_t ringlet_connect(int32_t descriptor, const void *address, uint32_t length,
                        int64_t deadline);

/*
 * Closes a descriptor. Operations that coroutines of the same worker have in flight on it end with
 * -EBADF; those of other workers must have ended. Not cut short by cancellation.
 *
 * Returns: 0; -EPERM outside a coroutine; what close(2) says. The descriptor is gone in any case,
 * but for -EPERM and -EBADF.
 */
int32_t ringlet_close(int32_t descriptor);

/* ------------------------------------------------------------------------------------------------
 * Completion queue
 *
 * How a program with an event loop of its own awaits tasks: put the queue's descriptor into the
 * loop, and drain the queue in batches whenever it is readable. Each notification that was asked
 * for arrives exactly once, whatever becomes of the task. No function of the program is ever called
 * on a thread of the library, which suits languages that cannot bear that.
 */

typedef struct ringlet_queue ringlet_queue;

/*
 * The end of a task. 32 bytes without pointers; never changes.
 */
typedef struct ringlet_completion {
    /* What was given to ringlet_task_notify(). */
    uint64_t user_data;
    /* The task's id at the time of ringlet_task_notify(). */
    uint64_t task;
    /* The task's result. */
    int64_t result;
    /* 0 in this version. */
    uint64_t flags;
} ringlet_completion;

/*
 * Creates an empty queue. It belongs to no scheduler, and can serve several.
 *
 * queue   receives the queue; the caller destroys it.
 *
 * Returns: 0; -EINVAL when queue is NULL; -EMFILE, -ENFILE, -ENOMEM when there is no descriptor.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_queue_create(ringlet_queue **queue);

/*
 * The queue's descriptor, an eventfd: readable while completions are in the queue. For poll, epoll
 * and their kind; do not read, write or close it.
 *
 * Returns: the descriptor; -EINVAL when queue is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_queue_descriptor(const ringlet_queue *queue);

/*
 * Asks for one completion in queue when task has ended, at once if it has. Can be asked for several
 * times; each gives a completion.
 *
 * user_data   comes back in the completion.
 *
 * Returns: 0; -EINVAL when queue is NULL; -ESRCH when task is no id, or was released.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_task_notify(uint64_t task, ringlet_queue *queue, uint64_t user_data);

/*
 * Takes completions out of the queue, oldest first, without waiting.
 *
 * completions   room for capacity records.
 *
 * Returns: the number taken, perhaps 0; -EINVAL when queue or completions is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_queue_poll(ringlet_queue *queue, ringlet_completion *completions,
                           uint32_t capacity);

/*
 * Takes completions out of the queue, and waits for the first when there is none. In a coroutine it
 * suspends the coroutine, on a plain thread it blocks the thread.
 *
 * completions   room for capacity records, at least one.
 *
 * Returns: the number taken, at least 1;
 *   -EINVAL      queue or completions is NULL, or capacity is 0
 *   -ETIMEDOUT   the deadline passed
 *   -ECANCELED   the calling coroutine was cancelled
 *   -EINTR       a signal handler ran on this plain thread
 *   -EDEADLK     a worker's thread outside a coroutine
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_queue_wait(ringlet_queue *queue, ringlet_completion *completions,
                           uint32_t capacity, int64_t deadline);

/*
 * Destroys the queue and closes its descriptor, which must have left every event loop. Completions
 * that were not taken, and those still to come, are dropped. NULL is allowed and does nothing. No
 * other call may use the queue at the same time or later, but tasks may still end.
 *
 * Safety: owner-thread. Since 0.1.0.
 */
void ringlet_queue_destroy(ringlet_queue *queue);

/* ------------------------------------------------------------------------------------------------
 * Channels
 *
 * A way for pointers from some tasks and threads to others, in order, each to one receiver. With
 * capacity 0 a send ends when a receiver has taken the item; with more it ends when the item is in the
 * channel, and waits while that is full. Both sides are served in the order in which they came.
 * Senders and receivers may be on any thread, of any scheduler or none.
 *
 * A wait suspends the coroutine, or blocks the plain thread, where signals do not end it. What need
 * not wait succeeds also when the task was cancelled or the deadline has passed. An item that could not
 * be sent is the caller's still, and none is lost: what came to a receiver in the moment in which that
 * was cancelled goes to the next.
 *
 * In Swift a channel can also be split into its ends, iterated, and waited for together with others.
 */

typedef struct ringlet_channel ringlet_channel;

/*
 * Creates a channel.
 *
 * capacity   how many items may be on their way without a receiver. Memory is taken as they come.
 * drop       called with each item that is left when the last reference is released, on that thread;
 *            it must neither block nor suspend. NULL: they are forgotten.
 * channel    receives the channel; the caller releases it.
 *
 * Returns: 0; -EINVAL when channel is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_channel_create(size_t capacity, void (*drop)(void *item),
                               ringlet_channel **channel);

/*
 * Sends, and waits for room or a receiver.
 *
 * item   any pointer, NULL too. The library does not look at it.
 *
 * Returns: 0; otherwise nothing was sent:
 *   -EINVAL      channel is NULL
 *   -EPIPE       the channel is closed
 *   -ETIMEDOUT   the deadline passed
 *   -ECANCELED   the calling task was cancelled
 *   -EDEADLK     it would have to wait on a worker's thread outside a coroutine
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_channel_send(ringlet_channel *channel, void *item, int64_t deadline);

/*
 * Sends if that is possible without waiting.
 *
 * Returns: 0; -EAGAIN when it would have to wait; -EINVAL, -EPIPE as ringlet_channel_send().
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_channel_try_send(ringlet_channel *channel, void *item);

/*
 * Receives, and waits for an item.
 *
 * item   receives the item.
 *
 * Returns: 0;
 *   -EINVAL      channel or item is NULL
 *   -EPIPE       the channel is closed, and everything that was sent has been received
 *   -ETIMEDOUT, -ECANCELED, -EDEADLK as ringlet_channel_send()
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_channel_receive(ringlet_channel *channel, void **item, int64_t deadline);

/*
 * Receives if that is possible without waiting.
 *
 * Returns: 0; -EAGAIN when it would have to wait; -EINVAL, -EPIPE as ringlet_channel_receive().
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_channel_try_receive(ringlet_channel *channel, void **item);

/*
 * Ends the channel: sends fail, those that wait too, and receivers get what is there and then -EPIPE.
 * Does nothing the second time.
 *
 * Returns: 0; -EINVAL when channel is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_channel_close(ringlet_channel *channel);

/*
 * Takes one more reference, for somebody who releases it. Whoever calls any of these functions has one
 * until the call returns.
 *
 * Returns: 0; -EINVAL when channel is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_channel_retain(ringlet_channel *channel);

/*
 * Gives up a reference. The last one frees the channel and what is left in it. NULL is allowed and
 * does nothing; nor does anything happen in the child of a fork.
 *
 * Safety: any-thread. Since 0.1.0.
 */
void ringlet_channel_release(ringlet_channel *channel);

/* ------------------------------------------------------------------------------------------------
 * Semaphores, mutexes and events
 *
 * Where tasks and threads meet, on any worker and scheduler. A wait suspends the coroutine, or blocks
 * the plain thread, where signals do not end it; it is given what it waits for in the order in which
 * it came, and who arrives later cannot overtake. What need not wait succeeds also when the task was
 * cancelled or the deadline has passed. The calls that wait return:
 *
 *   0            it has what it waited for
 *   -EINVAL      the object is NULL
 *   -ETIMEDOUT   the deadline passed
 *   -ECANCELED   the calling task was cancelled
 *   -EDEADLK     it would have to wait on a worker's thread outside a coroutine
 *
 * None of them has an owner: what one task has taken another one, or a thread, may give back. Each is
 * destroyed when no other call uses it and none will; but it may be although the call that has woken the
 * caller has not returned yet. Conditions, barriers, limiters, and locks that know their owner are Swift's alone.
 */

typedef struct ringlet_semaphore ringlet_semaphore;
typedef struct ringlet_mutex ringlet_mutex;
typedef struct ringlet_event ringlet_event;

/*
 * Creates a semaphore.
 *
 * permits     how many there are to begin with. More may be given back than were taken.
 * semaphore   receives the semaphore; the caller destroys it.
 *
 * Returns: 0; -EINVAL when semaphore is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_semaphore_create(uint32_t permits, ringlet_semaphore **semaphore);

/*
 * Takes a permit, and waits for one.
 *
 * Returns: as above.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_semaphore_acquire(ringlet_semaphore *semaphore, int64_t deadline);

/*
 * Takes a permit if one is free.
 *
 * Returns: 0; -EAGAIN when none is; -EINVAL when semaphore is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_semaphore_try_acquire(ringlet_semaphore *semaphore);

/*
 * Gives a permit to who has waited longest, or adds it to the free ones.
 *
 * Returns: 0; -EINVAL when semaphore is NULL; -EOVERFLOW beyond the number of permits that there can be.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_semaphore_release(ringlet_semaphore *semaphore);

/*
 * Destroys a semaphore. NULL is allowed and does nothing.
 *
 * Returns: 0; -EBUSY when somebody waits for a permit, and nothing was destroyed.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_semaphore_destroy(ringlet_semaphore *semaphore);

/*
 * Creates a mutex that nobody holds. It may be held over a wait, which a mutex of the system must not
 * be in a coroutine.
 *
 * mutex   receives the mutex; the caller destroys it.
 *
 * Returns: 0; -EINVAL when mutex is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_mutex_create(ringlet_mutex **mutex);

/*
 * Takes the mutex, and waits as long as it is held. Who holds it already waits for itself.
 *
 * Returns: as above.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_mutex_lock(ringlet_mutex *mutex, int64_t deadline);

/*
 * Takes the mutex if it is free.
 *
 * Returns: 0; -EAGAIN when it is held; -EINVAL when mutex is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_mutex_try_lock(ringlet_mutex *mutex);

/*
 * Gives the mutex to who has waited longest, or frees it.
 *
 * Returns: 0; -EINVAL when mutex is NULL; -EPERM when nobody holds it.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_mutex_unlock(ringlet_mutex *mutex);

/*
 * Destroys a mutex. NULL is allowed and does nothing.
 *
 * Returns: 0; -EBUSY when it is held, and nothing was destroyed.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_mutex_destroy(ringlet_mutex *mutex);

/*
 * Creates an event that is not set.
 *
 * event   receives the event; the caller destroys it.
 *
 * Returns: 0; -EINVAL when event is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_event_create(ringlet_event **event);

/*
 * Lets everybody go on who waits, also if the event is cleared at once, and who comes until then. Does
 * nothing the second time. What was written before can be read by who has waited.
 *
 * Returns: 0; -EINVAL when event is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_event_set(ringlet_event *event);

/*
 * From now on waits wait. Those that were woken before go on.
 *
 * Returns: 0; -EINVAL when event is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_event_clear(ringlet_event *event);

/*
 * Whether the event is set. Another thread may change it at any time.
 *
 * Returns: 1 or 0; -EINVAL when event is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_event_is_set(ringlet_event *event);

/*
 * Waits until the event is set.
 *
 * Returns: as above.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_event_wait(ringlet_event *event, int64_t deadline);

/*
 * Destroys an event. NULL is allowed and does nothing.
 *
 * Returns: 0; -EBUSY when somebody waits for it, and nothing was destroyed.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_event_destroy(ringlet_event *event);

/* ------------------------------------------------------------------------------------------------
 * Coroutines without a scheduler
 *
 * A ringlet_coroutine is a function on a stack of its own that control is switched to and from
 * where the program says, on any thread; a pointer travels along. A switch to one transfers control
 * to the start of its function, or to the ringlet_coroutine_switch() that it is suspended in, which
 * returns; and the call returns when somebody, anybody, switches back. What the function returns
 * goes to its parent: the coroutine that created it, or the code outside all of them. Ancestors that
 * have returned or are RINGLET_COROUTINE_WAITING are passed over, one that has not begun is started.
 *
 * Each belongs to the thread that created it: on every other thread a call returns -EPERM and does
 * nothing, except for ringlet_coroutine_state() and ringlet_coroutine_release(). In the child of a
 * fork those of the thread that forked work on.
 *
 * Inside a task the function may call what a task may: where that waits, the whole task does, with
 * the coroutine on it. Until the wait is over, other tasks of the thread find the coroutine
 * RINGLET_COROUTINE_WAITING, and their switches to it return -EBUSY. While it is in a switch any code
 * of its thread may switch to it, another task too. Outside a task calls that wait return -EPERM.
 *
 * What runs on one thread is interleaved, so code that two coroutines enter must be re-entrant; a
 * mutex that is held over a switch is held by the thread, and whoever locks it next there waits for
 * ever. No signal handler may switch. What the thread-local variables of other libraries hold is the
 * thread's, but errno and C++ exceptions that are being handled are each coroutine's own.
 *
 * A thread that exits unwinds what was released on other threads; what is still referred to is never
 * unwound, and its stack is lost. A process that exits unwinds nothing. Its exit handlers may use
 * coroutines; if exit() was called in one, they run in that.
 *
 * Coroutines of Swift have more: an outcome that can be asked for, a close for which the caller stands
 * in for the parent, task-locals, a tracer, backtraces, figures of stacks, and counters of the process.
 * In C an end is told by what the parent's switch returns, and by the state. To end a coroutine that
 * others refer to and go on here, make ringlet_coroutine_current() its parent and throw -ECANCELED.
 */

typedef struct ringlet_coroutine ringlet_coroutine;

/*
 * The function of a coroutine.
 *
 * user_data   what was given to ringlet_coroutine_create().
 * value       the pointer of the first switch.
 * result      for what the switch of the parent is to receive; NULL until it is written.
 *
 * Returns: 0, and *result goes to the parent; a negative status, which is what the parent's switch
 * returns. -ECANCELED is the exit signal: return it when a switch has returned it.
 */
typedef int32_t (*ringlet_coroutine_function)(void *user_data, void *value, void **result);

enum {
    /* Not begun. */
    RINGLET_COROUTINE_PENDING = 0,
    /* The calling code runs in it. */
    RINGLET_COROUTINE_RUNNING = 1,
    /* It is part of a task that waits, or waits for what it resumed: the function of one that it
       releases, a coroutine of Swift. */
    RINGLET_COROUTINE_WAITING = 2,
    /* In a switch. */
    RINGLET_COROUTINE_SUSPENDED = 3,
    /* The function has returned, or never will be called. */
    RINGLET_COROUTINE_ENDED = 4,
    /* It belongs to another thread, the only one that can say more. */
    RINGLET_COROUTINE_ELSEWHERE = 5,
    /* It belongs to a thread that has exited. */
    RINGLET_COROUTINE_LOST = 6
};

/*
 * Creates a coroutine, which takes no stack until the first switch. Its parent is the current one.
 *
 * name         for reports, copied; NULL is allowed.
 * stack_size   usable bytes, 16 KiB to 1 GiB, rounded up to whole pages; 0 is 256 KiB.
 * coroutine    receives the coroutine; the caller releases it.
 *
 * Returns: 0; -EINVAL when function or coroutine is NULL, or stack_size is out of range.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_coroutine_create(ringlet_coroutine_function function, void *user_data,
                                 const char *name, size_t stack_size,
                                 ringlet_coroutine **coroutine);

/*
 * Transfers control and value to a coroutine, and returns when control comes back. To one that has
 * returned it goes as to its nearest ancestor that has not. To itself, and from the code outside to
 * NULL, it returns at once.
 *
 * coroutine   NULL is the code outside.
 * value       what the pending switch of whoever gets control receives, or the function.
 * result      receives what came along; NULL is allowed.
 *
 * Returns: 0; the status that came instead of a pointer: of a function that has returned it to its
 * parent, or from ringlet_coroutine_throw();
 *   -ECANCELED   the exit signal: the function is to return, or a child has exited
 *   -EPERM       the coroutine belongs to another thread
 *   -EBUSY       it is RINGLET_COROUTINE_WAITING; or the caller is a coroutine that has entered a part of
 *                its task (ringlet_with_deadline(), ringlet_with_shield(), a group of Swift), which it must
 *                leave first
 *   -ENOMEM      there is no memory for a stack. The coroutine has not begun, and may be switched to
 *                again. (A parent that the end of its child would begin ends instead, and this is what
 *                its own parent is told.)
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_coroutine_switch(ringlet_coroutine *coroutine, void *value, void **result);

/*
 * As ringlet_coroutine_switch(), but the pending switch of whoever gets control returns status. The
 * function of one that has not begun is never called: it ends, and status goes to its parent.
 *
 * status   negative; -ECANCELED is the exit signal.
 *
 * Returns: as ringlet_coroutine_switch(); -EINVAL when status is not negative.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_coroutine_throw(ringlet_coroutine *coroutine, int32_t status, void **result);

/*
 * The coroutine that this code runs in, or NULL. No new reference: do not release it.
 *
 * Safety: any-thread. Since 0.1.0.
 */
ringlet_coroutine *ringlet_coroutine_current(void);

/*
 * The parent of a coroutine, without a new reference.
 *
 * parent   receives the parent; NULL is the code outside.
 *
 * Returns: 0; -EINVAL when coroutine or parent is NULL; -EPERM on another thread.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_coroutine_parent(const ringlet_coroutine *coroutine, ringlet_coroutine **parent);

/*
 * Makes another coroutine the parent, whatever both do. The child keeps it alive.
 *
 * parent   NULL is the code outside.
 *
 * Returns: 0; and nothing has changed in these cases:
 *   -EINVAL   coroutine is NULL, or its own parent
 *   -ELOOP    the parent is a descendant of the coroutine
 *   -EXDEV    the parent belongs to another thread
 *   -EPERM    the coroutine does
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_coroutine_set_parent(ringlet_coroutine *coroutine, ringlet_coroutine *parent);

/*
 * What a coroutine does.
 *
 * Returns: one of RINGLET_COROUTINE_...; -EINVAL when coroutine is NULL.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_coroutine_state(const ringlet_coroutine *coroutine);

/*
 * Gives up the caller's reference. If the function is suspended and the coroutine is nobody's
 * parent, its switch returns -ECANCELED, as do further ones, and the call returns when the function
 * has; on another thread than its own, that thread does so when it next uses a coroutine, or exits.
 * One that runs or waits goes on to its next switch, which sends its value and is where it is unwound.
 * A function that goes on all the same is given up after a hundred switches that returned -ECANCELED:
 * it stays suspended, which is said on stderr, and its stack is lost. NULL is allowed and does nothing.
 *
 * Safety: any-thread. Since 0.1.0.
 */
void ringlet_coroutine_release(ringlet_coroutine *coroutine);

/* ------------------------------------------------------------------------------------------------
 * Generators
 *
 * A function that produces values one at a time, from any depth of calls, on a stack of its own. It
 * needs no scheduler. Inside a task its function may call what a task may, such as ringlet_read(),
 * which suspends the task in the middle of a step. What is said of coroutines above about mutexes,
 * signal handlers and exits holds here, too.
 *
 *     static int64_t count(ringlet_generator *generator, void *user_data)
 *     {
 *         for (intptr_t number = 1; number <= (intptr_t)user_data; number++) {
 *             int32_t status = ringlet_generator_yield(generator, (void *)number, NULL);
 *             if (status < 0) return status;
 *         }
 *         return 0;
 *     }
 *
 *     ringlet_generator *numbers;
 *     void *number;
 *     ringlet_generator_create(count, (void *)10, 0, &numbers);
 *     while (ringlet_generator_next(numbers, &number) == 1) use(number);
 *     ringlet_generator_release(numbers);
 *
 * A generator belongs to the thread that created it: every call on another returns -EPERM and does
 * nothing. Values are pointers that the library passes on and never looks at. Where they are received,
 * the place may be NULL. Generators of Swift can also be asked for their name, their state and what
 * they delegate to.
 */

typedef struct ringlet_generator ringlet_generator;

/*
 * A generator's function. It is called at the first step. What it returns is the generator's result.
 */
typedef int64_t (*ringlet_generator_function)(ringlet_generator *generator, void *user_data);

/*
 * Creates a generator. Its function is not called yet, and it has no stack.
 *
 * user_data    passed to function.
 * stack_size   usable bytes, 16 KiB to 1 GiB, rounded up to whole pages; 0 is 256 KiB.
 * generator    receives the generator; the caller releases it.
 *
 * Returns: 0; -EINVAL when function or generator is NULL, or stack_size is out of range.
 * Safety: any-thread. Since 0.1.0.
 */
int32_t ringlet_generator_create(ringlet_generator_function function, void *user_data,
                                 size_t stack_size, ringlet_generator **generator);

/*
 * Runs the function to its next ringlet_generator_yield(), which the last one returns from with NULL.
 *
 * value   receives what is yielded.
 *
 * Returns: 1 with a value; 0 when the function has returned, now or before;
 *   -EINVAL   generator is NULL
 *   -EPERM    this is not the thread that created it
 *   -EBUSY    it is running: this is its own function, or one that it called or delegates to
 *   -ENOMEM   no memory for a stack: the function was not called, and the next step tries again
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_generator_next(ringlet_generator *generator, void **value);

/*
 * As ringlet_generator_next(), but the pending yield returns with sent.
 *
 * Returns: as ringlet_generator_next(); -EINVAL also when the function was not called yet.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_generator_send(ringlet_generator *generator, void *sent, void **value);

/*
 * As ringlet_generator_next(), but the pending yield returns status, which is negative. A function
 * that was not called yet never is. While the function delegates, it is the innermost that is told.
 *
 * -ECANCELED is a status like others here, unlike with ringlet_coroutine_throw(): what the function
 * yields next is a value, and an outer function goes on with what the inner one returns. The end is
 * ringlet_generator_close().
 *
 * Returns: as ringlet_generator_next(); status itself when there is no yield to return it, because the
 * function has returned before, or never was called; -EINVAL also when status is not negative.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_generator_throw(ringlet_generator *generator, int32_t status, void **value);

/*
 * Ends the generator: the pending yield returns -ECANCELED, and this call returns when the function
 * has. A function that was not called yet never is.
 *
 * result   receives what the function returned.
 *
 * Returns: 1 with a result; 0 when the function had returned before, or never was called;
 *   -EAGAIN   the function yielded instead. It waits there; step it or close it again
 *   -EINVAL, -EPERM, -EBUSY as ringlet_generator_next()
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_generator_close(ringlet_generator *generator, int64_t *result);

/*
 * What the function returned.
 *
 * result   receives it.
 *
 * Returns: 1 with a result; 0 while the function has not returned; the thrown status, or -ECANCELED,
 * when it never was called and never will be; -EINVAL when generator is NULL; -EPERM on another thread.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_generator_result(ringlet_generator *generator, int64_t *result);

/*
 * Ends the generator as ringlet_generator_close() does and frees it. Each further yield of its
 * function returns -ECANCELED, too; after a thousand the function is given up, which is said on
 * stderr, and its stack is lost. NULL is allowed and does nothing.
 *
 * Returns: 0; -EPERM, -EBUSY as ringlet_generator_next(), and -EBUSY while another generator delegates to
 * it; then nothing was freed.
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_generator_release(ringlet_generator *generator);

/*
 * Inside the generator's function, at any depth of calls: hands value to whoever made the step, and
 * returns at the next one.
 *
 * sent   receives what ringlet_generator_send() was given, NULL at other steps.
 *
 * Returns: 0; the status that was thrown; -ECANCELED when the generator is closed: return soon;
 *   -EINVAL   generator is NULL
 *   -EPERM    its function did not call this, or does not run
 *   -EBUSY    the function has entered a part of its task (ringlet_with_deadline(), ringlet_with_shield(), a
 *             group of Swift), which it must leave first
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_generator_yield(ringlet_generator *generator, void *value, void **sent);

/*
 * Inside the generator's function: hands over to another generator until its function returns. Its
 * values go to whoever makes the steps, and what is sent and thrown goes to its pending yield. Closing
 * the outer one closes the inner first. A value costs the same at any depth of delegation.
 *
 * result   receives what the inner function returned.
 *
 * Returns: 0; as ringlet_generator_yield() for generator, and as ringlet_generator_next() for inner;
 *   -ECANCELED   also when inner was closed before its function was called
 *   -EAGAIN      at a close, the inner function yielded instead of returning
 * Safety: owner-thread. Since 0.1.0.
 */
int32_t ringlet_generator_delegate(ringlet_generator *generator, ringlet_generator *inner,
                                   int64_t *result);

#ifdef __cplusplus
}
#endif

#endif
