#include "check.h"

#include <pthread.h>

static int calls;
static int cleanups;

static int64_t count_call(void *user_data)
{
    (void)user_data;
    calls++;
    return 1;
}

static void count_cleanup(void *user_data)
{
    REQUIRE(user_data == &cleanups);
    cleanups++;
}

/* The new task cannot begin before this one suspends. */
static int64_t cancel_before_start(void *user_data)
{
    (void)user_data;
    uint64_t task = 0;
    ringlet_task_options *options;
    REQUIRE_EQUAL(ringlet_task_options_create(&options), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_cleanup(options, count_cleanup), 0);
    REQUIRE_EQUAL(ringlet_spawn(count_call, &cleanups, options, &task), 0);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
    REQUIRE_EQUAL(calls, 0);
    REQUIRE_EQUAL(cleanups, 1);

    REQUIRE_EQUAL(ringlet_spawn(count_call, &cleanups, options, &task), 0);
    REQUIRE_EQUAL(join_and_release(task), 1);
    REQUIRE_EQUAL(calls, 1);
    REQUIRE_EQUAL(cleanups, 2);
    ringlet_task_options_destroy(options);
    return 0;
}

/* Cancelled once, every later wait ends at once. */
static int64_t every_wait(void *user_data)
{
    int *waiting = user_data;
    int pipes[2];
    char byte;
    REQUIRE_EQUAL(ringlet_is_cancelled(), 0);
    REQUIRE(pipe(pipes) == 0);
    set_flag(waiting);
    REQUIRE_EQUAL(ringlet_read(pipes[0], &byte, 1, -1, INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_is_cancelled(), 1);
    REQUIRE_EQUAL(ringlet_read(pipes[0], &byte, 1, -1, INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_sleep_until(INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_yield(), -ECANCELED);
    uint64_t other = 0;
    REQUIRE_EQUAL(ringlet_spawn(sleep_for_ever, NULL, NULL, &other), 0);
    REQUIRE_EQUAL(ringlet_task_join(other, NULL, INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_task_cancel(other), 0);
    REQUIRE_EQUAL(ringlet_task_release(other), 0);
    /* Cleaning up is still possible. */
    REQUIRE_EQUAL(ringlet_close(pipes[0]), 0);
    REQUIRE_EQUAL(ringlet_close(pipes[1]), 0);
    return 42;
}

/* Never suspends, and sees it all the same. */
static int64_t compute(void *user_data)
{
    int *running = user_data;
    set_flag(running);
    while (ringlet_is_cancelled() == 0) {
    }
    return ringlet_is_cancelled();
}

static int64_t join_sleeper(void *user_data)
{
    return ringlet_task_join(*(uint64_t *)user_data, NULL, INT64_MAX);
}

static int64_t not_cancelled(void *user_data)
{
    (void)user_data;
    REQUIRE_EQUAL(ringlet_is_cancelled(), 0);
    REQUIRE_EQUAL(ringlet_sleep_until(0), 0);
    return ringlet_yield();
}

/* Cancellation of one task never reaches the next, however they share stacks. */
static int64_t alternate(void *user_data)
{
    (void)user_data;
    for (int i = 0; i < 500; i++) {
        uint64_t cancelled = 0, other = 0;
        REQUIRE_EQUAL(ringlet_spawn(sleep_for_ever, NULL, NULL, &cancelled), 0);
        if (i % 3) REQUIRE_EQUAL(ringlet_yield(), 0);
        if (i % 3 == 2) REQUIRE_EQUAL(ringlet_yield(), 0);
        REQUIRE_EQUAL(ringlet_task_cancel(cancelled), 0);
        REQUIRE_EQUAL(join_and_release(cancelled), -ECANCELED);
        REQUIRE_EQUAL(ringlet_spawn(not_cancelled, NULL, NULL, &other), 0);
        REQUIRE_EQUAL(join_and_release(other), 0);
    }
    return 0;
}

int main(void)
{
    REQUIRE_EQUAL(run(cancel_before_start, NULL), 0);
    REQUIRE_EQUAL(run(alternate, NULL), 0);
    ringlet_scheduler *scheduler = make_scheduler(1);

    /* During a sleep, after the end, and after the release. */
    uint64_t task = spawn(scheduler, sleep_for_ever, NULL);
    let_begin(scheduler);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join(task), -ECANCELED);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
    REQUIRE_EQUAL(ringlet_task_cancel(task), -ESRCH);

    int flag = 0;
    task = spawn(scheduler, every_wait, &flag);
    let_begin(scheduler);
    REQUIRE(flag == 1);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), 42);

    flag = 0;
    task = spawn(scheduler, compute, &flag);
    await_flag(&flag);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), 1);

    /* Cancelling who joins leaves the joined alone. */
    uint64_t sleeper = spawn(scheduler, sleep_for_ever, NULL);
    uint64_t joiner = spawn(scheduler, join_sleeper, &sleeper);
    let_begin(scheduler);
    REQUIRE_EQUAL(ringlet_task_cancel(joiner), 0);
    REQUIRE_EQUAL(join_and_release(joiner), -ECANCELED);
    REQUIRE_EQUAL(ringlet_task_join(sleeper, NULL, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_cancel(sleeper), 0);
    REQUIRE_EQUAL(join_and_release(sleeper), -ECANCELED);

    end_scheduler(scheduler);
    return 0;
}
