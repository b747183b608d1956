#include "check.h"

#include <pthread.h>

static int64_t shut_down_from_inside(void *user_data)
{
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(user_data, INT64_MAX), -EDEADLK);
    return ringlet_scheduler_destroy(user_data);
}

/* Holds its thread, and does not look at anything. */
static int has_begun, may_end;

static int64_t hold_thread(void *user_data)
{
    (void)user_data;
    set_flag(&has_begun);
    await_flag(&may_end);
    return 3;
}

static uint64_t spawn_holder(ringlet_scheduler *scheduler)
{
    has_begun = may_end = 0;
    uint64_t task = spawn(scheduler, hold_thread, NULL);
    await_flag(&has_begun);
    return task;
}

static void *shut_down(void *scheduler)
{
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, soon()), 0);
    return NULL;
}

int main(void)
{
    int next = next_descriptor();
    ringlet_scheduler *scheduler = NULL;
    uint64_t task = 0;

    REQUIRE_EQUAL(ringlet_scheduler_destroy(NULL), 0);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(NULL, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_spawn(NULL, sleep_for_ever, NULL, NULL, NULL), -EINVAL);

    /* Nothing was done with it, and it was not shut down. */
    REQUIRE_EQUAL(ringlet_scheduler_create(NULL, &scheduler), 0);
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, NULL, NULL, NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), 0);

    /* Its own thread cannot wait for itself. */
    scheduler = make_scheduler(1);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, shut_down_from_inside, scheduler)), -EDEADLK);

    /* A shutdown cancels; ids and results stay. */
    task = spawn(scheduler, sleep_for_ever, NULL);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, soon()), 0);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, 0), 0);
    uint64_t late = 0;
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, sleep_for_ever, NULL, NULL, &late),
                  -ESHUTDOWN);
    REQUIRE_EQUAL(late, 0);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);

    /* What does not end in time is reported, and can be waited for again. */
    scheduler = make_scheduler(1);
    task = spawn_holder(scheduler);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, after_milliseconds(20)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, 0), -ETIMEDOUT);
    set_flag(&may_end);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, soon()), 0);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), 0);
    REQUIRE_EQUAL(join_and_release(task), 3);

    /* Given up while something is left: that runs on. */
    scheduler = make_scheduler(1);
    task = spawn_holder(scheduler);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), 0);
    set_flag(&may_end);
    REQUIRE_EQUAL(join_and_release(task), 3);

    /* Two threads shut down at once: both return when it is over. */
    scheduler = make_scheduler(2);
    task = spawn_holder(scheduler);
    pthread_t other;
    REQUIRE(pthread_create(&other, NULL, shut_down, scheduler) == 0);
    set_flag(&may_end);
    shut_down(scheduler);
    REQUIRE(pthread_join(other, NULL) == 0);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), 0);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);

    /* One after another: nothing is used up. */
    for (int i = 0; i < 200; i++) {
        scheduler = make_scheduler(2);
        REQUIRE_EQUAL(join_and_release(spawn(scheduler, return_number, as_pointer(i))), i);
        end_scheduler(scheduler);
    }
    require_next_descriptor(next);
    return 0;
}
