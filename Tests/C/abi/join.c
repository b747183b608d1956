#include "check.h"

#include <sys/resource.h>

static int64_t join_self(void *user_data)
{
    (void)user_data;
    return ringlet_task_join(ringlet_task_current(), NULL, INT64_MAX);
}

static int64_t join_with_deadlines(void *user_data)
{
    (void)user_data;
    uint64_t task = 0;
    int64_t result = 77;
    REQUIRE_EQUAL(ringlet_spawn(sleep_for_ever, NULL, NULL, &task), 0);
    REQUIRE_EQUAL(ringlet_task_join(task, &result, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_join(task, &result, INT64_MIN), -ETIMEDOUT);
    int64_t deadline = after_milliseconds(20);
    REQUIRE_EQUAL(ringlet_task_join(task, &result, deadline), -ETIMEDOUT);
    REQUIRE(ringlet_now() >= deadline);
    REQUIRE_EQUAL(result, 77);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(ringlet_task_join(task, &result, INT64_MAX), 0);
    REQUIRE_EQUAL(result, -ECANCELED);
    /* It has ended: a deadline that has passed hides nothing. */
    result = 77;
    REQUIRE_EQUAL(ringlet_task_join(task, &result, 0), 0);
    REQUIRE_EQUAL(result, -ECANCELED);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);
    return 1;
}

/*
 * A task whose stack cannot be had ends with the reason. Its clean-up runs on the worker's thread
 * outside any coroutine, where a wait would stop the thread.
 */
static int64_t from_cleanup;

static void join_in_cleanup(void *user_data)
{
    from_cleanup = ringlet_task_join(*(uint64_t *)user_data, NULL, INT64_MAX);
}

static void join_outside(void)
{
    ringlet_options *options;
    ringlet_task_options *task_options;
    ringlet_scheduler *scheduler;
    uint64_t task = 0;
    struct rlimit limit;
    REQUIRE_EQUAL(ringlet_options_create(&options), 0);
    REQUIRE_EQUAL(ringlet_options_set_stack_size(options, 1 << 30), 0);
    REQUIRE_EQUAL(ringlet_scheduler_create(options, &scheduler), 0);
    ringlet_options_destroy(options);
    REQUIRE_EQUAL(ringlet_task_options_create(&task_options), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_cleanup(task_options, join_in_cleanup), 0);

    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    struct rlimit little = {.rlim_cur = 1 << 30, .rlim_max = limit.rlim_max};
    REQUIRE(setrlimit(RLIMIT_AS, &little) == 0);
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, sleep_for_ever, &task, task_options, &task),
                  0);
    REQUIRE_EQUAL(join_and_release(task), -ENOMEM);
    REQUIRE_EQUAL(from_cleanup, -EDEADLK);
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    ringlet_task_options_destroy(task_options);
    end_scheduler(scheduler);
}

int main(void)
{
    REQUIRE_EQUAL(run(join_self, NULL), -EDEADLK);
    REQUIRE_EQUAL(run(join_with_deadlines, NULL), 1);
    join_outside();

    /* The same from a plain thread, and the extremes of a result. */
    ringlet_scheduler *scheduler = make_scheduler(1);
    uint64_t task = spawn(scheduler, sleep_for_ever, NULL);
    REQUIRE_EQUAL(ringlet_task_join(task, NULL, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_join(task, NULL, -5), -ETIMEDOUT);
    int64_t deadline = after_milliseconds(20);
    REQUIRE_EQUAL(ringlet_task_join(task, NULL, deadline), -ETIMEDOUT);
    REQUIRE(ringlet_now() >= deadline);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
    REQUIRE(join_and_release(spawn(scheduler, return_number, as_pointer(INT64_MIN))) == INT64_MIN);
    REQUIRE(join_and_release(spawn(scheduler, return_number, as_pointer(INT64_MAX))) == INT64_MAX);
    end_scheduler(scheduler);
    return 0;
}
