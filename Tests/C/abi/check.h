/* What the test programs share. A program ends with 0 when it passed, with 77 when it skipped. */

#ifndef CHECK_H
#define CHECK_H

#define _GNU_SOURCE

#include <errno.h>
#include <inttypes.h>
#include <ringlet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUIRE(condition)                                                            \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                                 \
        }                                                                             \
    } while (0)

/* Both sides are integers; the message shows them, by name where they are statuses. */
#define REQUIRE_EQUAL(left, right)                                                        \
    do {                                                                                  \
        int64_t left_ = (left), right_ = (right);                                         \
        if (left_ != right_) {                                                            \
            fprintf(stderr, "%s:%d: %s is %" PRId64 " (%s), not %" PRId64 " (%s)\n",      \
                    __FILE__, __LINE__, #left, left_, ringlet_status_name((int32_t)left_), \
                    right_, ringlet_status_name((int32_t)right_));                        \
            _exit(1);                                                                     \
        }                                                                                 \
    } while (0)

#define SKIP(reason)                     \
    do {                                 \
        fprintf(stderr, "%s\n", reason); \
        _exit(77);                       \
    } while (0)

static inline int64_t after_milliseconds(int64_t milliseconds)
{
    return ringlet_now() + milliseconds * 1000000;
}

/* Long enough for a busy machine, short enough for a test that hangs. */
static inline int64_t soon(void) { return after_milliseconds(20000); }

static inline ringlet_scheduler *make_scheduler(uint32_t workers)
{
    ringlet_options *options = NULL;
    ringlet_scheduler *scheduler = NULL;
    REQUIRE_EQUAL(ringlet_options_create(&options), 0);
    REQUIRE_EQUAL(ringlet_options_set_workers(options, workers), 0);
    REQUIRE_EQUAL(ringlet_scheduler_create(options, &scheduler), 0);
    ringlet_options_destroy(options);
    return scheduler;
}

static inline void end_scheduler(ringlet_scheduler *scheduler)
{
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, soon()), 0);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), 0);
}

static inline uint64_t spawn(ringlet_scheduler *scheduler, ringlet_function function,
                             void *user_data)
{
    uint64_t task = 0;
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, function, user_data, NULL, &task), 0);
    REQUIRE(task != 0);
    return task;
}

static inline int64_t join(uint64_t task)
{
    int64_t result = -1;
    REQUIRE_EQUAL(ringlet_task_join(task, &result, soon()), 0);
    return result;
}

static inline int64_t join_and_release(uint64_t task)
{
    int64_t result = join(task);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);
    return result;
}

/* Waits until another thread or a task has set the flag. */
static inline void await_flag(int *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE)) usleep(100);
}

static inline void set_flag(int *flag) { __atomic_store_n(flag, 1, __ATOMIC_RELEASE); }

/* Runs one function as a coroutine of a scheduler of its own, and returns its result. */
static inline int64_t run(ringlet_function function, void *user_data)
{
    ringlet_scheduler *scheduler = make_scheduler(1);
    int64_t result = join_and_release(spawn(scheduler, function, user_data));
    end_scheduler(scheduler);
    return result;
}

static inline int next_descriptor(void)
{
    int descriptor = dup(0);
    REQUIRE(descriptor >= 0 && close(descriptor) == 0);
    return descriptor;
}

/* A worker's last descriptor goes with the last that refers to it, a moment after its end. */
static inline void require_next_descriptor(int expected)
{
    int next = next_descriptor();
    for (int patience = 0; patience < 5000 && next != expected; patience++) {
        usleep(1000);
        next = next_descriptor();
    }
    REQUIRE_EQUAL(next, expected);
}

/* Runs body in the child of a fork. One that hangs is ended by SIGALRM. Returns its status. */
static inline int status_in_child(void (*body)(void))
{
    int status = 0;
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(30);
        body();
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0) REQUIRE(errno == EINTR);
    return status;
}

/* Bodies that many tests use. */

static inline int64_t sleep_for_ever(void *user_data)
{
    (void)user_data;
    return ringlet_sleep_until(INT64_MAX);
}

static inline int64_t return_number(void *user_data) { return (int64_t)(intptr_t)user_data; }

static inline void *as_pointer(int64_t number) { return (void *)(intptr_t)number; }

/* What was spawned before has begun by now, and waits, if the scheduler has one worker: it takes turns. */
static inline void let_begin(ringlet_scheduler *scheduler)
{
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, return_number, as_pointer(1))), 1);
}

#endif
